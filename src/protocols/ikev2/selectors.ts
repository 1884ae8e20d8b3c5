import { parsePrefix } from "../../bytes/index.js";
import type { TrafficSelector } from "../esp/index.js";
import { failure } from "./failure.js";
import { selectorsMax } from "./limits.js";

const anyPort = { startPort: 0, endPort: 65_535 } as const;

/** All of a prefix: `10.1.0.0/16`, perhaps with a protocol and a port. Throws `misuse/bad-configuration` for anything else. */
export function selector(prefix: string, protocol = 0, port?: number): TrafficSelector {
  const parsed = parsePrefix(prefix);
  if (parsed === undefined) throw failure("bad-configuration", `${prefix} is no prefix`, { at: "traffic selector" });
  const start = parsed.address.slice();
  const end = parsed.address.slice();
  for (let bit = parsed.length; bit < 8 * start.length; bit++) {
    start[bit >> 3]! &= ~(0x80 >> (bit & 7));
    end[bit >> 3]! |= 0x80 >> (bit & 7);
  }
  return { protocol, start, end, ...(port === undefined ? anyPort : { startPort: port, endPort: port }) };
}

/** One address and nothing else. */
export const hostSelector = (address: Uint8Array): TrafficSelector => ({
  protocol: 0,
  start: address,
  end: address,
  ...anyPort,
});

/** What both want (RFC 7296 §2.9): the part that each pair has in common, without those that lie within others. */
export function narrow(
  proposed: readonly TrafficSelector[],
  ours: readonly TrafficSelector[],
): readonly TrafficSelector[] {
  const common: TrafficSelector[] = [];
  for (const own of ours) {
    for (const theirs of proposed) {
      const both = intersection(theirs, own);
      if (both !== undefined && !common.some((each) => holds(each, both))) common.push(both);
      if (common.length >= selectorsMax) return common;
    }
  }
  return common;
}

/** Is each of these within one of those? */
export const within = (inner: readonly TrafficSelector[], outer: readonly TrafficSelector[]): boolean =>
  inner.length > 0 && inner.every((each) => outer.some((other) => holds(other, each)));

function intersection(a: TrafficSelector, b: TrafficSelector): TrafficSelector | undefined {
  if (a.start.length !== b.start.length) return undefined;
  if (a.protocol !== b.protocol && a.protocol !== 0 && b.protocol !== 0) return undefined;
  const ports = commonPorts(a, b);
  const start = compare(a.start, b.start) >= 0 ? a.start : b.start;
  const end = compare(a.end, b.end) <= 0 ? a.end : b.end;
  if (ports === undefined || compare(start, end) > 0) return undefined;
  return { protocol: a.protocol === 0 ? b.protocol : a.protocol, start: start.slice(), end: end.slice(), ...ports };
}

function commonPorts(
  a: TrafficSelector,
  b: TrafficSelector,
): Pick<TrafficSelector, "startPort" | "endPort"> | undefined {
  // OPAQUE meets OPAQUE and ANY (RFC 7296 §3.13.1).
  const [first, second] = [isOpaque(a), isOpaque(b)];
  if (first || second) {
    return (first || isAnyPort(a)) && (second || isAnyPort(b)) ? { startPort: 65_535, endPort: 0 } : undefined;
  }
  const startPort = Math.max(a.startPort, b.startPort);
  const endPort = Math.min(a.endPort, b.endPort);
  return startPort <= endPort ? { startPort, endPort } : undefined;
}

const isOpaque = ({ startPort, endPort }: TrafficSelector): boolean => startPort === 65_535 && endPort === 0;
const isAnyPort = ({ startPort, endPort }: TrafficSelector): boolean => startPort === 0 && endPort === 65_535;

function holds(outer: TrafficSelector, inner: TrafficSelector): boolean {
  if (outer.start.length !== inner.start.length) return false;
  if (outer.protocol !== 0 && outer.protocol !== inner.protocol) return false;
  if (compare(outer.start, inner.start) > 0 || compare(outer.end, inner.end) < 0) return false;
  if (isOpaque(inner)) return isOpaque(outer) || isAnyPort(outer);
  return outer.startPort <= inner.startPort && outer.endPort >= inner.endPort;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return 0;
}
