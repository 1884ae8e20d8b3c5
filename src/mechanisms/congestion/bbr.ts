import type { Instant } from "../../contract/index.js";
import { type CongestionController, initialWindow } from "./controller.js";
import { DeliveryRate } from "./delivery-rate.js";
import type { RttEstimator } from "./rtt.js";

type Phase = "startup" | "drain" | "down" | "cruise" | "refill" | "up" | "probe-rtt";

/** Gains of pace and window in each phase (draft-ietf-ccwg-bbr §4.6). */
const gains: Readonly<Record<Phase, { readonly pace: number; readonly window: number }>> = {
  startup: { pace: 2.77, window: 2 },
  drain: { pace: 0.36, window: 2 },
  down: { pace: 0.9, window: 2 },
  cruise: { pace: 1, window: 2 },
  refill: { pace: 1, window: 2 },
  up: { pace: 1.25, window: 2.25 },
  "probe-rtt": { pace: 1, window: 0.5 },
};

/** A little slower than measured, so that queues drain. */
const paceMargin = 0.99;
/** A round with more loss than this has too much in flight. */
const lossRateMax = 0.02;
/** What is left after too much. */
const beta = 0.7;
/** Room that cruising leaves to others. */
const headroom = 0.85;
/** Startup is over when the rate has not grown by a quarter in three rounds, or after so many losses in one. */
const fullRateGrowth = 1.25;
const fullRateRounds = 3;
const startupLossesMin = 6;
/** How long a least round trip is believed, and how often and how long the queue is emptied to measure it. */
const minRttLifetimeMs = 10_000;
const probeRttIntervalMs = 5_000;
const probeRttMs = 200;
/** Time between two probes for more: two seconds, and up to one more that spreads flows apart. */
const probeIntervalMs = 2_000;
const probeSpreadMs = 1_000;
const probeRoundsMax = 63;
const packetsMin = 4;

/**
 * A controller that models the path (BBR, versions 2 and 3; draft-ietf-ccwg-bbr): it measures what the path delivers and its
 * least round trip, sends at that pace, and probes for more now and then; loss bounds what it keeps in flight, but does not
 * govern it. Left out: the estimate of acknowledgements that come in clumps.
 */
export class Bbr implements CongestionController {
  readonly name = "bbr";
  window: number;

  #packetSize: number;
  #phase: Phase = "startup";
  #inFlight = 0;
  readonly #rate = new DeliveryRate();
  #minRttMs: number = Number.POSITIVE_INFINITY;
  #minRttAt: Instant = 0;
  #probeRttDueAt: Instant = Number.POSITIVE_INFINITY;
  #probeRttDoneAt: Instant | undefined;
  #smoothedMs = 0;

  /** Greatest rates of this probing cycle and the one before, in bytes a millisecond. */
  #maxRates: [number, number] = [0, 0];
  /** What loss has shown to be too much, and what it lets us keep until the next probe. */
  #inFlightHigh: number = Number.POSITIVE_INFINITY;
  #inFlightLow: number = Number.POSITIVE_INFINITY;
  #rateLow: number = Number.POSITIVE_INFINITY;

  // Rounds are told by the moment of sending.
  #round = 0;
  #roundEnd: Instant = Number.NEGATIVE_INFINITY;
  #roundDelivered = 0;
  #roundRate = 0;
  #roundLost = 0;
  #roundLosses = 0;
  #roundCongested = false;

  #fullRate = 0;
  #fullRateCount = 0;
  #phaseAt: Instant = 0;
  #phaseRound = 0;
  #probeAt: Instant = 0;
  #probeRound = 0;
  /** Bytes acknowledged per byte by which the upper bound rises; halves with each round of probing. */
  #upSlope = 1;
  #conserving = false;
  #before: { high: number; low: number; rateLow: number; window: number } | undefined;

  constructor(packetSize: number) {
    this.#packetSize = packetSize;
    this.window = initialWindow(packetSize);
  }

  get slowStartThreshold(): number {
    return this.#phase === "startup" ? Number.POSITIVE_INFINITY : this.window;
  }

  get pacingRate(): number {
    const { pace } = gains[this.#phase];
    const rate = this.#bandwidth;
    if (rate > 0) return pace * rate * (this.#phase === "startup" ? 1 : paceMargin);
    return this.#smoothedMs === 0 ? Number.POSITIVE_INFINITY : (pace * this.window) / this.#smoothedMs;
  }

  /** What the path is thought to deliver now, in bytes a millisecond. */
  get #bandwidth(): number {
    return Math.min(Math.max(...this.#maxRates), this.#rateLow);
  }

  sent(bytes: number, inFlight: number, now: Instant): void {
    this.#rate.sent(inFlight <= bytes, this.#smoothedMs / 512, now);
    this.#inFlight = inFlight;
    if (this.#probeRttDueAt === Number.POSITIVE_INFINITY) this.#probeRttDueAt = now + probeRttIntervalMs;
  }

  acknowledged(
    bytes: number,
    sentAt: Instant,
    inFlight: number,
    rtt: RttEstimator,
    now: Instant,
    limited: boolean,
  ): void {
    this.#inFlight = Math.max(0, inFlight - bytes);
    this.#smoothedMs = rtt.smoothedMs;
    this.#measureRtt(rtt.latestMs, now);
    const rate = this.#rate.acknowledged(bytes, sentAt, this.#minRttMs, now);
    const isRoundOver = sentAt >= this.#roundEnd;
    if (rate > 0 && (!limited || rate > this.#maxRates[0])) {
      this.#maxRates[0] = Math.max(this.#maxRates[0], rate);
      this.#roundRate = Math.max(this.#roundRate, rate);
    }
    if (isRoundOver) this.#roundOver(limited, now);
    this.#advance(bytes, now);
    this.#probeRtt(isRoundOver, now);
    this.#setWindow(bytes);
  }

  lost(bytes: number): void {
    this.#roundLost += bytes;
    this.#roundLosses++;
  }

  congested(_sentAt: Instant, inFlight: number, cause: "loss" | "ecn", now: Instant): void {
    this.#inFlight = inFlight;
    if (!this.#roundCongested) {
      this.#before = {
        high: this.#inFlightHigh,
        low: this.#inFlightLow,
        rateLow: this.#rateLow,
        window: this.window,
      };
    }
    this.#roundCongested = true;
    const inRound = this.#rate.delivered - this.#roundDelivered + this.#roundLost;
    const isTooMuch = cause === "ecn" || this.#roundLost > Math.max(lossRateMax * inRound, 2 * this.#packetSize);
    if (!isTooMuch || (this.#phase !== "up" && this.#phase !== "refill")) return;
    // Probing went too far: this is what the path does not hold.
    this.#inFlightHigh = Math.max(inFlight + this.#roundLost, beta * Math.min(this.#target(1), this.window));
    this.#enterDown(now);
  }

  collapsed(inFlight: number, now: Instant): void {
    this.#before = { high: this.#inFlightHigh, low: this.#inFlightLow, rateLow: this.#rateLow, window: this.window };
    this.#inFlight = inFlight;
    this.window = packetsMin * this.#packetSize;
    this.#conserving = true;
    this.#roundEnd = now;
  }

  undo(): void {
    const before = this.#before;
    if (before === undefined) return;
    this.#before = undefined;
    this.#inFlightHigh = Math.max(this.#inFlightHigh, before.high);
    this.#inFlightLow = Math.max(this.#inFlightLow, before.low);
    this.#rateLow = Math.max(this.#rateLow, before.rateLow);
    this.window = Math.max(this.window, before.window);
    this.#roundLost = this.#roundLosses = 0;
    this.#roundCongested = this.#conserving = false;
  }

  setPacketSize(bytes: number): void {
    this.window = Math.max(packetsMin * bytes, Math.round((this.window / this.#packetSize) * bytes));
    this.#packetSize = bytes;
  }

  /** Bandwidth times delay, times a gain, and what batching needs on top. */
  #target(gain: number): number {
    const rate = this.#bandwidth;
    if (rate === 0 || !Number.isFinite(this.#minRttMs)) return initialWindow(this.#packetSize);
    const quantum = Math.min(Math.max(rate, 2 * this.#packetSize), 65_536);
    return Math.max(gain * rate * this.#minRttMs + 3 * quantum, packetsMin * this.#packetSize);
  }

  #measureRtt(rttMs: number, now: Instant): void {
    if (rttMs <= 0) return;
    if (rttMs > this.#minRttMs && now - this.#minRttAt <= minRttLifetimeMs) return;
    if (rttMs < this.#minRttMs) this.#probeRttDueAt = now + probeRttIntervalMs;
    this.#minRttMs = rttMs;
    this.#minRttAt = now;
  }

  #roundOver(limited: boolean, now: Instant): void {
    this.#round++;
    this.#conserving = false;
    if (this.#phase === "startup") this.#judgeStartup(limited, now);
    else if (this.#roundCongested && (this.#phase === "down" || this.#phase === "cruise")) this.#adaptLow();
    this.#roundEnd = now;
    this.#roundDelivered = this.#rate.delivered;
    this.#roundRate = this.#roundLost = this.#roundLosses = 0;
    this.#roundCongested = false;
    if (this.#phase === "up") this.#upSlope /= 2;
  }

  #judgeStartup(limited: boolean, now: Instant): void {
    const inRound = this.#rate.delivered - this.#roundDelivered + this.#roundLost;
    const isLossy = this.#roundLosses >= startupLossesMin && this.#roundLost > lossRateMax * inRound;
    if (isLossy) this.#inFlightHigh = Math.max(this.#target(1), this.#inFlight);
    const rate = this.#bandwidth;
    if (rate >= fullRateGrowth * this.#fullRate) {
      this.#fullRate = rate;
      this.#fullRateCount = 0;
    } else if (!limited) this.#fullRateCount++;
    if (this.#fullRateCount >= fullRateRounds || isLossy) this.#enter("drain", now);
  }

  /** §4.5.10.3: what the last round delivered is what we keep to, until the next probe. */
  #adaptLow(): void {
    const rate = Math.max(...this.#maxRates);
    const inFlight = this.window;
    this.#rateLow = Math.max(this.#roundRate, beta * Math.min(this.#rateLow, rate));
    const delivered = this.#rate.delivered - this.#roundDelivered;
    this.#inFlightLow = Math.max(delivered, beta * Math.min(this.#inFlightLow, inFlight));
  }

  /** From phase to phase (§4.3). */
  #advance(bytes: number, now: Instant): void {
    const rounds = this.#round - this.#phaseRound;
    switch (this.#phase) {
      case "drain":
        if (this.#inFlight <= this.#target(1)) this.#enterDown(now);
        break;
      case "down":
        if (this.#isTimeToProbe(now)) this.#enterRefill(now);
        else if (this.#inFlight <= Math.min(this.#target(1), headroom * this.#inFlightHigh)) this.#enter("cruise", now);
        break;
      case "cruise":
        if (this.#isTimeToProbe(now)) this.#enterRefill(now);
        break;
      case "refill":
        if (rounds < 1) break;
        this.#enter("up", now);
        this.#upSlope = this.window / this.#packetSize;
        break;
      case "up":
        // The bound gives way, slowly first, while nothing is lost.
        if (Number.isFinite(this.#inFlightHigh) && this.#inFlight + bytes >= 0.9 * this.#inFlightHigh) {
          this.#inFlightHigh += bytes / Math.max(1, this.#upSlope);
        }
        if (now - this.#phaseAt > this.#minRttMs && rounds >= 1 && this.#inFlight > this.#target(gains.up.pace)) {
          this.#enterDown(now);
        } else if (rounds > 4) this.#enterDown(now);
    }
  }

  #isTimeToProbe(now: Instant): boolean {
    // No chance here: flows differ by how many rounds they have seen.
    const spreadMs = ((this.#round % 8) / 8) * probeSpreadMs;
    if (now - this.#probeAt >= probeIntervalMs + spreadMs) return true;
    const rounds = Math.min(probeRoundsMax, this.#target(1) / this.#packetSize);
    return this.#round - this.#probeRound >= rounds;
  }

  #enter(phase: Phase, now: Instant): void {
    this.#phase = phase;
    this.#phaseAt = now;
    this.#phaseRound = this.#round;
  }

  #enterDown(now: Instant): void {
    if (this.#phase === "up" || this.#phase === "refill") this.#maxRates = [0, Math.max(...this.#maxRates)];
    this.#probeAt = now;
    this.#probeRound = this.#round;
    this.#enter("down", now);
  }

  #enterRefill(now: Instant): void {
    this.#inFlightLow = this.#rateLow = Number.POSITIVE_INFINITY;
    this.#enter("refill", now);
    this.#roundEnd = now;
  }

  /** §4.3.4: lets the queue run empty now and then, to see the path's own round trip. */
  #probeRtt(isRoundOver: boolean, now: Instant): void {
    if (this.#phase !== "probe-rtt") {
      if (now < this.#probeRttDueAt || this.#phase === "startup" || this.#phase === "drain") return;
      this.#enter("probe-rtt", now);
      this.#probeRttDoneAt = undefined;
      return;
    }
    const floor = Math.max(this.#target(gains["probe-rtt"].window), packetsMin * this.#packetSize);
    if (this.#probeRttDoneAt === undefined) {
      if (this.#inFlight <= floor) this.#probeRttDoneAt = now + probeRttMs;
    } else if (now >= this.#probeRttDoneAt && isRoundOver) {
      this.#minRttAt = now;
      this.#probeRttDueAt = now + probeRttIntervalMs;
      this.#inFlightLow = this.#rateLow = Number.POSITIVE_INFINITY;
      this.#enterDown(now);
    }
  }

  #setWindow(bytes: number): void {
    const { window: gain } = gains[this.#phase];
    const target = this.#target(gain);
    const isFull = this.#phase !== "startup";
    if (this.#conserving) this.window = Math.max(this.window, this.#inFlight + bytes);
    else if (isFull) this.window = Math.min(this.window + bytes, target);
    else if (this.window < target || this.#rate.delivered < initialWindow(this.#packetSize)) this.window += bytes;
    let cap = Number.POSITIVE_INFINITY;
    if (this.#phase === "cruise") cap = headroom * this.#inFlightHigh;
    else if (this.#phase !== "startup" && this.#phase !== "drain") cap = this.#inFlightHigh;
    cap = Math.min(cap, this.#inFlightLow);
    if (this.#phase === "probe-rtt") cap = Math.min(cap, target);
    this.window = Math.max(Math.min(this.window, cap), packetsMin * this.#packetSize);
  }
}
