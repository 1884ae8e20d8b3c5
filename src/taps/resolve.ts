import { addressFamily, formatAddress, parseAddress } from "../bytes/index.js";
import { Failure, type Host, type Network } from "../contract/index.js";
import type { ConnectionCache } from "./cache.js";
import type { RemoteEndpoint } from "./endpoint.js";
import { TapsFailure } from "./failure.js";
import { childrenPerNodeMax } from "./limits.js";

export interface Resolution {
  /** Addresses so far, in the order in which they should be tried. */
  readonly addresses: readonly string[];
  /** Is more to come? */
  readonly pending: boolean;
  readonly failure: TapsFailure | undefined;
}

/** What a resolver needs of those who wait for it. */
export interface ResolveRequest {
  readonly host: Host;
  readonly network: Network;
  readonly cache: ConnectionCache;
  readonly resolutionDelayMs: number;
  readonly signal: AbortSignal;
}

/**
 * Both families at once (RFC 8305 §3): IPv6 answers are used as they come; IPv4 answers wait a little for IPv6. `told`
 * is called whenever there is something new, and last when all is known.
 */
export function resolveEndpoint(
  remote: RemoteEndpoint,
  request: ResolveRequest,
  told: (resolution: Resolution) => void,
): void {
  if (remote.address !== undefined) {
    told({ addresses: [remote.address], pending: false, failure: undefined });
    return;
  }
  const { host, network, cache, resolutionDelayMs, signal } = request;
  const name = remote.host!;
  const key = `${network.name} ${name.toLowerCase()}`;
  const known = cache.addresses(key, host.now());
  if (known !== undefined) {
    told({ addresses: known, pending: false, failure: undefined });
    return;
  }
  const found: Record<4 | 6, readonly string[] | undefined> = { 4: undefined, 6: undefined };
  let failure: unknown;
  let usable = false;
  const tell = () => {
    const pending = found[4] === undefined || found[6] === undefined;
    const addresses = interleave(found[6] ?? [], found[4] ?? [], hasWayOut(network, 6)).slice(0, childrenPerNodeMax);
    if (!pending && addresses.length > 0) cache.learnAddresses(key, addresses, host.now());
    told({ addresses, pending, failure: !pending && addresses.length === 0 ? notResolved(name, failure) : undefined });
  };
  const learned = (family: 4 | 6, addresses: readonly string[]) => {
    if (signal.aborted) return;
    found[family] = addresses.filter((each) => addressFamily(each) === family).map(canonical);
    const complete = found[4] !== undefined && found[6] !== undefined;
    if (usable || complete || (family === 6 && addresses.length > 0)) {
      usable = true;
      tell();
    } else if (addresses.length > 0) {
      // RFC 8305 §3: IPv4 came first; IPv6 is given a moment to catch up.
      host.wakeAt(host.now() + resolutionDelayMs, () => {
        if (usable || signal.aborted) return;
        usable = true;
        tell();
      });
    }
  };
  for (const family of [6, 4] as const) {
    network.resolve(name, { family, signal }).then(
      (addresses) => learned(family, addresses),
      (error: unknown) => {
        failure = error;
        learned(family, []);
      },
    );
  }
}

/** First the family that is more likely to work, then by turns (RFC 8305 §4). */
function interleave(six: readonly string[], four: readonly string[], sixFirst: boolean): readonly string[] {
  const [first, second] = sixFirst ? [six, four] : [four, six];
  const mixed: string[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    for (const list of [first, second]) if (list[i] !== undefined) mixed.push(list[i]!);
  }
  return mixed;
}

/** Does any interface but the loopback have an address of the family with more than link scope? */
function hasWayOut(network: Network, family: 4 | 6): boolean {
  const reaches = network
    .interfaces()
    .filter(({ type }) => type !== "loopback")
    .flatMap(({ addresses }) => addresses)
    .filter(({ address }) => !address.startsWith("fe80:"));
  return reaches.length === 0 || reaches.some(({ address }) => addressFamily(address) === family);
}

function canonical(address: string): string {
  return formatAddress(parseAddress(address)!);
}

function notResolved(name: string, cause: unknown): TapsFailure {
  return new TapsFailure({
    reason: "resolution-failed",
    message: cause instanceof Failure ? cause.message : `${name} has no address`,
    at: name,
    ...(cause === undefined ? {} : { cause }),
  });
}
