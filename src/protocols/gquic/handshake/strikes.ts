import { toHex } from "../../../bytes/index.js";
import type { Instant } from "../../../contract/index.js";
import { BoundedStore } from "../../../mechanisms/bounded-store.js";
import { limits, strikeWindowMs } from "../limits.js";

/**
 * Nonces that were seen: none is good twice, so what a client sent under initial keys cannot be played again to this server
 * ("Strike register"). Nonces carry their time, and outside the window are refused without being remembered.
 */
export class Strikes {
  readonly #seen = new BoundedStore<string, true>({ entriesMax: limits.strikesMax, lifetimeMs: strikeWindowMs });
  /** Before this moment we saw nothing, so older nonces may have been used here before. */
  readonly #since: Instant;
  /** When the oldest that might have been driven out had come. */
  #horizon: Instant;

  constructor(now: Instant) {
    this.#since = this.#horizon = now;
  }

  /** Takes a nonce, once. @param at - when the nonce says that it was made; undefined for one that proves its age otherwise */
  take(nonce: Uint8Array, at: Instant | undefined, now: Instant): "taken" | "used" | "out-of-time" {
    if (at !== undefined && (at > now + strikeWindowMs || at < now - strikeWindowMs || at < this.#horizon - 1_000)) {
      return "out-of-time";
    }
    const key = toHex(nonce);
    if (this.#seen.get(key, now) !== undefined) return "used";
    // A full register forgets its oldest: what is as old is refused from now on.
    if (this.#seen.size >= limits.strikesMax) this.#horizon = Math.max(this.#horizon, now - 1_000);
    this.#seen.set(key, true, now);
    return "taken";
  }

  get since(): Instant {
    return this.#since;
  }
}
