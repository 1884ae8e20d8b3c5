import { NumberMap } from "../../../mechanisms/number-map.js";
import { limits } from "../limits.js";

/** Where a segment of the peer's stands. */
export type Place = "next" | "ahead" | "known" | "too-far-ahead";

/** The receiving half of a tunnel: segments in their order; those that came too early wait. */
export class Incoming {
  /** The next segment in order, counted from zero. */
  next = 0;
  readonly #first: number;
  readonly #waiting = new NumberMap<Uint8Array>();

  /** @param first sequence number of the peer's first segment */
  constructor(first: number) {
    this.#first = first;
  }

  /** What our packets acknowledge: the sequence number of the next. */
  get acknowledgement(): number {
    return (this.#first + this.next) % 0x1_0000_0000;
  }

  /** The segment of a sequence number: the one that is nearest to the next. */
  indexOf(sequence: number): number {
    const ahead = (sequence - this.acknowledgement) | 0;
    return this.next + ahead;
  }

  place(index: number): Place {
    if (index === this.next) return "next";
    if (index < this.next) return "known";
    if (index - this.next >= limits.segmentsMax) return "too-far-ahead";
    return this.#waiting.get(index) === undefined ? "ahead" : "known";
  }

  /** Keeps a copy of one that came too early. */
  keep(index: number, bytes: Uint8Array): void {
    this.#waiting.set(index, bytes.slice());
  }

  /** The next segment has been worked through; answers the one behind it, if it waits. */
  advance(): Uint8Array | undefined {
    const waiting = this.#waiting.get(++this.next);
    if (waiting !== undefined) this.#waiting.delete(this.next);
    return waiting;
  }

  clear(): void {
    this.#waiting.clear();
  }
}
