import type { Instant } from "../../contract/index.js";
import { missesMax, probesMax, raiseAfterMs, searchGrain } from "./limits.js";

export interface PathMtuOptions {
  /** Bytes that every path carries: BASE_PLPMTU; 1200 for QUIC (RFC 9000 §14.3). */
  readonly base: number;
  /** Bytes that are never exceeded: MAX_PLPMTU. */
  readonly max: number;
}

/**
 * How large packets may be on a path, found by sending larger ones and seeing which arrive (RFC 8899, for datagram protocols
 * that acknowledge). It believes no router. Sizes are of the protocol's own packets: UDP payloads.
 *
 * ```
 *  base ──▶ searching ──▶ complete        (§5.2: BASE, SEARCHING, SEARCH_COMPLETE)
 *   ▲           │  ▲          │
 *   └───────────┘  └──────────┘ after ten minutes
 *   a black hole
 * ```
 */
export class PathMtu {
  /** Bytes that packets may have now. */
  current: number;
  readonly #base: number;
  readonly #max: number;
  /** The least size that was found not to arrive. */
  #tooLarge: number;
  #probing = 0;
  #attempts = 0;
  #isOut = false;
  #raiseAt: Instant | undefined;
  #misses = 0;
  #missedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor({ base, max }: PathMtuOptions) {
    this.current = this.#base = base;
    this.#max = Math.max(base, max);
    this.#tooLarge = this.#max + 1;
  }

  get isComplete(): boolean {
    return this.#candidate() === undefined;
  }

  /** The size of a probe that should leave now; undefined while one is out, or nothing is looked for. */
  probe(now: Instant): number | undefined {
    if (this.#isOut) return undefined;
    if (this.#raiseAt !== undefined && now >= this.#raiseAt) {
      this.#raiseAt = undefined;
      this.#tooLarge = this.#max + 1;
    }
    const size = this.#candidate();
    if (size === undefined && this.current < this.#max) this.#raiseAt ??= now + raiseAfterMs;
    return size;
  }

  /** It left: a packet of that size that holds nothing that matters. */
  probeSent(size: number): void {
    if (size !== this.#probing) this.#attempts = 0;
    this.#probing = size;
    this.#isOut = true;
  }

  /** The probe arrived. */
  acknowledged(size: number): void {
    if (size === this.#probing) this.#isOut = false;
    if (size > this.current && size <= this.#max) this.current = size;
    if (size >= this.#tooLarge) this.#tooLarge = size + 1;
    this.#misses = 0;
  }

  /** It did not arrive, which may be chance: the size is given up after a few. */
  probeLost(size: number): void {
    if (size !== this.#probing || !this.#isOut) return;
    this.#isOut = false;
    if (++this.#attempts < probesMax) return;
    this.#attempts = 0;
    if (size > this.current) this.#tooLarge = size;
  }

  /** Ordinary packets were acknowledged, the largest of this size. */
  heard(size: number): void {
    if (size > this.#base) this.#misses = 0;
  }

  /**
   * Ordinary packets were found lost, or a probe timeout passed with them in flight; the largest had this size. What is found
   * at one moment counts once. True if the path is a black hole for what it carried before: `current` is the base again.
   */
  missed(size: number, now: Instant): boolean {
    if (size <= this.#base || now === this.#missedAt) return false;
    this.#missedAt = now;
    if (++this.#misses < missesMax) return false;
    this.#fall(now);
    return true;
  }

  /**
   * A router says that this is the largest it takes. Nobody proves such a message, so it can make packets smaller only, and
   * never below the base (RFC 8899 §4.6.2).
   */
  tooBig(size: number): void {
    if (size >= this.current || size < this.#base) return;
    this.#tooLarge = size + 1;
    this.current = Math.max(this.#base, size);
  }

  /** When to look for a larger size again. */
  deadline(): Instant | undefined {
    return this.#raiseAt;
  }

  /** The largest first, for most paths carry it; then halves. */
  #candidate(): number | undefined {
    const { current } = this;
    if (this.#raiseAt !== undefined || this.#tooLarge - current <= 1) return undefined;
    if (this.#tooLarge > this.#max) return this.#max;
    if (this.#tooLarge - current <= searchGrain) return undefined;
    return Math.floor((current + this.#tooLarge) / 2);
  }

  #fall(now: Instant): void {
    this.#misses = 0;
    this.#tooLarge = Math.min(this.#tooLarge, this.current);
    this.current = this.#base;
    this.#isOut = false;
    this.#attempts = 0;
    this.#raiseAt = undefined;
    this.#missedAt = now;
  }
}
