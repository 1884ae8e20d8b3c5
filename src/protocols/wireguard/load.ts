import type { Instant } from "../../contract/index.js";
import { handshakesPerSecondMax, perSourceBurst, perSourceRate, sourcesMax, underLoadMs } from "./limits.js";

/** Is the machine under load, and how much does one source get then (§5.3)? */
export class Load {
  #second = 0;
  #handshakes = 0;
  #loadedUntil = 0;
  readonly #sources = new Map<string, { tokens: number; at: Instant }>();

  /** Counts one handshake message with a right mac1. True if cookies are wanted now. */
  count(now: Instant): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#handshakes = 0;
    }
    if (++this.#handshakes > handshakesPerSecondMax) this.#loadedUntil = now + underLoadMs;
    return now < this.#loadedUntil;
  }

  /** A token for this source address, if it has one left. */
  admit(address: string, now: Instant): boolean {
    let source = this.#sources.get(address);
    if (source === undefined) {
      if (this.#sources.size >= sourcesMax && !this.#forget(now)) return false;
      source = { tokens: perSourceBurst, at: now };
      this.#sources.set(address, source);
    }
    source.tokens = Math.min(perSourceBurst, source.tokens + ((now - source.at) / 1_000) * perSourceRate);
    source.at = now;
    if (source.tokens < 1) return false;
    source.tokens--;
    return true;
  }

  /** Lets go of sources whose tokens have filled up again. The map is in order of first sight. */
  #forget(now: Instant): boolean {
    const fullAgainMs = (perSourceBurst / perSourceRate) * 1_000;
    const before = this.#sources.size;
    for (const [address, { at }] of this.#sources) if (now - at >= fullAgainMs) this.#sources.delete(address);
    return this.#sources.size < before;
  }
}
