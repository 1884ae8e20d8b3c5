/** Takes one whole record in the memory where it stands; false stops the reading. */
export interface RecordTaker {
  /** Looks at a header as soon as it is there; the size of the record with its header, or undefined if it is refused. */
  header(bytes: Uint8Array, at: number): number | undefined;
  record(bytes: Uint8Array, at: number, size: number): boolean;
}

/**
 * Cuts a byte stream into records. Whole records are handed on where they came, without a copy; one that is cut is put
 * together in memory of its own, a piece for each cut.
 */
export class Deframer {
  readonly #header: Uint8Array;
  #headerSize = 0;
  #partial: Uint8Array | undefined;
  #partialSize = 0;
  /** Bytes of the record that is put together. */
  #wanted = 0;
  /** Whether the last record was the last one wanted for now. */
  #stopped = false;
  /** Until the peer has proved anything, it gets no memory for what it only announces. */
  isFrugal = true;

  /** @param headerSize - bytes of a record from which its size follows */
  constructor(headerSize: number) {
    this.#header = new Uint8Array(headerSize);
  }

  /** Is half a record here? */
  get isMidRecord(): boolean {
    return this.#headerSize > 0;
  }

  /** Answers how many bytes were taken: all, unless the taker stopped. */
  push(bytes: Uint8Array, taker: RecordTaker): number {
    let at = 0;
    if (this.#headerSize > 0) {
      at = this.#complete(bytes, taker);
      if (at < 0) return bytes.length;
      if (this.#stopped) return at;
    }
    this.#stopped = false;
    while (bytes.length - at >= this.#header.length) {
      const size = taker.header(bytes, at);
      if (size === undefined) return bytes.length;
      if (size > bytes.length - at) return this.#keep(bytes, at, size);
      const start = at;
      at += size;
      if (!taker.record(bytes, start, size)) return at;
    }
    if (at < bytes.length) {
      this.#header.set(bytes.subarray(at));
      this.#headerSize = bytes.length - at;
    }
    return bytes.length;
  }

  #keep(bytes: Uint8Array, at: number, size: number): number {
    this.#begin(bytes.subarray(at), size);
    this.#headerSize = this.#header.length;
    return bytes.length;
  }

  #begin(bytes: Uint8Array, size: number): void {
    this.#wanted = size;
    this.#partial = this.isFrugal ? new Uint8Array(Math.min(size, 2 * Math.max(bytes.length, 256))) : carve(size);
    this.#partial.set(bytes);
    this.#partialSize = bytes.length;
  }

  /** Room for so many bytes more; never more than twice of what has come. */
  #room(more: number): Uint8Array {
    const partial = this.#partial!;
    const size = this.#partialSize + more;
    if (size <= partial.length) return partial;
    const larger = new Uint8Array(Math.min(this.#wanted, 2 * size));
    larger.set(partial.subarray(0, this.#partialSize));
    this.#partial = larger;
    return larger;
  }

  /** Goes on with the record that was cut. Answers what it used, or -1 if all was used and the record is not whole. */
  #complete(bytes: Uint8Array, taker: RecordTaker): number {
    let at = 0;
    this.#stopped = false;
    if (this.#partial === undefined) {
      const wanted = Math.min(this.#header.length - this.#headerSize, bytes.length);
      this.#header.set(bytes.subarray(0, wanted), this.#headerSize);
      this.#headerSize += wanted;
      at = wanted;
      if (this.#headerSize < this.#header.length) return -1;
      const size = taker.header(this.#header, 0);
      if (size === undefined) return -1;
      this.#begin(this.#header, size);
    }
    const take = Math.min(this.#wanted - this.#partialSize, bytes.length - at);
    const record = this.#room(take);
    record.set(bytes.subarray(at, at + take), this.#partialSize);
    this.#partialSize += take;
    at += take;
    if (this.#partialSize < this.#wanted) return -1;
    this.#partial = undefined;
    this.#headerSize = 0;
    this.#stopped = !taker.record(record, 0, this.#wanted);
    return at;
  }
}

/**
 * Memory that is never used twice, from slabs that all deframers share: a bulk transfer cuts a record in each of its
 * reads, and many small buffers cost the garbage collector more than the cipher costs. Small pieces would pin a slab
 * for little, so they get memory of their own.
 */
function carve(size: number): Uint8Array {
  if (size < carvedMin) return new Uint8Array(size);
  if (slab.length - slabAt < size) {
    slab = new Uint8Array(slabSize);
    slabAt = 0;
  }
  const piece = slab.subarray(slabAt, slabAt + size);
  slabAt += size;
  return piece;
}

const slabSize = 1 << 18;
const carvedMin = 4096;
let slab = new Uint8Array(0);
let slabAt = 0;
