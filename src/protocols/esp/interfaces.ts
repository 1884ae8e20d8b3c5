import type { CryptoProvider, Entropy, Instant, KeyLog, SocketAddress, Trace } from "../../contract/index.js";
import type { PacketsEvent } from "../../mechanisms/packets/inbound.js";
import type { PacketSource } from "../../mechanisms/packets/staged.js";
import type { AssociationPair } from "./association.js";

export interface EspConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Largest inner packet in bytes. Default 1360. */
  readonly mtu?: number | undefined;
  /** Inner packets straight from a stack or a device, instead of one `packet` input for each. */
  readonly source?: PacketSource | undefined;
  /**
   * Milliseconds of silence after which a pair that is encapsulated in UDP sends a keepalive (RFC 3948 §4). Default 20,000;
   * zero sends none.
   */
  readonly keepaliveMs?: number | undefined;
  readonly keyLog?: KeyLog | undefined;
  readonly trace?: Trace | undefined;
}

export type EspInput =
  /** From now on packets are opened by it, and sealed as `begins` says. Throws `misuse` for what cannot be. */
  | { readonly kind: "install"; readonly pair: AssociationPair }
  /**
   * The pair is gone, with its keys. `gently` lets it receive for five more seconds what was on its way already. The next
   * pair for the same traffic, if there is one, sends.
   */
  | { readonly kind: "remove"; readonly spiIn: number; readonly gently?: boolean | undefined }
  /** The peer is elsewhere outside (RFC 4555 §3.5). */
  | { readonly kind: "move"; readonly spiIn: number; readonly peer: SocketAddress }
  /** One inner packet to send. The machine may hold it until it is transmitted. */
  | { readonly kind: "packet"; readonly bytes: Uint8Array }
  | { readonly kind: "close" };

/** Which limit of a lifetime was reached; `sequence`, if numbers end before anything else does. */
export type LimitName = "bytes" | "packets" | "seconds" | "sequence";

export type EspEvent =
  /** Inner packets, in place in the bytes of the input; the event is the machine's and good until its next input. */
  | PacketsEvent
  /** What lies on the same port and is IKE's, marker included (RFC 3948 §2.2). Lent as the input was. */
  | { readonly kind: "ike"; readonly bytes: Uint8Array; readonly from: SocketAddress; readonly to: SocketAddress }
  /** KE: a soft limit was reached. The pair goes on; it is time for another. */
  | { readonly kind: "expiring"; readonly spiIn: number; readonly limit: LimitName }
  /** KE: a hard limit was reached. The pair is gone. */
  | { readonly kind: "expired"; readonly spiIn: number; readonly limit: LimitName }
  /** ME: what is authentic came from elsewhere. Packets go there only if the pair `follows`, or it is told to `move`. */
  | { readonly kind: "moved"; readonly spiIn: number; readonly from: SocketAddress; readonly to: SocketAddress }
  /** A pair that took over began to send: what it replaced is needed no more. */
  | { readonly kind: "began"; readonly spiIn: number };

/** How a pair is doing. */
export interface PairStatus {
  readonly spiIn: number;
  readonly spiOut: number;
  readonly peer: SocketAddress;
  readonly sends: boolean;
  readonly bornAt: Instant;
  /** When something authentic came last. */
  readonly receivedAt: Instant | undefined;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  /** Of inner packets. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}
