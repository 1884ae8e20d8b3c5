import type { Instant } from "../../contract/index.js";
import { type CongestionController, initialWindow } from "./controller.js";
import type { RttEstimator } from "./rtt.js";

/** Reno's window (RFC 5681, RFC 9002 §7): the plain one, to compare others with. */
export class NewReno implements CongestionController {
  readonly name = "newreno";
  window: number;
  slowStartThreshold: number = Number.POSITIVE_INFINITY;
  #packetSize: number;
  #smoothedMs = 0;
  #recoveryStart: Instant = Number.NEGATIVE_INFINITY;
  #before: { window: number; threshold: number } | undefined;

  constructor(packetSize: number) {
    this.#packetSize = packetSize;
    this.window = initialWindow(packetSize);
  }

  get pacingRate(): number {
    return this.#smoothedMs === 0 ? Number.POSITIVE_INFINITY : (1.25 * this.window) / this.#smoothedMs;
  }

  sent(): void {}

  lost(): void {}

  acknowledged(
    bytes: number,
    sentAt: Instant,
    inFlight: number,
    rtt: RttEstimator,
    _now: Instant,
    limited: boolean,
  ): void {
    this.#smoothedMs = rtt.smoothedMs;
    if (sentAt <= this.#recoveryStart || (limited && inFlight < this.window)) return;
    this.window += this.window < this.slowStartThreshold ? bytes : (this.#packetSize * bytes) / this.window;
  }

  congested(sentAt: Instant, _inFlight: number, _cause: "loss" | "ecn", now: Instant): void {
    if (sentAt <= this.#recoveryStart) return;
    this.#recoveryStart = now;
    this.#before = { window: this.window, threshold: this.slowStartThreshold };
    this.window = Math.max(2 * this.#packetSize, Math.floor(this.window / 2));
    this.slowStartThreshold = this.window;
  }

  collapsed(inFlight: number, now: Instant): void {
    this.#before = { window: this.window, threshold: this.slowStartThreshold };
    this.slowStartThreshold = Math.max(2 * this.#packetSize, Math.floor(inFlight / 2));
    this.window = this.#packetSize;
    this.#recoveryStart = now;
  }

  undo(): void {
    if (this.#before === undefined) return;
    this.window = Math.max(this.window, this.#before.window);
    this.slowStartThreshold = this.#before.threshold;
    this.#recoveryStart = Number.NEGATIVE_INFINITY;
    this.#before = undefined;
  }

  setPacketSize(bytes: number): void {
    this.window = Math.max(2 * bytes, Math.round((this.window / this.#packetSize) * bytes));
    this.#packetSize = bytes;
  }
}
