import type { Instant } from "../../contract/index.js";
import type { ControllerFactory } from "../congestion/index.js";

/**
 * Hears what became of what packets held. It is called while an acknowledgement or a timeout is worked through, and must
 * not call recovery. The same thing may be told as lost, and as acknowledged later: then the loss was none.
 */
export interface SentContents {
  acknowledged(space: number, kind: number, id: number, from: number, to: number): void;
  lost(space: number, kind: number, id: number, from: number, to: number): void;
  /** A packet was found lost: for traces. What it held is told apart from it. */
  packetLost?(space: number, number: number, now: Instant): void;
}

export interface RecoveryOptions {
  /** Packet number spaces, in the order of the handshake; only the last carries application data. */
  readonly spaces: number;
  readonly isClient: boolean;
  /** Bytes of a full packet. */
  readonly packetSize: number;
  readonly controller: ControllerFactory;
  readonly contents: SentContents;
  /** Spread packets over time. Default true. */
  readonly pacing?: boolean;
  /** Default 333, RFC 9002 §6.2.2. */
  readonly initialRttMs?: number;
}
