import type { Prefix } from "../bytes/index.js";
import type { Failure, Instant, Network, SocketAddress } from "../contract/index.js";
import type { Stack } from "../stack/index.js";

/** What is known of a peer, whichever protocol it speaks. */
export interface PeerState {
  /** Its key: WireGuard's own, or SHA-256 of the SubjectPublicKeyInfo in its certificate; empty before it is known. */
  readonly publicKey: Uint8Array;
  readonly endpoint: SocketAddress | undefined;
  readonly lastHandshakeAt: Instant | undefined;
  readonly handshakes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
}

export interface TunnelState {
  /** Has a peer keys that are good to send with? */
  readonly isUp: boolean;
  readonly peers: readonly PeerState[];
  readonly drops: Readonly<Record<string, number>>;
  /** Bytes of the largest packet inside. */
  readonly mtu: number;
}

/** What happens to a tunnel, whichever protocol it speaks. */
export type TunnelNotice =
  | { readonly kind: "session"; readonly publicKey: Uint8Array; readonly initiator: boolean }
  | { readonly kind: "moved"; readonly publicKey: Uint8Array; readonly from: SocketAddress; readonly to: SocketAddress }
  | { readonly kind: "retrying"; readonly publicKey: Uint8Array; readonly failure?: Failure }
  | { readonly kind: "unanswered"; readonly publicKey: Uint8Array }
  | { readonly kind: "expired"; readonly publicKey: Uint8Array }
  /** Something that a peer says to people. */
  | { readonly kind: "notice"; readonly text: string }
  /** The tunnel is over, and this is why. */
  | { readonly kind: "failed"; readonly failure: Failure };

/** A line of the file that has no effect. */
export interface FileWarning {
  readonly line: number;
  readonly message: string;
}

/** What every tunnel has, whatever its inside is. */
interface Opened {
  /** The protocol's name. */
  readonly protocol: string;
  /** Ours, as `PeerState` has it; empty if we have none. */
  readonly publicKey: Uint8Array;
  /** The address outside. */
  readonly local: SocketAddress;
  readonly warnings: readonly FileWarning[];
  status(): TunnelState;
  /** Shakes hands now, without waiting for traffic. */
  handshake(): void;
  close(): void;
}

/** A tunnel that is up, as faces need it: none of them knows which protocol it is. */
export interface OpenedTunnel extends Opened {
  readonly name: string;
  readonly network: Network;
  readonly stack: Stack;
  /** Milliseconds to an echo's answer; rejects after a second. */
  ping(address: string, options?: { readonly timeoutMs?: number }): Promise<number>;
}

/** A tunnel whose inside is a device of the operating system, which is to be set up as `inside` says. */
export interface OpenedDevice extends Opened {
  inside(): {
    readonly addresses: readonly Prefix[];
    readonly routes: readonly Prefix[];
    /** Where routes go: nowhere, a table of their own, or where they belong. */
    readonly table: "off" | number | undefined;
    /** Bytes that the tunnel adds to each packet. */
    readonly overhead: number;
    /** Name servers inside, and the domains that they know by short names. */
    readonly dns: readonly string[];
    readonly searchDomains: readonly string[];
  };
}
