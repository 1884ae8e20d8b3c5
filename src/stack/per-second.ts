import type { Instant } from "../contract/index.js";

/** So many a second and no more. */
export class PerSecond {
  readonly #most: number;
  #second = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  take(now: Instant): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#taken = 0;
    }
    return this.#taken < this.#most && ++this.#taken > 0;
  }
}
