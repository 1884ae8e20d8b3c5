import type { Instant } from "../contract/index.js";

/** Ten turns a second: in any second no more than the rate goes by (RFC 9622 §8.1.8). */
const turnsPerSecond = 10;

/** Spreads bytes so that a rate in bits per second is kept over every second. */
export class Pacer {
  readonly #bitsPerMs: number;
  /** Bytes that may go by in one turn; a byte stream is cut to it. */
  readonly turnBytes: number;
  #next = 0;

  constructor(bitsPerSecond: number) {
    this.#bitsPerMs = bitsPerSecond / 1000;
    this.turnBytes = Math.max(1, Math.floor(bitsPerSecond / 8 / turnsPerSecond));
  }

  /** The moment from which something may go by. */
  get nextAt(): Instant {
    return this.#next;
  }

  took(bytes: number, now: Instant): void {
    this.#next = Math.max(now, this.#next) + (bytes * 8) / this.#bitsPerMs;
  }
}
