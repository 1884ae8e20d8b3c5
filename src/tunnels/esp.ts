import type { Prefix } from "../bytes/index.js";
import type { Host, Network, SocketAddress } from "../contract/index.js";
import {
  type AssociationPair,
  Esp,
  type EspAlgorithms,
  type EspEvent,
  type EspInput,
  espSuite,
  innerSize,
  type PairStatus,
} from "../protocols/esp/index.js";
import { Stack } from "../stack/index.js";
import { outerPacketSize, udpHeadersSize } from "./limits.js";
import type { OpenedTunnel } from "./opened.js";
import { type PacketTap, tapped } from "./packet-tunnel.js";
import { type DnsCodecSource, Resolver } from "./resolver.js";
import { Tunnel } from "./tunnel.js";

export interface EspTunnelOptions {
  /** Shown as the network's and its interface's name. Default "esp". */
  readonly name?: string | undefined;
  /** The network outside. Default: the host's own. */
  readonly network?: Network | undefined;
  /** Address and port outside to bind. Default: any, of IPv4. */
  readonly local?: SocketAddress | undefined;
  /** Our addresses inside. */
  readonly addresses: readonly Prefix[];
  /** Associations with keys that were made elsewhere (PSKI). More may be installed later, by `handle`. */
  readonly pairs: readonly AssociationPair[];
  /** Largest inner packet in bytes. Default: what fits 1,500 bytes outside under the pairs' suites. */
  readonly mtu?: number | undefined;
  readonly dns?: { readonly servers: readonly string[]; readonly codec: DnsCodecSource } | undefined;
  readonly on?: ((event: Exclude<EspEvent, { readonly kind: "packets" }>) => void) | undefined;
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap | undefined;
}

/** A tunnel with keys that were made elsewhere. */
export interface EspTunnel extends OpenedTunnel {
  handle(input: EspInput): void;
  pairs(): readonly PairStatus[];
  /** Goes on from another port, as after a change of network. Answers the new address. */
  rebind(local?: SocketAddress): Promise<SocketAddress>;
}

/**
 * Opens a tunnel of ESP in UDP (RFC 3948) whose keys were made elsewhere: manual keying (RFC 4301 §4.5.1), or a key exchange of
 * the caller's own. Nothing renews them here: `expiring` asks for it. Rejects with `misuse`, or the outer network's failure.
 */
export async function openEsp(host: Host, options: EspTunnelOptions): Promise<EspTunnel> {
  const { addresses, pairs } = options;
  const mtu = options.mtu ?? espMtu(pairs.map(({ algorithms }) => algorithms));
  const stack = new Stack({ crypto: host.crypto, entropy: host.entropy, addresses, mtu });
  const machine = new Esp({
    crypto: host.crypto,
    entropy: host.entropy,
    mtu,
    source: tapped(stack, options.tap),
    keyLog: host.keyLog,
    trace: host.trace,
  });
  for (const pair of pairs) machine.handle({ kind: "install", pair }, host.now());
  const name = options.name ?? "esp";
  const tunnel: Tunnel<EspInput, EspEvent> = new Tunnel<EspInput, EspEvent>(
    host,
    name,
    machine,
    stack,
    (network) => {
      const resolver = new Resolver(host, network, options.dns?.servers ?? [], [], options.dns?.codec);
      return (text, resolveOptions) => resolver.resolve(text, resolveOptions);
    },
    {
      event: (event) => {
        if (event.kind !== "packets") options.on?.(event);
      },
      tap: options.tap,
    },
  );
  const outside = options.network ?? host.network;
  const anywhere = { address: "0.0.0.0", port: 0 };
  let local = await tunnel.open(outside, options.local ?? anywhere);
  return {
    name,
    protocol: "ESP",
    network: tunnel.network,
    stack,
    publicKey: new Uint8Array(0),
    get local() {
      return local;
    },
    warnings: [],
    pairs: () => machine.status(),
    status: () => ({
      isUp: machine.canSend,
      peers: machine.status().map((pair) => ({
        publicKey: new Uint8Array(0),
        endpoint: pair.peer,
        lastHandshakeAt: pair.bornAt,
        handshakes: 1,
        bytesSent: pair.bytesSent,
        bytesReceived: pair.bytesReceived,
        packetsSent: pair.packetsSent,
        packetsReceived: pair.packetsReceived,
      })),
      drops: { ...machine.drops, ...stack.drops },
      mtu,
    }),
    handshake: () => {},
    handle: (input) => tunnel.handle(input),
    rebind: async (to) => {
      local = await tunnel.rebind(outside, to ?? anywhere);
      return local;
    },
    ping: (address, options) => tunnel.ping(address, options),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** Bytes of the largest inner packet that fits a path of 1,500 bytes outside under every one of these suites. */
export function espMtu(all: readonly EspAlgorithms[]): number {
  const sizes = all.map((algorithms) => {
    const suite = espSuite(algorithms);
    return suite === undefined ? outerPacketSize : innerSize(suite, outerPacketSize - udpHeadersSize);
  });
  return Math.min(outerPacketSize, ...sizes);
}
