import type { Instant } from "../contract/index.js";

/** Bursts are never smaller, as RFC 9002 §7.7 recommends. */
const burstPacketsMin = 10;
/** And hold as much as is due in this time, for timers and batches are no finer. */
const burstMs = 2;
/** An instant cannot be told more exactly: what is due within it is due. */
const clockGrainMs = 0.001;

/**
 * Spreads packets over time (RFC 9002 §7.7): a token bucket whose rate is whatever the congestion controller says at the
 * moment. An infinite rate lets everything through.
 */
export class Pacer {
  #packetSize: number;
  #tokens: number;
  #at: Instant = Number.NEGATIVE_INFINITY;

  constructor(packetSize: number) {
    this.#packetSize = packetSize;
    this.#tokens = burstPacketsMin * packetSize;
  }

  setPacketSize(bytes: number): void {
    this.#packetSize = bytes;
  }

  /** Bytes that may go now, at a rate in bytes a millisecond. */
  allowance(now: Instant, rate: number): number {
    if (rate === Number.POSITIVE_INFINITY) return rate;
    const burst = this.#burst(rate);
    if (now - this.#at > 0) {
      this.#tokens = Math.min(burst, this.#tokens + (now - this.#at) * rate);
      this.#at = now;
    }
    return this.#tokens + clockGrainMs * rate;
  }

  sent(bytes: number, now: Instant, rate: number): void {
    if (this.allowance(now, rate) === Number.POSITIVE_INFINITY) return;
    // Probes go out whatever the bucket says; the debt has an end.
    this.#tokens = Math.max(this.#tokens - bytes, -this.#burst(rate));
  }

  /** When a whole packet may go. */
  readyAt(now: Instant, rate: number): Instant {
    if (this.allowance(now, rate) >= this.#packetSize) return now;
    return now + (this.#packetSize - this.#tokens) / rate;
  }

  #burst(rate: number): number {
    return Math.max(burstPacketsMin * this.#packetSize, burstMs * rate);
  }
}
