import type { Answer, DatagramInput, Instant, SocketAddress } from "../../src/contract/index.js";
import { wake } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { RetainedSecrets } from "../../src/protocols/zrtp/cache.js";
import type { ZrtpEvent, ZrtpInput } from "../../src/protocols/zrtp/events.js";
import { Zrtp } from "../../src/protocols/zrtp/machine.js";
import type { ZrtpMachineOptions } from "../../src/protocols/zrtp/machine-options.js";
import { typeOf } from "../../src/protocols/zrtp/messages/frame.js";
import { openPacket } from "../../src/protocols/zrtp/messages/packet.js";
import { provider as crypto } from "./provider.js";

export type End = "a" | "b";
export const otherEnd = (end: End): End => (end === "a" ? "b" : "a");
export type ZrtpAnyInput = ZrtpInput | DatagramInput | Answer;
export type PairOptions = Partial<Omit<ZrtpMachineOptions, "crypto" | "entropy">>;

export const addresses: Readonly<Record<End, SocketAddress>> = {
  a: { address: "192.0.2.1", port: 5004 },
  b: { address: "192.0.2.2", port: 5004 },
};
export const start: Instant = Date.UTC(2026, 0, 1);

export const zidOf = (end: End): Uint8Array => seededEntropy(`zid ${end}`).fill(new Uint8Array(12));

/** One end; all that it draws comes from the seed. */
export function zrtpEnd(seed: number | string, end: End, options: PairOptions = {}): Zrtp {
  const entropy = seededEntropy(`zrtp ${seed} ${end}`);
  return new Zrtp({ crypto, entropy, zid: zidOf(end), remote: addresses[otherEnd(end)], ...options }, start);
}

export const arriving = (bytes: Uint8Array, from: End, address = addresses[from]): DatagramInput => ({
  kind: "datagrams",
  bytes,
  from: address,
  to: addresses[otherEnd(from)],
  segmentSize: bytes.length,
  ecn: 0,
});

/** A packet's message and its type, for tests that look at what passes. */
export function seen(packet: Uint8Array): { readonly type: string; readonly message: Uint8Array } {
  const opened = openPacket(packet);
  if (typeof opened === "string") return { type: opened, message: new Uint8Array() };
  return { type: typeOf(opened.message) ?? "unknown", message: opened.message };
}

/** What passes on to the other end: the packet, another, several, or none. */
export type Edit = (
  packet: Uint8Array,
  from: End,
  type: string,
  index: number,
) => Uint8Array | readonly Uint8Array[] | undefined;

/** Two machines in virtual time on a line that takes `delayMs`. */
export class ZrtpPair {
  readonly ends: Readonly<Record<End, Zrtp>>;
  readonly events: Readonly<Record<End, ZrtpEvent[]>> = { a: [], b: [] };
  /** What was sent, in order. */
  readonly sent: { readonly from: End; readonly type: string; readonly packet: Uint8Array; readonly at: Instant }[] =
    [];
  readonly retained: Record<End, RetainedSecrets | undefined> = { a: undefined, b: undefined };
  /** What users answer who are asked. */
  readonly words: Record<End, boolean | undefined> = { a: undefined, b: undefined };
  edit: Edit = (packet) => packet;
  delayMs = 0;
  now: Instant = start;
  readonly #line: { readonly to: End; readonly packet: Uint8Array; readonly at: Instant }[] = [];
  readonly #buffer = new Uint8Array(4096);

  constructor(ends: Readonly<Record<End, Zrtp>>) {
    this.ends = ends;
  }

  static of(seed: number | string, a: PairOptions = {}, b: PairOptions = a): ZrtpPair {
    return new ZrtpPair({ a: zrtpEnd(seed, "a", a), b: zrtpEnd(seed, "b", b) });
  }

  /** Opens both, and lets them talk until nothing is due within `untilMs` any more. */
  run(untilMs = 60_000): this {
    this.give("a", { kind: "opened" });
    this.give("b", { kind: "opened" });
    return this.settle(untilMs);
  }

  settle(untilMs = 60_000): this {
    const end = this.now + untilMs;
    for (let steps = 0; steps < 100_000; steps++) {
      const next = this.#line.reduce<number | undefined>(
        (first, { at }) => (first === undefined || at < first ? at : first),
        undefined,
      );
      const due = Math.min(next ?? Infinity, this.ends.a.deadline() ?? Infinity, this.ends.b.deadline() ?? Infinity);
      if (due > end) {
        this.now = end;
        return this;
      }
      this.now = Math.max(this.now, due);
      const at = this.#line.findIndex((each) => each.at <= this.now);
      if (at !== -1) {
        const { to, packet } = this.#line.splice(at, 1)[0]!;
        this.give(to, arriving(packet, otherEnd(to)));
        continue;
      }
      for (const each of ["a", "b"] as const) {
        if ((this.ends[each].deadline() ?? Infinity) <= this.now) this.give(each, wake);
      }
    }
    throw new Error("they never stop talking");
  }

  give(end: End, input: ZrtpAnyInput | typeof wake): void {
    this.ends[end].handle(input, this.now);
    this.#drain(end);
  }

  #drain(end: End): void {
    const machine = this.ends[end];
    for (;;) {
      const transmit = machine.transmit(this.#buffer);
      if (transmit !== undefined) {
        this.#carry(end, this.#buffer.slice(0, transmit.size));
        continue;
      }
      const event = machine.event();
      if (event === undefined) return;
      this.events[end].push(event);
      if (event.kind === "retain") this.retained[end] = event.secrets;
      if (event.kind === "question") {
        const answer = event.question.kind === "secrets" ? this.retained[end] : this.words[end];
        machine.handle({ kind: "answer", id: event.id, answer }, this.now);
      }
    }
  }

  #carry(from: End, packet: Uint8Array): void {
    const { type } = seen(packet);
    const index = this.sent.length;
    this.sent.push({ from, type, packet: packet.slice(), at: this.now });
    const edited = this.edit(packet, from, type, index);
    if (edited === undefined) return;
    const packets = edited instanceof Uint8Array ? [edited] : edited;
    for (const each of packets) this.#line.push({ to: otherEnd(from), packet: each, at: this.now + this.delayMs });
  }

  outcome(end: End) {
    return this.find(end, "confirmed")?.outcome;
  }

  failure(end: End) {
    return this.find(end, "failed")?.failure;
  }

  find<K extends ZrtpEvent["kind"]>(end: End, kind: K): Extract<ZrtpEvent, { readonly kind: K }> | undefined {
    return this.events[end].find((event): event is Extract<ZrtpEvent, { readonly kind: K }> => event.kind === kind);
  }

  warnings(end: End): string[] {
    return this.events[end].flatMap((event) => (event.kind === "warning" ? [event.warning] : []));
  }
}
