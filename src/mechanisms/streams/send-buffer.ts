import { Ranges } from "../ranges.js";
import { sentRangesMax } from "./limits.js";

/** Called when the bytes of a write are the writer's again. */
export type Released = () => void;

/** For streams that have none, all of them: nothing is ever added to it. */
export const noRanges: Ranges = new Ranges(1);

/**
 * Bytes of a stream from the writer to the acknowledgement, by reference: nothing is copied before it stands in a packet.
 * A write is let go of when all up to its end has been acknowledged.
 */
export class SendBuffer {
  /** Offset behind the last byte written. */
  end = 0;
  /** All below is acknowledged. */
  base = 0;
  /** Acknowledged above `base`. Most streams have nothing there, and share the empty set. */
  acknowledged: Ranges = noRanges;
  #chunks: Uint8Array[] = [];
  #starts: number[] = [];
  #released: (Released | undefined)[] = [];
  #first = 0;
  /** Chunk of the last copy: the next is mostly there too. */
  #cursor = 0;

  write(bytes: Uint8Array, released: Released | undefined): void {
    this.#chunks.push(bytes);
    this.#starts.push(this.end);
    this.#released.push(released);
    this.end += bytes.length;
  }

  /** Copies bytes that were written and are not let go of. */
  copy(offset: number, size: number, into: Uint8Array, at: number): void {
    let index = this.#indexOf(offset);
    let done = 0;
    while (done < size) {
      const chunk = this.#chunks[index]!;
      const from = offset + done - this.#starts[index]!;
      const count = Math.min(size - done, chunk.length - from);
      into.set(from === 0 && count === chunk.length ? chunk : chunk.subarray(from, from + count), at + done);
      done += count;
      if (done < size) index++;
    }
    this.#cursor = index;
  }

  /** Answers the first write that is let go of, through `nextReleased`. */
  acknowledge(from: number, to: number): void {
    if (from > this.base) {
      if (this.acknowledged === noRanges) this.acknowledged = new Ranges(sentRangesMax);
      this.acknowledged.add(from, to);
      return;
    }
    if (to <= this.base) return;
    this.base = to;
    const { acknowledged } = this;
    if (acknowledged.count === 0) return;
    if (acknowledged.least <= to) {
      acknowledged.add(from, to);
      this.base = acknowledged.to(0);
      acknowledged.remove(0, this.base);
    }
  }

  /** Takes out the next write that nothing holds any more; false if there is none. Its callback is `released`. */
  letGo(): boolean {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined || this.#starts[this.#first]! + chunk.length > this.base) return false;
    this.released = this.#released[this.#first];
    this.#chunks[this.#first] = nothing;
    this.#released[this.#first] = undefined;
    this.#first++;
    if (this.#first === this.#chunks.length) this.#forget(this.#first);
    else if (this.#first >= 64 && this.#first > this.#chunks.length / 2) this.#forget(this.#first);
    return true;
  }

  /** What `letGo` took out. */
  released: Released | undefined;

  /** Nothing of it will be sent: everything may be let go of. */
  abandon(): void {
    this.base = this.end;
    this.acknowledged = noRanges;
  }

  #forget(count: number): void {
    this.#chunks = this.#chunks.slice(count);
    this.#starts = this.#starts.slice(count);
    this.#released = this.#released.slice(count);
    this.#cursor = Math.max(0, this.#cursor - count);
    this.#first = 0;
  }

  /** The chunk that holds this byte. */
  #indexOf(offset: number): number {
    const starts = this.#starts;
    let index = Math.max(this.#cursor, this.#first);
    if (index < starts.length && starts[index]! <= offset) {
      if (offset < starts[index]! + this.#chunks[index]!.length) return index;
      index++;
      if (index < starts.length && starts[index]! <= offset && offset < starts[index]! + this.#chunks[index]!.length) {
        return index;
      }
    }
    let low = this.#first;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

const nothing = new Uint8Array(0);
