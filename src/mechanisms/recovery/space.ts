import type { Instant } from "../../contract/index.js";
import { SentPackets, State } from "./sent-packets.js";

/** One packet number space. */
export class Space {
  readonly packets = new SentPackets();
  largestAcked = -1;
  largestAckedSentAt: Instant = 0;
  /** Packets outstanding that ask for an acknowledgement. */
  eliciting = 0;
  elicitingSentAt: Instant = 0;
  lossAt: Instant | undefined;
  hasKeys = false;
  /** No packet below is outstanding. */
  scan = 0;

  /**
   * Was everything sent that these ranges tell of?
   *
   * @param bounds pairs of the first and last number of each range, the highest range first
   * @param count of pairs
   */
  hasSent(bounds: Float64Array, count: number): boolean {
    const { packets } = this;
    if (count === 0 || bounds[1]! >= packets.next) return false;
    for (let i = 0; i < count; i++) {
      const last = bounds[2 * i + 1]!;
      for (let number = Math.max(bounds[2 * i]!, packets.base); number <= last; number++) {
        if (packets.state(number) === State.skipped) return false;
      }
    }
    return true;
  }

  /** Forgets numbers at the bottom about which nothing more will be heard; those lost are remembered for so long. */
  forgetSettled(now: Instant, keptMs: number): void {
    const { packets } = this;
    while (packets.base < packets.next) {
      const state = packets.state(packets.base);
      if (state === State.outstanding) return;
      if (state === State.lost && now - packets.at(packets.base) < keptMs) return;
      packets.forgetFirst();
    }
  }
}

/** In the place of spaces whose keys were dropped, for all connections: nothing is sent in it, nor acknowledged. */
export const spent: Space = new Space();
spent.packets.close();
