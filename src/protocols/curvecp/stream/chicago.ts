import type { Entropy, Instant } from "../../../contract/index.js";
import type { CongestionController, RttEstimator } from "../../../mechanisms/congestion/index.js";

/** Blocks that may be in flight in the reference. */
const blocksMax = 128;
const secondMs = 1_000;
/** The reference counts in nanoseconds; so do the constants that it finds its curve by. */
const nsPerMs = 1e6;
const slowAbove = 131_072;
const steepBelow = 16_777_216;
const gentle = 2_251_799_813_685_248;
const doublingAbove = 65_535;
const highMarginMs = 5;
const slowRestartMs = 10_000;
const edgeMemoryMs = 60_000;
const edgePatienceMs = 5_000;

/**
 * Chicago, the scheduler of CurveCP's reference: it paces blocks, and looks at round trips for the edges at which a queue
 * begins. Half the pace when blocks get lost, a little more otherwise, twice as much when that has gone well for long.
 */
export class Chicago implements CongestionController {
  readonly name = "chicago";
  readonly slowStartThreshold = Number.POSITIVE_INFINITY;
  window: number;
  readonly #entropy: Entropy;
  #packetSize: number;
  #msPerBlock = secondMs;
  #averageMs = 0;
  #deviationMs = 0;
  #highMs = 0;
  #lowMs = 0;
  #timeoutMs = secondMs;
  #isSampled = false;
  #seenHigh = false;
  #seenLow = false;
  #olderHigh = false;
  #olderLow = false;
  #phase: 0 | 1 = 0;
  #adjustedAt: Instant = Number.NEGATIVE_INFINITY;
  #edgeAt: Instant | undefined;
  #doubledAt: Instant = Number.NEGATIVE_INFINITY;
  #panicAt: Instant = Number.NEGATIVE_INFINITY;

  constructor(packetSize: number, entropy: Entropy) {
    this.#entropy = entropy;
    this.#packetSize = packetSize;
    this.window = blocksMax * packetSize;
  }

  get pacingRate(): number {
    return this.#packetSize / this.#msPerBlock;
  }

  sent(): void {}

  lost(): void {}

  acknowledged(_bytes: number, _sentAt: Instant, _inFlight: number, rtt: RttEstimator, now: Instant): void {
    this.#sample(rtt.latestMs, now);
    if (now >= this.#adjustedAt + 16 * this.#msPerBlock) this.#adjust(now);
    this.#double(now);
  }

  congested(_sentAt: Instant, _inFlight: number, _cause: "loss" | "ecn", now: Instant): void {
    if (now <= this.#panicAt + 4 * this.#timeoutMs) return;
    this.#msPerBlock *= 2;
    this.#panicAt = now;
    this.#edgeAt = now;
  }

  collapsed(inFlight: number, now: Instant): void {
    this.congested(now, inFlight, "loss", now);
  }

  undo(): void {}

  setPacketSize(bytes: number): void {
    this.#packetSize = bytes;
    this.window = blocksMax * bytes;
  }

  #sample(rttMs: number, now: Instant): void {
    if (!this.#isSampled) {
      this.#isSampled = true;
      this.#msPerBlock = this.#averageMs = this.#highMs = this.#lowMs = rttMs;
      this.#deviationMs = rttMs / 2;
      this.#doubledAt = this.#adjustedAt = now;
    }
    const delta = rttMs - this.#averageMs;
    this.#averageMs += delta / 8;
    this.#deviationMs += (Math.abs(delta) - this.#deviationMs) / 4;
    this.#timeoutMs = this.#averageMs + 4 * this.#deviationMs + 8 * this.#msPerBlock;
    this.#highMs += (rttMs - this.#highMs) / 1_024;
    const above = rttMs - this.#lowMs;
    this.#lowMs += above > 0 ? above / 8_192 : above / 256;
    if (this.#averageMs > this.#highMs + highMarginMs) this.#seenHigh = true;
    else if (this.#averageMs < this.#lowMs) this.#seenLow = true;
  }

  #adjust(now: Instant): void {
    if (now - this.#adjustedAt > slowRestartMs) this.#msPerBlock = secondMs + this.#random(secondMs / 8);
    this.#adjustedAt = now;
    const ns = this.#msPerBlock * nsPerMs;
    if (ns >= slowAbove) {
      const faster = ns < steepBelow ? ns - (ns / slowAbove) ** 3 : ns / (1 + ns ** 2 / gentle);
      this.#msPerBlock = faster / nsPerMs;
    }
    if (this.#phase === 0 && this.#olderHigh) {
      this.#phase = 1;
      this.#edgeAt = now;
      this.#msPerBlock += this.#random(this.#msPerBlock / 4);
    } else if (this.#phase === 1 && this.#olderLow) this.#phase = 0;
    this.#olderHigh = this.#seenHigh;
    this.#olderLow = this.#seenLow;
    this.#seenHigh = this.#seenLow = false;
  }

  #double(now: Instant): void {
    const isNearEdge = this.#edgeAt !== undefined && now - this.#edgeAt < edgeMemoryMs;
    const patience = isNearEdge ? 64 * this.#timeoutMs + edgePatienceMs : 2 * this.#timeoutMs;
    if (now < this.#doubledAt + 4 * this.#msPerBlock + patience) return;
    if (this.#msPerBlock * nsPerMs <= doublingAbove) return;
    this.#msPerBlock /= 2;
    this.#doubledAt = now;
    if (this.#edgeAt !== undefined) this.#edgeAt = now;
  }

  /** From zero up to that much. */
  #random(most: number): number {
    const [a = 0, b = 0] = this.#entropy.fill(new Uint8Array(2));
    return (most * (a * 256 + b)) / 65_536;
  }
}
