import { recordHeaderSize } from "./content-type.js";

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
  readonly #header = new Uint8Array(recordHeaderSize);
  #headerSize = 0;
  #partial: Uint8Array | undefined;
  #partialSize = 0;

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
    while (bytes.length - at >= recordHeaderSize) {
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

  #stopped = false;

  #keep(bytes: Uint8Array, at: number, size: number): number {
    this.#partial = new Uint8Array(size);
    this.#partial.set(bytes.subarray(at));
    this.#partialSize = bytes.length - at;
    this.#headerSize = recordHeaderSize;
    return bytes.length;
  }

  /** Goes on with the record that was cut. Answers what it used, or -1 if all was used and the record is not whole. */
  #complete(bytes: Uint8Array, taker: RecordTaker): number {
    let at = 0;
    this.#stopped = false;
    if (this.#partial === undefined) {
      const wanted = Math.min(recordHeaderSize - this.#headerSize, bytes.length);
      this.#header.set(bytes.subarray(0, wanted), this.#headerSize);
      this.#headerSize += wanted;
      at = wanted;
      if (this.#headerSize < recordHeaderSize) return -1;
      const size = taker.header(this.#header, 0);
      if (size === undefined) return -1;
      this.#partial = new Uint8Array(size);
      this.#partial.set(this.#header);
      this.#partialSize = recordHeaderSize;
    }
    const record = this.#partial;
    const take = Math.min(record.length - this.#partialSize, bytes.length - at);
    record.set(bytes.subarray(at, at + take), this.#partialSize);
    this.#partialSize += take;
    at += take;
    if (this.#partialSize < record.length) return -1;
    this.#partial = undefined;
    this.#headerSize = 0;
    this.#stopped = !taker.record(record, 0, record.length);
    return at;
  }
}
