import { Ranges } from "../ranges.js";
import { blockSize, gapsMax } from "./limits.js";

/**
 * Bytes that came out of order, or that their reader does not want yet: copied to where they belong in blocks of one size,
 * and given away as views of these when all before them is there. How far they may reach is flow control's business.
 */
export class Reassembly {
  readonly #blocks = new Map<number, Uint8Array>();
  readonly #ranges = new Ranges(gapsMax);

  get isEmpty(): boolean {
    return this.#ranges.count === 0;
  }

  /** Bytes of memory held. */
  get held(): number {
    return this.#blocks.size * blockSize;
  }

  /** Is everything here from one offset to the other? */
  reaches(from: number, to: number): boolean {
    return this.#ranges.covers(from, to);
  }

  /** False if there are too many gaps: nothing has been kept. */
  store(offset: number, bytes: Uint8Array): boolean {
    if (this.#ranges.count >= gapsMax) return false;
    if (!this.#ranges.add(offset, offset + bytes.length)) return true;
    let done = 0;
    while (done < bytes.length) {
      const position = offset + done;
      const index = Math.floor(position / blockSize);
      const within = position - index * blockSize;
      const count = Math.min(blockSize - within, bytes.length - done);
      let block = this.#blocks.get(index);
      if (block === undefined) this.#blocks.set(index, (block = new Uint8Array(blockSize)));
      block.set(count === bytes.length ? bytes : bytes.subarray(done, done + count), within);
      done += count;
    }
    return true;
  }

  /** Gives away the bytes that begin at `offset`, as far as they lie together; undefined if they have not come. */
  take(offset: number): Uint8Array | undefined {
    const ranges = this.#ranges;
    if (ranges.count === 0) return undefined;
    // What was delivered meanwhile without having waited here.
    if (ranges.least < offset) this.#drop(offset);
    if (ranges.least !== offset) return undefined;
    const index = Math.floor(offset / blockSize);
    const blockEnd = (index + 1) * blockSize;
    const end = Math.min(ranges.to(0), blockEnd);
    const view = this.#blocks.get(index)!.subarray(offset - index * blockSize, end - index * blockSize);
    ranges.remove(offset, end);
    if (end === blockEnd) this.#blocks.delete(index);
    return view;
  }

  clear(): void {
    this.#ranges.clear();
    this.#blocks.clear();
  }

  #drop(below: number): void {
    this.#ranges.remove(0, below);
    const first = Math.floor(below / blockSize);
    for (const index of this.#blocks.keys()) if (index < first) this.#blocks.delete(index);
  }
}
