import { toBase64 } from "../../bytes/index.js";
import type { Instant, SocketAddress } from "../../contract/index.js";
import type { PeerState } from "../../tunnels/index.js";

export interface TunnelPeerStatus {
  /** In base64: WireGuard's key, or SHA-256 of the public key in an OpenVPN peer's certificate. */
  readonly publicKey: string;
  readonly endpoint: SocketAddress | undefined;
  readonly lastHandshakeAt: Instant | undefined;
  readonly handshakes: number;
  readonly rekeys: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
}

export interface TunnelStatus {
  readonly name: string;
  /** Has any peer a session that is young enough to be used? */
  readonly isUp: boolean;
  readonly mtu: number;
  readonly addresses: readonly string[];
  readonly peers: readonly TunnelPeerStatus[];
  /** Newest handshake of any peer. */
  readonly lastHandshakeAt: Instant | undefined;
  /** Of the last answered `ping`, in milliseconds. */
  readonly rttMs: number | undefined;
  /** Of the last pings, the share that was not answered. */
  readonly lossRatio: number | undefined;
  /** Connections that are open inside. */
  readonly connections: number;
  /** Packets that were dropped, by reason; zeros are left out. */
  readonly drops: Readonly<Record<string, number>>;
}

/** As the protocol has them, with keys in base64. */
export function peerStatuses(peers: readonly PeerState[]): readonly TunnelPeerStatus[] {
  return peers.map(({ publicKey, handshakes, ...rest }) => ({
    publicKey: toBase64(publicKey),
    handshakes,
    rekeys: Math.max(0, handshakes - 1),
    ...rest,
  }));
}

export function dropsThatHappened(drops: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0));
}
