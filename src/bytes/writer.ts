/** Writes big-endian fields into memory that grows; `take` answers what was written and starts anew. */
export class Writer {
  #bytes: Uint8Array;
  #size = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    return this.uint(2, value);
  }

  u24(value: number): this {
    return this.uint(3, value);
  }

  u32(value: number): this {
    return this.uint(4, value);
  }

  u64(value: bigint): this {
    return this.u32(Number(value >> 32n)).u32(Number(value & 0xffff_ffffn));
  }

  uint(size: 1 | 2 | 3 | 4, value: number): this {
    const at = this.#grow(size);
    this.#put(at, size, value);
    return this;
  }

  put(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Writes a length field of `size` bytes and, behind it, whatever `fill` writes: the length cannot be forgotten. */
  prefixed(size: 1 | 2 | 3 | 4, fill: () => void): this {
    const at = this.#grow(size);
    fill();
    const length = this.#size - at - size;
    if (length >= 2 ** (8 * size)) throw new RangeError(`${length} bytes do not fit a length field of ${size}`);
    this.#put(at, size, length);
    return this;
  }

  /** A view of what has been written so far. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  /** What was written, in memory of its own; the writer is empty again. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#size);
    this.#size = 0;
    return bytes;
  }

  /** Overwrites the first bytes of its memory, where what was taken had been. */
  wipe(size: number): void {
    this.#bytes.fill(0, 0, size);
  }

  #put(at: number, size: number, value: number): void {
    for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) this.#bytes[at + i] = rest % 256;
  }

  #grow(by: number): number {
    const at = this.#size;
    this.#size = at + by;
    if (this.#size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#size, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    return at;
  }
}
