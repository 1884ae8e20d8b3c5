import { Ranges } from "../../../mechanisms/ranges.js";
import { Reassembly } from "../../../mechanisms/streams/reassembly.js";
import { limits } from "../limits.js";
import type { Acknowledgement, MessageView, StreamEnd } from "../messages/message.js";

/** What became of a block: told apart by whether it is acknowledged, and by what is counted. */
export type Reception = "taken" | "buffer-full" | "malformed-message";

/** Ranges that a message says above the first. */
const rangesAbove = 5;
/** Longest range above the first that ends where a block may: the greatest number of whole blocks below 2^16. */
const rangeMax = 63 * 1_024;
const firstGapMax = 0xffff_ffff;
const gapMax = 0xffff;

/** The receiving half of a stream: puts blocks in order, and says which have come. */
export class Receiver implements Acknowledgement {
  /** All below has come; the end of a stream counts as one position more. */
  next = 0;
  readonly ranges = new Float64Array(2 * rangesAbove);
  count = 0;
  /** How the stream ends, once that is known. */
  end: StreamEnd | undefined;
  /** Bytes told to the application. */
  readAt = 0;
  isPaused = false;
  readonly #bufferMax: number;
  readonly #ahead = new Ranges(limits.rangesMax);
  readonly #waiting = new Reassembly();
  #size = Number.POSITIVE_INFINITY;
  /** Where the newest block above `next` was. */
  #newest = 0;
  #abandoned = false;

  constructor(bufferMax: number) {
    this.#bufferMax = bufferMax;
  }

  /** The whole stream has come, and its end with it. */
  get isWhole(): boolean {
    return this.next > this.#size;
  }

  /** All has been told but the end. */
  get isAtEnd(): boolean {
    return this.isWhole && this.readAt >= this.#size;
  }

  receive(message: MessageView, bytes: Uint8Array): Reception {
    const { position, size, end } = message;
    const behind = position + size;
    if (end !== undefined) {
      const known = this.#size !== Number.POSITIVE_INFINITY;
      if (known ? behind !== this.#size : behind < this.#end) return "malformed-message";
    } else if (behind > this.#size) return "malformed-message";
    if (size === 0 && end === undefined) return "taken";
    if (behind > this.readAt + this.#bufferMax) return "buffer-full";
    if (behind > this.next && !this.#store(position, bytes, message.dataAt, size)) return "buffer-full";
    if (end !== undefined) {
      this.#size = behind;
      this.end = end;
    }
    this.#mark(position, end === undefined ? behind : behind + 1);
    return "taken";
  }

  /** The next bytes for the application, in memory of their own; undefined if there are none or they are not wanted. */
  take(): Uint8Array | undefined {
    if (this.isPaused) return undefined;
    const bytes = this.#waiting.take(this.readAt);
    if (bytes === undefined) return undefined;
    this.readAt += bytes.length;
    return bytes;
  }

  /** Nobody wants the rest: it is acknowledged and forgotten. */
  abandon(): void {
    this.#abandoned = true;
    this.#waiting.clear();
    this.readAt = Math.max(this.readAt, this.#end);
  }

  /** Chooses what the next acknowledgement says above `next`: the lowest ranges, or those about the newest block. */
  choose(): void {
    const ahead = this.#ahead;
    this.count = 0;
    if (ahead.count === 0) return;
    let index = 0;
    if (ahead.count > rangesAbove) {
      while (index < ahead.count - rangesAbove && ahead.to(index + rangesAbove - 1) <= this.#newest) index++;
    }
    let to = this.next;
    for (; index < ahead.count && this.count < this.ranges.length; index++) {
      let from = ahead.from(index);
      if (from - to > (this.count === 0 ? firstGapMax : gapMax)) return;
      while (from < ahead.to(index) && this.count < this.ranges.length) {
        to = Math.min(ahead.to(index), from + rangeMax);
        this.ranges[this.count++] = from;
        this.ranges[this.count++] = to;
        from = to;
      }
    }
  }

  /** One more than the greatest position that has come. */
  get #end(): number {
    return Math.max(this.next, this.#ahead.end);
  }

  #store(position: number, bytes: Uint8Array, at: number, size: number): boolean {
    const old = Math.max(0, this.next - position);
    if (this.#abandoned) {
      this.readAt = Math.max(this.readAt, position + size);
      return true;
    }
    if (position > this.next && this.#ahead.count >= limits.rangesMax) return false;
    return old >= size || this.#waiting.store(position + old, bytes.subarray(at + old, at + size));
  }

  #mark(from: number, to: number): void {
    if (from > this.next) {
      this.#newest = from;
      this.#ahead.add(from, to);
      return;
    }
    if (to <= this.next) return;
    this.next = to;
    if (this.#ahead.count === 0) return;
    if (this.#ahead.least <= to) {
      this.#ahead.add(from, to);
      this.next = this.#ahead.to(0);
    }
    this.#ahead.remove(0, this.next);
  }
}
