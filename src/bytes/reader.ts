/** Thrown by readers and codecs when bytes do not parse; `decode` catches it at a machine's edge. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

/** Reads big-endian fields from the front of a view. What it hands out are views of the same memory. */
export class Reader {
  readonly bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    this.#need(1);
    return this.bytes[this.at++]!;
  }

  u16(): number {
    this.#need(2);
    const { bytes, at } = this;
    this.at = at + 2;
    return (bytes[at]! << 8) | bytes[at + 1]!;
  }

  u24(): number {
    this.#need(3);
    const { bytes, at } = this;
    this.at = at + 3;
    return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
  }

  u32(): number {
    this.#need(4);
    const { bytes, at } = this;
    this.at = at + 4;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  u64(): bigint {
    const high = this.u32();
    return (BigInt(high) << 32n) | BigInt(this.u32());
  }

  /** An unsigned number of 1 to 4 bytes. */
  uint(size: 1 | 2 | 3 | 4): number {
    return size === 1 ? this.u8() : size === 2 ? this.u16() : size === 3 ? this.u24() : this.u32();
  }

  take(size: number): Uint8Array {
    this.#need(size);
    const view = this.bytes.subarray(this.at, this.at + size);
    this.at += size;
    return view;
  }

  rest(): Uint8Array {
    return this.take(this.left);
  }

  /** A reader of the next `size` bytes, which are consumed here. */
  scope(size: number): Reader {
    return new Reader(this.take(size));
  }

  /** Bytes behind the last field are an error, RFC 9846 §4 and everywhere else. */
  end(): void {
    if (this.left !== 0) throw new DecodeError(`${this.left} bytes behind the end`);
  }

  #need(size: number): void {
    if (this.left < size) throw new DecodeError(`${size} bytes wanted, ${this.left} left`);
  }
}
