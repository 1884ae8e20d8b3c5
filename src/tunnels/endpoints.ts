import { formatAddress, type Prefix, parseAddress, toHex } from "../bytes/index.js";
import type { Network } from "../contract/index.js";
import type { PeerConfig, WgQuickFile, WireGuardInput } from "../protocols/wireguard/index.js";

/** The file's peer with its endpoint as a number, looked up outside if it is a name. */
export async function withEndpoint(outside: Network, peer: WgQuickFile["peers"][number]): Promise<PeerConfig> {
  const { publicKey, preSharedKey, allowedIps, endpoint, persistentKeepaliveMs } = peer;
  const address = endpoint && (parseAddress(endpoint.host) ? endpoint.host : (await outside.resolve(endpoint.host))[0]);
  return {
    publicKey,
    allowedIps: allowedIps as readonly Prefix[],
    ...(preSharedKey && { preSharedKey }),
    ...(persistentKeepaliveMs && { persistentKeepaliveMs }),
    ...(address && endpoint && { endpoint: { address: formatAddress(parseAddress(address)!), port: endpoint.port } }),
  };
}

/** Peers that the file names and does not number: where they are is asked again when they do not answer. */
export class EndpointNames {
  readonly #outside: Network;
  readonly #file: WgQuickFile;
  readonly #tell: (input: WireGuardInput) => void;
  readonly #asking = new Set<string>();

  constructor(outside: Network, file: WgQuickFile, tell: (input: WireGuardInput) => void) {
    this.#outside = outside;
    this.#file = file;
    this.#tell = tell;
  }

  lookUpAgain(publicKey: Uint8Array): void {
    const key = toHex(publicKey);
    const { endpoint } = this.#file.peers.find((peer) => toHex(peer.publicKey) === key) ?? {};
    if (endpoint === undefined || parseAddress(endpoint.host) !== undefined || this.#asking.has(key)) return;
    this.#asking.add(key);
    this.#outside
      .resolve(endpoint.host)
      .then(
        ([address]) => {
          if (address === undefined) return;
          this.#tell({ kind: "endpoint", publicKey, endpoint: { address, port: endpoint.port } });
        },
        // The old address is as good as none: the next retry asks again.
        () => {},
      )
      .finally(() => this.#asking.delete(key));
  }
}

/** Any address of the family that the peers are reached by; IPv6 hears both. */
export function outsideFamily(peers: readonly PeerConfig[]): "::" | "0.0.0.0" {
  return peers.find(({ endpoint }) => endpoint)?.endpoint?.address.includes(":") ? "::" : "0.0.0.0";
}
