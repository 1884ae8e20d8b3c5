import type { Instant } from "../contract/index.js";

/**
 * Lets `perSecond` tokens a second through on average and `burst` at once. It keeps the moment at which it will be full,
 * not the tokens: there is nothing to fill up, and no remainder to round.
 */
export class TokenBucket {
  readonly #msPerToken: number;
  readonly #burst: number;
  #fullAt: Instant;

  constructor(perSecond: number, burst: number, now: Instant) {
    this.#msPerToken = 1000 / perSecond;
    this.#burst = burst;
    this.#fullAt = now;
  }

  /** Takes the tokens, or none and answers false. */
  take(now: Instant, tokens = 1): boolean {
    if (this.readyAt(now, tokens) > now) return false;
    this.#fullAt = Math.max(this.#fullAt, now) + tokens * this.#msPerToken;
    return true;
  }

  /** When so many will be there, `now` if they are; never, if they are more than the bucket holds. */
  readyAt(now: Instant, tokens = 1): Instant {
    if (tokens > this.#burst) return Number.POSITIVE_INFINITY;
    const at = this.#fullAt - (this.#burst - tokens) * this.#msPerToken;
    return at <= now + clockGrain ? now : at;
  }

  /** Full, so that forgetting it changes nothing. */
  isFull(now: Instant): boolean {
    return this.#fullAt <= now;
  }
}

/** Milliseconds that are no reason to wait: an instant cannot be told more exactly than this. */
const clockGrain = 0.001;
