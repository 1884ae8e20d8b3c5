import type { Instant } from "../../contract/index.js";
import type { RttEstimator } from "./rtt.js";

/**
 * How much may be on the way: one interface for TCP and QUIC. The caller tells what was sent, acknowledged and lost, and
 * keeps `inFlight`; the controller answers with a window and a pace. A packet belongs to a round by the moment at which
 * it was sent, as RFC 9002 §7 has it, so no packet numbers are needed.
 */
export interface CongestionController {
  readonly name: string;
  /** Bytes that may be in flight. */
  readonly window: number;
  /** Infinite until the first congestion. */
  readonly slowStartThreshold: number;
  /** Bytes a millisecond; infinite if it does not pace. */
  readonly pacingRate: number;

  sent(bytes: number, inFlight: number, now: Instant): void;
  /**
   * @param sentAt when the newest acknowledged packet was sent
   * @param inFlight before this acknowledgement
   * @param limited the sender had nothing to send, so the window says nothing about the path (RFC 9002 §7.8)
   */
  acknowledged(
    bytes: number,
    sentAt: Instant,
    inFlight: number,
    rtt: RttEstimator,
    now: Instant,
    limited: boolean,
  ): void;
  /** So many bytes were found lost, the newest sent at that moment; told before `congested`. */
  lost(bytes: number, sentAt: Instant, now: Instant): void;
  /** Loss or a CE mark on a packet sent at that moment; it counts once a round trip. */
  congested(sentAt: Instant, inFlight: number, cause: "loss" | "ecn", now: Instant): void;
  /** Everything in flight is given up: a retransmission timeout, or persistent congestion. */
  collapsed(inFlight: number, now: Instant): void;
  /** The last congestion was none: what had been lost arrived after all. */
  undo(): void;
  /** Another maximum for a packet, or another path. */
  setPacketSize(bytes: number): void;
}

/** Makes a controller for packets of this many bytes. */
export type ControllerFactory = (packetSize: number) => CongestionController;

/** RFC 6928: ten packets, but no more than fourteen thousand bytes unless two packets are more. */
export function initialWindow(packetSize: number): number {
  return Math.min(10 * packetSize, Math.max(2 * packetSize, 14_600));
}
