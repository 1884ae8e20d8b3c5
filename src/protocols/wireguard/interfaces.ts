import type {
  CryptoProvider,
  Entropy,
  Instant,
  KeyLog,
  Question,
  Secret,
  SocketAddress,
} from "../../contract/index.js";
import type { PeerConfig } from "./peer.js";

export interface WireGuardConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Our identity, an X25519 private key of 32 bytes (IPK). */
  readonly privateKey: Secret;
  readonly peers?: readonly PeerConfig[];
  /** Largest inner packet in bytes; padding never passes it. Default 1420. */
  readonly mtu?: number;
  /** Ask the application about unknown peers (IV); by default they are refused. */
  readonly acceptUnknownPeers?: boolean;
  /** Inner packets straight from a stack, instead of one `packet` input for each. */
  readonly source?: PacketSource;
  readonly keyLog?: KeyLog;
}

/** Gives inner packets where they are wanted, so that they are sealed in place. */
export interface PacketSource {
  /** Writes one packet at `at` in `into`, `mtu` bytes at the most, and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number;
}

export type WireGuardInput =
  /** One inner IP packet to send. The machine may hold it until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  | { readonly kind: "add-peer"; readonly peer: PeerConfig }
  | { readonly kind: "remove-peer"; readonly publicKey: Uint8Array }
  /** Shake hands with a peer now, whether or not there is something to send. */
  | { readonly kind: "initiate"; readonly publicKey: Uint8Array }
  /** The peer is known to be elsewhere by other means, a name looked up anew: shake hands with it there. */
  | { readonly kind: "endpoint"; readonly publicKey: Uint8Array; readonly endpoint: SocketAddress }
  | { readonly kind: "close" };

export type WireGuardAsks = {
  /** May this unknown peer come in, and with which inner addresses? Undefined refuses. */
  "accept-peer": {
    ask: { readonly publicKey: Uint8Array; readonly from: SocketAddress };
    answer: Omit<PeerConfig, "publicKey">;
  };
};

export type WireGuardEvent =
  /**
   * Inner packets, in place in the bytes of the input. Packet `i` is `bytes[ranges[2i] … ranges[2i+1])`; the event is
   * the machine's and good until its next input.
   */
  | { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number }
  | { readonly kind: "session"; readonly publicKey: Uint8Array; readonly initiator: boolean }
  | { readonly kind: "moved"; readonly publicKey: Uint8Array; readonly from: SocketAddress; readonly to: SocketAddress }
  /** An initiation got no answer in five seconds, and another goes out. */
  | { readonly kind: "retrying"; readonly publicKey: Uint8Array }
  /** Ninety seconds without an answer: what waited for the peer is dropped. */
  | { readonly kind: "unanswered"; readonly publicKey: Uint8Array }
  /** The peer's keys came to their end and are wiped. */
  | { readonly kind: "expired"; readonly publicKey: Uint8Array }
  | Question<WireGuardAsks>;
