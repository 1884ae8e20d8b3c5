/** Who is given what was gathered. */
export interface Reader {
  /** @param bytes of one stream, in memory of their reader's own */
  read(id: number, bytes: Uint8Array): void;
}

/** Memory is carved from pieces of this size. */
const slabSize = 131_072;

/**
 * What is received lies in packets, and is copied into memory of its readers' own: what comes of one stream in one go in one
 * piece. All connections of an endpoint share it, so that one which rests holds none.
 */
export class Gathering {
  #slab = new Uint8Array(0);
  #at = 0;
  /** The stream whose bytes are gathered at the slab's end, and where they begin. */
  #reader: Reader | undefined;
  #id = 0;
  #from = 0;

  /** Holds these bytes until others come that do not follow them, or `flush`. */
  gather(reader: Reader, id: number, bytes: Uint8Array): void {
    const { length } = bytes;
    if (id !== this.#id || reader !== this.#reader || this.#at + length > this.#slab.length) {
      this.flush();
      this.#reserve(length);
      this.#reader = reader;
      this.#id = id;
      this.#from = this.#at;
    }
    this.#slab.set(bytes, this.#at);
    this.#at += length;
  }

  /** Hands on what is held. */
  flush(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    reader.read(this.#id, this.#slab.subarray(this.#from, this.#at));
  }

  /** A copy that its reader may keep. Nothing may be held. */
  own(bytes: Uint8Array): Uint8Array {
    this.#reserve(bytes.length);
    const own = this.#slab.subarray(this.#at, this.#at + bytes.length);
    own.set(bytes);
    this.#at += bytes.length;
    return own;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#slab.length) return;
    this.#slab = new Uint8Array(Math.max(size, slabSize));
    this.#at = 0;
  }
}
