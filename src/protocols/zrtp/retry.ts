import type { Instant } from "../../contract/index.js";

export interface RetrySchedule {
  readonly firstMs: number;
  readonly capMs: number;
  readonly times: number;
}

/** A message that is sent again, at intervals that double up to a cap, until it is answered or given up (RFC 6189 §6). */
export class Retry {
  readonly message: Uint8Array;
  readonly #schedule: RetrySchedule;
  #interval: number;
  #left: number;
  /** When it is due; undefined once it was answered. */
  at: Instant | undefined;

  constructor(message: Uint8Array, schedule: RetrySchedule, now: Instant) {
    this.message = message;
    this.#schedule = schedule;
    this.#interval = schedule.firstMs;
    this.#left = schedule.times;
    this.at = now + this.#interval;
  }

  /** What is due now: the message, nothing, or to give up. */
  due(now: Instant): "send" | "wait" | "give-up" {
    if (this.at === undefined || this.at > now) return "wait";
    if (this.#left === 0) {
      this.at = undefined;
      return "give-up";
    }
    this.#left--;
    this.#interval = Math.min(2 * this.#interval, this.#schedule.capMs);
    this.at = now + this.#interval;
    return "send";
  }

  /** More times than it was made for, from the first one on. */
  extend(times: number): void {
    this.#left += Math.max(0, times - this.#schedule.times);
  }

  stop(): void {
    this.at = undefined;
  }
}
