import type { Instant } from "../../contract/index.js";
import { missesMax, probesMax, raiseAfterMs, searchGrain } from "./limits.js";

export interface PathMtuOptions {
  /** Bytes that nearly every path carries: BASE_PLPMTU; 1200 for QUIC (RFC 9000 §14.3). */
  readonly base: number;
  /** Bytes that most paths carry, and up to which is searched. */
  readonly max: number;
  /**
   * Bytes that few paths carry, jumbo frames and the loopback, and that are never exceeded: MAX_PLPMTU. Tried only where `max`
   * passes and much is sent. Default `max`.
   */
  readonly wideMax?: number;
  /** Bytes to which a path that does not even carry the base falls: MIN_PLPMTU. Default `base`. */
  readonly min?: number;
  /** Bytes that packets have before anything is known. Default `base`. */
  readonly start?: number;
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
  readonly #wideMax: number;
  /** `wideMax` was found not to arrive. */
  #isNarrow = false;
  readonly #min: number;
  /** The least size that was found not to arrive. */
  #tooLarge: number;
  #probing = 0;
  #attempts = 0;
  #isOut = false;
  #raiseAt: Instant | undefined;
  #misses = 0;
  #missedAt: Instant = Number.NEGATIVE_INFINITY;

  constructor({ base, max, wideMax = max, min = base, start = base }: PathMtuOptions) {
    this.current = start;
    this.#base = base;
    this.#min = min;
    this.#max = Math.max(start, max);
    this.#wideMax = Math.max(this.#max, wideMax);
    this.#tooLarge = this.#max + 1;
  }

  get isComplete(): boolean {
    return this.#candidate(false) === undefined;
  }

  /**
   * The size of a probe that should leave now; undefined while one is out, or nothing is looked for.
   *
   * @param isBusy so much is sent that three large probes in vain would not count
   */
  probe(now: Instant, isBusy = false): number | undefined {
    if (this.#isOut) return undefined;
    if (this.#raiseAt !== undefined && now >= this.#raiseAt) {
      this.#raiseAt = undefined;
      this.#tooLarge = this.#max + 1;
      this.#isNarrow = false;
    }
    const size = this.#candidate(isBusy);
    if (size === undefined && (this.current < this.#max || this.#isNarrow)) this.#raiseAt ??= now + raiseAfterMs;
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
    if (size > this.current && size <= this.#wideMax) this.current = size;
    if (size >= this.#tooLarge) this.#tooLarge = size + 1;
    this.#misses = 0;
  }

  /** It did not arrive, which may be chance: the size is given up after a few. */
  probeLost(size: number): void {
    if (size !== this.#probing || !this.#isOut) return;
    this.#isOut = false;
    if (++this.#attempts < probesMax) return;
    this.#attempts = 0;
    if (size <= this.current) return;
    if (size > this.#max) this.#isNarrow = true;
    else this.#tooLarge = size;
  }

  /** The host itself refused to send the probe: there is no chance in that. */
  refused(size: number): void {
    this.#attempts = probesMax;
    this.probeLost(size);
  }

  /** Ordinary packets were acknowledged, the largest of this size. */
  heard(size: number): void {
    if (size > this.#sure) this.#misses = 0;
  }

  /**
   * Ordinary packets were found lost, or a probe timeout passed with them in flight; the largest had this size. What is found
   * within a round trip counts once: a queue that overflows drops many. True if the path is a black hole for what it carried
   * before: `current` is the base again.
   */
  missed(size: number, now: Instant, roundTripMs = 0): boolean {
    if (size <= this.#sure || now <= this.#missedAt + roundTripMs) return false;
    this.#missedAt = now;
    if (++this.#misses < missesMax) return false;
    this.fall(now);
    return true;
  }

  /**
   * A router says that this is the largest it takes. Nobody proves such a message, so it can make packets smaller only, and
   * never below the base (RFC 8899 §4.6.2).
   */
  tooBig(size: number): void {
    if (size >= this.current || size < this.#base) return;
    if (size >= this.#max) this.#isNarrow = true;
    else this.#tooLarge = size + 1;
    this.current = Math.max(this.#base, size);
  }

  /** When to look for a larger size again. */
  deadline(): Instant | undefined {
    return this.#raiseAt;
  }

  /** Packets up to this size may pass though the largest do not. */
  get #sure(): number {
    if (this.current > this.#max) return this.#max;
    return this.current > this.#base ? this.#base : this.#min;
  }

  /** The largest first, for most paths carry it; then halves. Above, one size alone: there is nothing between to search for. */
  #candidate(isBusy: boolean): number | undefined {
    const { current } = this;
    if (this.#raiseAt !== undefined) return undefined;
    if (current >= this.#max) {
      return isBusy && !this.#isNarrow && current < this.#wideMax ? this.#wideMax : undefined;
    }
    if (this.#tooLarge - current <= 1) return undefined;
    if (this.#tooLarge > this.#max) return this.#max;
    if (this.#tooLarge - current <= searchGrain) return undefined;
    return Math.floor((current + this.#tooLarge) / 2);
  }

  /** Packets of this size do not arrive: from now on they have the base's, and if they had that, the least (§5.2, ERROR). */
  fall(now: Instant): void {
    this.#misses = 0;
    if (this.current > this.#max) this.#isNarrow = true;
    else this.#tooLarge = Math.min(this.#tooLarge, this.current);
    this.current = this.current > this.#base ? this.#base : this.#min;
    this.#isOut = false;
    this.#attempts = 0;
    this.#raiseAt = undefined;
    this.#missedAt = now;
  }
}
