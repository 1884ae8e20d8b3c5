import type { Instant } from "../../contract/index.js";

/** Moments of sending that are remembered; sends closer together share one. */
const checkpointsMax = 1_024;

/**
 * How fast the path delivers (draft-ietf-ccwg-bbr §4.1): bytes acknowledged between the sending of a packet and its
 * acknowledgement, over the longer of the times that sending and acknowledging them took. What there was to know when a
 * packet left is found by the moment at which it left, so nothing is kept per packet.
 */
export class DeliveryRate {
  /** Bytes acknowledged so far. */
  delivered = 0;
  #deliveredAt: Instant = 0;
  #firstSentAt: Instant = 0;
  #count = 0;
  readonly #at = new Float64Array(checkpointsMax);
  readonly #delivered = new Float64Array(checkpointsMax);
  readonly #deliveredAts = new Float64Array(checkpointsMax);
  readonly #firstSentAts = new Float64Array(checkpointsMax);

  /** @param isFirst nothing else is in flight @param grainMs sends closer together share what they knew */
  sent(isFirst: boolean, grainMs: number, now: Instant): void {
    if (isFirst) this.#firstSentAt = this.#deliveredAt = now;
    if (this.#count > 0 && now - this.#at[this.#slot(this.#count - 1)]! <= grainMs && !isFirst) return;
    const slot = this.#slot(this.#count++);
    this.#at[slot] = now;
    this.#delivered[slot] = this.delivered;
    this.#deliveredAts[slot] = this.#deliveredAt;
    this.#firstSentAts[slot] = this.#firstSentAt;
  }

  /**
   * Bytes were acknowledged, the newest of which left at that moment.
   * @returns bytes a millisecond; 0 if the sample says nothing, being shorter than a round trip
   */
  acknowledged(bytes: number, sentAt: Instant, minRttMs: number, now: Instant): number {
    this.delivered += bytes;
    this.#deliveredAt = now;
    const slot = this.#find(sentAt);
    if (slot < 0) return 0;
    const sendMs = sentAt - this.#firstSentAts[slot]!;
    this.#firstSentAt = Math.max(this.#firstSentAt, sentAt);
    const intervalMs = Math.max(sendMs, now - this.#deliveredAts[slot]!);
    return intervalMs < minRttMs || intervalMs <= 0 ? 0 : (this.delivered - this.#delivered[slot]!) / intervalMs;
  }

  /** Bytes that had been delivered when a packet left. */
  deliveredBefore(sentAt: Instant): number {
    const slot = this.#find(sentAt);
    return slot < 0 ? this.delivered : this.#delivered[slot]!;
  }

  #slot(index: number): number {
    return index % checkpointsMax;
  }

  /** The last checkpoint not after that moment; -1 if it is too long ago. */
  #find(sentAt: Instant): number {
    let low = Math.max(0, this.#count - checkpointsMax);
    let high = this.#count - 1;
    if (high < 0 || this.#at[this.#slot(low)]! > sentAt) return -1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#at[this.#slot(middle)]! <= sentAt) low = middle;
      else high = middle - 1;
    }
    return this.#slot(low);
  }
}
