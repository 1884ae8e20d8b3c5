import type { Instant } from "../../contract/index.js";
import { type CongestionController, initialWindow } from "./controller.js";
import type { RttEstimator } from "./rtt.js";

/** RFC 9438 §4.6, §4.1: multiplicative decrease and the steepness of the curve (in packets per second cubed). */
const beta = 0.7;
const steepness = 0.4;
/** RFC 9438 §4.3: additive increase that gives the same average as Reno's. */
const friendlyIncrease = (3 * (1 - beta)) / (1 + beta);

/** HyStart++ (RFC 9406 §4.3). */
const rttSamplesMin = 8;
const rttThresholdMinMs = 4;
const rttThresholdMaxMs = 16;
const cautiousGrowthDivisor = 4;
const cautiousRounds = 5;

/** CUBIC (RFC 9438) with HyStart++ (RFC 9406). */
export class Cubic implements CongestionController {
  readonly name = "cubic";
  window: number;
  slowStartThreshold: number = Number.POSITIVE_INFINITY;

  #packetSize: number;
  #smoothedMs = 0;
  /** Packets sent up to this moment belong to the last congestion. */
  #recoveryStart: Instant = Number.NEGATIVE_INFINITY;
  /** Window before the last decrease, in bytes; the curve's plateau. */
  #maximum = 0;
  #epochStart: Instant | undefined;
  /** Milliseconds from the epoch to the plateau. */
  #plateauMs = 0;
  #friendly = 0;
  #before: { window: number; threshold: number; maximum: number; epochStart: Instant | undefined } | undefined;

  // HyStart++: rounds are told by the moment of sending.
  #roundEnd: Instant = Number.NEGATIVE_INFINITY;
  #roundMinMs: number = Number.POSITIVE_INFINITY;
  #lastRoundMinMs: number = Number.POSITIVE_INFINITY;
  #samples = 0;
  #cautious = 0;
  #baselineMs: number = Number.POSITIVE_INFINITY;

  constructor(packetSize: number) {
    this.#packetSize = packetSize;
    this.window = initialWindow(packetSize);
  }

  /** RFC 9002 §7.7: a little more than a window a round trip, so that pacing never limits. */
  get pacingRate(): number {
    if (this.#smoothedMs === 0) return Number.POSITIVE_INFINITY;
    return ((this.window < this.slowStartThreshold ? 2 : 1.25) * this.window) / this.#smoothedMs;
  }

  sent(): void {}

  lost(): void {}

  acknowledged(
    bytes: number,
    sentAt: Instant,
    inFlight: number,
    rtt: RttEstimator,
    now: Instant,
    limited: boolean,
  ): void {
    this.#smoothedMs = rtt.smoothedMs;
    if (sentAt <= this.#recoveryStart) return;
    if (limited && inFlight < this.window) return;
    if (this.window < this.slowStartThreshold) this.#slowStart(bytes, sentAt, rtt, now);
    else this.#avoid(bytes, rtt, now);
  }

  congested(sentAt: Instant, _inFlight: number, cause: "loss" | "ecn", now: Instant): void {
    if (sentAt <= this.#recoveryStart) return;
    this.#recoveryStart = now;
    this.#before =
      cause === "loss"
        ? {
            window: this.window,
            threshold: this.slowStartThreshold,
            maximum: this.#maximum,
            epochStart: this.#epochStart,
          }
        : undefined;
    // RFC 9438 §4.7: a flow that shrinks again before its plateau leaves room for others.
    this.#maximum = this.window < this.#maximum ? (this.window * (1 + beta)) / 2 : this.window;
    this.window = Math.max(2 * this.#packetSize, Math.floor(this.window * beta));
    this.slowStartThreshold = this.window;
    this.#epochStart = undefined;
  }

  collapsed(inFlight: number, now: Instant): void {
    this.#before = {
      window: this.window,
      threshold: this.slowStartThreshold,
      maximum: this.#maximum,
      epochStart: this.#epochStart,
    };
    this.#maximum = this.window;
    this.slowStartThreshold = Math.max(2 * this.#packetSize, Math.floor(Math.max(inFlight, this.window / 2) * beta));
    this.window = this.#packetSize;
    this.#recoveryStart = now;
    this.#epochStart = undefined;
    this.#cautious = 0;
  }

  undo(): void {
    const before = this.#before;
    if (before === undefined) return;
    this.window = Math.max(this.window, before.window);
    this.slowStartThreshold = before.threshold;
    this.#maximum = before.maximum;
    this.#epochStart = before.epochStart;
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#before = undefined;
  }

  setPacketSize(bytes: number): void {
    this.window = Math.max(2 * bytes, Math.round((this.window / this.#packetSize) * bytes));
    this.#packetSize = bytes;
  }

  #slowStart(bytes: number, sentAt: Instant, rtt: RttEstimator, now: Instant): void {
    if (sentAt > this.#roundEnd) this.#nextRound(now);
    this.#roundMinMs = Math.min(this.#roundMinMs, rtt.latestMs);
    this.#samples++;
    // Never more than is acknowledged, and bounded for stretched acknowledgements (RFC 9406 §4.2).
    const growth = Math.min(bytes, 8 * this.#packetSize);
    if (this.#cautious === 0) {
      this.window += growth;
      if (this.#samples >= rttSamplesMin && Number.isFinite(this.#lastRoundMinMs)) {
        const threshold = Math.min(rttThresholdMaxMs, Math.max(rttThresholdMinMs, this.#lastRoundMinMs / 8));
        if (this.#roundMinMs >= this.#lastRoundMinMs + threshold) {
          this.#baselineMs = this.#roundMinMs;
          this.#cautious = 1;
        }
      }
    } else {
      this.window += growth / cautiousGrowthDivisor;
      if (this.#samples >= rttSamplesMin && this.#roundMinMs < this.#baselineMs) this.#cautious = 0;
    }
  }

  #nextRound(now: Instant): void {
    this.#roundEnd = now;
    this.#lastRoundMinMs = this.#roundMinMs;
    this.#roundMinMs = Number.POSITIVE_INFINITY;
    this.#samples = 0;
    if (this.#cautious > 0 && ++this.#cautious > cautiousRounds) {
      this.slowStartThreshold = this.window;
      this.#cautious = 0;
    }
  }

  #avoid(bytes: number, rtt: RttEstimator, now: Instant): void {
    const size = this.#packetSize;
    if (this.#epochStart === undefined) {
      this.#epochStart = now;
      this.#friendly = this.window;
      if (this.window >= this.#maximum) {
        this.#maximum = this.window;
        this.#plateauMs = 0;
      } else this.#plateauMs = 1_000 * Math.cbrt((this.#maximum - this.window) / size / steepness);
    }
    // RFC 9438 §4.2: where the curve will be one round trip from now.
    const seconds = (now - this.#epochStart + rtt.smoothedMs - this.#plateauMs) / 1_000;
    const target = Math.min(1.5 * this.window, Math.max(this.window, this.#maximum + steepness * seconds ** 3 * size));
    const increase = this.#friendly < this.#maximum ? friendlyIncrease : 1;
    this.#friendly += (increase * size * bytes) / this.window;
    const next = this.window + ((target - this.window) * bytes) / this.window;
    this.window = Math.max(next, this.#friendly);
  }
}
