import type { Entropy, Network, ServiceRecord } from "../contract/index.js";
import { type RemoteEndpoint, remoteEndpoint } from "./endpoint.js";
import { TapsFailure } from "./failure.js";
import { childrenPerNodeMax } from "./limits.js";

/**
 * The endpoints that an SRV name stands for (RFC 9622 §6.1, RFC 2782), in the order in which they are to be tried. Who
 * they must prove to be is the domain that was asked for, and not what the records say (RFC 9525 §6.2).
 */
export async function expandService(
  remote: RemoteEndpoint,
  network: Network,
  entropy: Entropy,
  signal: AbortSignal,
): Promise<readonly RemoteEndpoint[]> {
  const { host, service, ...rest } = remote;
  const name = `${service}.${host}`;
  if (network.resolveService === undefined) throw notFound(name, `${network.name} looks up no services`);
  const records = await network.resolveService(name, { signal }).catch((cause: unknown) => {
    throw notFound(name, cause instanceof Error ? cause.message : String(cause), cause);
  });
  // A target of "." says that there is no such service.
  const offered = records.filter(({ target }) => target !== "" && target !== ".");
  if (offered.length === 0) throw notFound(name, `${name} is not offered`);
  return ordered(offered, entropy)
    .slice(0, childrenPerNodeMax)
    .map(({ target, port }) => {
      const { multicast: _, ...common } = rest;
      return Object.freeze({ ...remoteEndpoint({ ...common, host: target, port }), domain: host! });
    });
}

/** Low priorities first, and within one each record as likely to be next as its weight says (RFC 2782). */
function ordered(records: readonly ServiceRecord[], entropy: Entropy): readonly ServiceRecord[] {
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const found: ServiceRecord[] = [];
  while (left.length > 0) {
    const equals = left.filter(({ priority }) => priority === left[0]!.priority);
    const sum = equals.reduce((total, { weight }) => total + weight, 0);
    let draw = numberBelow(sum + 1, entropy);
    const next = equals.find(({ weight }) => (draw -= weight) <= 0) ?? equals.at(-1)!;
    left.splice(left.indexOf(next), 1);
    found.push(next);
  }
  return found;
}

function numberBelow(limit: number, entropy: Entropy): number {
  const bytes = entropy.fill(new Uint8Array(4));
  return new DataView(bytes.buffer).getUint32(0) % limit;
}

const notFound = (at: string, message: string, cause?: unknown): TapsFailure =>
  new TapsFailure({ reason: "resolution-failed", message, at, ...(cause === undefined ? {} : { cause }) });
