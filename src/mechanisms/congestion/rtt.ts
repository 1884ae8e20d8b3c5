/** Round-trip estimation (RFC 6298 §2, RFC 9002 §5). Times are in milliseconds. */
export class RttEstimator {
  /** Before the first sample it is the initial guess. */
  smoothedMs: number;
  variationMs: number;
  latestMs = 0;
  /** Least of all samples; infinite before the first. */
  minMs: number = Number.POSITIVE_INFINITY;
  #sampled = false;

  constructor(initialMs: number) {
    this.smoothedMs = initialMs;
    this.variationMs = initialMs / 2;
  }

  get sampled(): boolean {
    return this.#sampled;
  }

  /** @param delayMs time that the peer says it waited before it answered; taken off as far as it is credible */
  sample(rttMs: number, delayMs = 0): void {
    this.latestMs = rttMs;
    this.minMs = Math.min(this.minMs, rttMs);
    const adjusted = rttMs - delayMs >= this.minMs ? rttMs - delayMs : rttMs;
    if (this.#sampled) {
      this.variationMs += (Math.abs(this.smoothedMs - adjusted) - this.variationMs) / 4;
      this.smoothedMs += (adjusted - this.smoothedMs) / 8;
    } else {
      this.#sampled = true;
      this.smoothedMs = adjusted;
      this.variationMs = adjusted / 2;
    }
  }

  /** smoothed + 4 × variation, with at least a clock tick for the variation. */
  timeoutMs(granularityMs = 1): number {
    return this.smoothedMs + Math.max(granularityMs, 4 * this.variationMs);
  }

  /** Another path: what was learned no longer holds (RFC 9000 §9.4). */
  reset(initialMs: number): void {
    this.smoothedMs = initialMs;
    this.variationMs = initialMs / 2;
    this.minMs = Number.POSITIVE_INFINITY;
    this.#sampled = false;
  }
}
