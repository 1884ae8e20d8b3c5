import { copySum, fold } from "../../bytes/checksum.js";

/**
 * Bytes that the application wants sent, by offset in its stream, until they are acknowledged. Chunks are kept as they
 * were given and copied once, into the packet.
 */
export class SendBuffer {
  readonly #chunks: Chunk[] = [];
  /** Chunks before this one are acknowledged; the list is trimmed now and then. */
  #first = 0;
  /** The chunk of the last read: sending goes forward. */
  #cursor = 0;
  #start = 0;
  #end = 0;

  /** Offset of the first byte that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Offset behind the last. */
  get end(): number {
    return this.#end;
  }

  get size(): number {
    return this.#end - this.#start;
  }

  push(bytes: Uint8Array, released: (() => void) | undefined): void {
    if (bytes.length === 0) {
      released?.();
      return;
    }
    this.#chunks.push({ start: this.#end, bytes, released });
    this.#end += bytes.length;
  }

  /** Copies `size` bytes from `offset` on into a packet and answers their sum (RFC 1071); all of them must be here. */
  copy(offset: number, size: number, into: Uint8Array, at: number): number {
    let total = 0;
    let index = this.#find(offset);
    let from = offset;
    let to = at;
    for (let left = size; left > 0; index++) {
      const { start, bytes } = this.#chunks[index]!;
      const skip = from - start;
      const part = Math.min(left, bytes.length - skip);
      const summed = copySum(bytes, skip, into, to, part);
      // At an odd place the halves of each word change places (RFC 1071 §2(B)).
      total += ((to - at) & 1) === 0 ? summed : swapped(fold(summed));
      from += part;
      to += part;
      left -= part;
      this.#cursor = index;
    }
    return total;
  }

  /** Lets go of everything before `offset`. */
  release(offset: number): void {
    this.#start = Math.max(this.#start, Math.min(offset, this.#end));
    while (this.#first < this.#chunks.length) {
      const chunk = this.#chunks[this.#first]!;
      if (chunk.start + chunk.bytes.length > this.#start) break;
      this.#first++;
      chunk.released?.();
    }
    if (this.#first > 64 && this.#first * 2 > this.#chunks.length) {
      this.#chunks.splice(0, this.#first);
      this.#cursor = Math.max(0, this.#cursor - this.#first);
      this.#first = 0;
    }
  }

  clear(): void {
    this.release(this.#end);
    this.#chunks.length = 0;
    this.#first = this.#cursor = 0;
  }

  #find(offset: number): number {
    const chunks = this.#chunks;
    let index = Math.min(Math.max(this.#cursor, this.#first), chunks.length - 1);
    while (index > this.#first && chunks[index]!.start > offset) index--;
    while (chunks[index]!.start + chunks[index]!.bytes.length <= offset) index++;
    return index;
  }
}

const swapped = (half: number): number => ((half & 0xff) << 8) | (half >> 8);

interface Chunk {
  readonly start: number;
  readonly bytes: Uint8Array;
  readonly released: (() => void) | undefined;
}
