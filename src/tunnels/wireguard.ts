import {
  type Host,
  type Instant,
  type Network,
  networkFailure,
  type Secret,
  type SocketAddress,
} from "../contract/index.js";
import type { WireGuardAsks, WireGuardEvent, WireGuardInput } from "../protocols/wireguard/index.js";
import { type PeerStatus, parseWgQuick, type WgQuickFile, WireGuard } from "../protocols/wireguard/index.js";
import { Stack } from "../stack/index.js";
import { EndpointNames, outsideFamily, withEndpoint } from "./endpoints.js";
import { mtuDefault, sessionLifetimeMs } from "./limits.js";
import type { OpenedTunnel } from "./opened.js";
import { type PacketTap, tapped } from "./packet-tunnel.js";
import { type DnsCodecSource, Resolver } from "./resolver.js";
import { Tunnel, type TunnelHandlers } from "./tunnel.js";

export interface WireGuardTunnelOptions {
  /** Shown as the network's and its interface's name. Default "wireguard". */
  readonly name?: string;
  /** The network outside. Default: the host's own. */
  readonly network?: Network;
  /** Address outside to bind. Default: any, of the peers' family. */
  readonly localAddress?: string;
  /** In place of, or beside, the file's `PrivateKey`. */
  readonly privateKey?: Secret;
  readonly dns?: DnsCodecSource;
  /** Lets unknown peers in, each with its inner addresses (IV). */
  readonly acceptPeer?: (
    peer: WireGuardAsks["accept-peer"]["ask"],
    signal: AbortSignal,
  ) => WireGuardAsks["accept-peer"]["answer"] | undefined | Promise<WireGuardAsks["accept-peer"]["answer"] | undefined>;
  readonly on?: TunnelHandlers<WireGuardEvent>["event"];
  /** Sees the packets inside, decrypted. */
  readonly tap?: PacketTap;
}

/** A WireGuard tunnel that is up: the network inside, and how it is doing. */
export interface WireGuardTunnel extends OpenedTunnel {
  readonly file: WgQuickFile;
  handle(input: WireGuardInput): void;
  /** Goes on from another port, as after a change of network: the peers follow (ME). Answers the new address. */
  rebind(local?: SocketAddress): Promise<SocketAddress>;
}

/**
 * Brings up a tunnel from a wg-quick file. Nothing is sent before something inside wants to be, unless a peer has a
 * persistent keepalive. Rejects with `misuse/bad-configuration` or the outer network's failure.
 */
export async function openWireGuard(
  host: Host,
  source: string | WgQuickFile,
  options: WireGuardTunnelOptions = {},
): Promise<WireGuardTunnel> {
  const file = typeof source === "string" ? parseWgQuick(source) : source;
  const outside = options.network ?? host.network;
  const privateKey = options.privateKey ?? file.interface.privateKey;
  if (privateKey === undefined) {
    throw networkFailure("not-supported", "the file has no PrivateKey and none was given", {
      hint: "give the key by option, file or environment",
    });
  }
  const name = options.name ?? "wireguard";
  const peers = await Promise.all(file.peers.map((peer) => withEndpoint(outside, peer)));
  const mtu = file.interface.mtu ?? mtuDefault;
  const stack = new Stack({ crypto: host.crypto, entropy: host.entropy, addresses: file.interface.addresses, mtu });
  const machine = new WireGuard(
    {
      crypto: host.crypto,
      entropy: host.entropy,
      privateKey,
      peers,
      mtu,
      source: tapped(stack, options.tap),
      acceptUnknownPeers: options.acceptPeer !== undefined,
      ...(host.keyLog && { keyLog: host.keyLog }),
    },
    host.now(),
  );
  let open: Tunnel<WireGuardInput, WireGuardEvent> | undefined;
  const names = new EndpointNames(outside, file, (input) => open?.handle(input));
  const tunnel: Tunnel<WireGuardInput, WireGuardEvent> = new Tunnel<WireGuardInput, WireGuardEvent>(
    host,
    name,
    machine,
    stack,
    (network) => {
      const resolver = new Resolver(host, network, file.interface.dns, file.interface.searchDomains, options.dns);
      return (text, resolveOptions) => resolver.resolve(text, resolveOptions);
    },
    {
      event: (event) => {
        if (event.kind === "retrying") names.lookUpAgain(event.publicKey);
        options.on?.(event);
      },
      ...(options.acceptPeer && {
        answer: (question, signal) => options.acceptPeer!(question, signal),
      }),
      tap: options.tap,
    },
  );
  open = tunnel;
  const family = outsideFamily(peers);
  const local = await tunnel.open(outside, {
    address: options.localAddress ?? family,
    port: file.interface.listenPort ?? 0,
  });
  return {
    name,
    protocol: "WireGuard",
    network: tunnel.network,
    stack,
    publicKey: machine.publicKey,
    local,
    file,
    warnings: file.warnings,
    status: () => {
      const peers = machine.status();
      return { isUp: isUp(peers, host.now()), peers, drops: { ...machine.drops, ...stack.drops }, mtu };
    },
    handshake: () => {
      for (const { publicKey } of file.peers) tunnel.handle({ kind: "initiate", publicKey });
    },
    handle: (input) => tunnel.handle(input),
    rebind: (address) => tunnel.rebind(outside, address ?? { address: family, port: 0 }),
    ping: (address, options) => tunnel.ping(address, options),
    close: () => {
      tunnel.handle({ kind: "close" });
      tunnel.close();
    },
  };
}

/** Has any peer a session that is young enough to be used? */
export function isUp(peers: readonly PeerStatus[], now: Instant): boolean {
  const last = Math.max(0, ...peers.map(({ lastHandshakeAt }) => lastHandshakeAt ?? 0));
  return last > 0 && now - last < sessionLifetimeMs;
}
