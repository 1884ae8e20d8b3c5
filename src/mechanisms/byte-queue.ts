/**
 * Bytes in the order in which they came, in the chunks in which they came. Nothing is copied on the way in, and on the
 * way out only what spans chunks.
 */
export class ByteQueue {
  #chunks: Uint8Array[] = [];
  /** Chunks before it are used up; they are let go of in bulk. */
  #first = 0;
  /** Bytes of the first chunk that are used up. */
  #at = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The queue keeps the view itself: the caller leaves its bytes alone. */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
  }

  /** The next bytes as they lie: a view of at most `max` bytes, shorter at a chunk's end; empty if there are none. */
  next(max: number): Uint8Array {
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined || max <= 0) return nothing;
    const end = Math.min(chunk.length, this.#at + max);
    const view = chunk.subarray(this.#at, end);
    this.#size -= view.length;
    this.#at = end;
    if (end === chunk.length) this.#drop();
    return view;
  }

  /** Exactly `size` bytes, a view where they lie together; undefined, and nothing taken, if there are fewer. */
  take(size: number): Uint8Array | undefined {
    if (size > this.#size) return undefined;
    const chunk = this.#chunks[this.#first];
    if (chunk === undefined || chunk.length - this.#at >= size) return this.next(size);
    const bytes = new Uint8Array(size);
    this.read(bytes);
    return bytes;
  }

  /** Moves bytes into a buffer and answers how many: as many as fit or are there. */
  read(into: Uint8Array): number {
    let filled = 0;
    while (filled < into.length) {
      const view = this.next(into.length - filled);
      if (view.length === 0) break;
      into.set(view, filled);
      filled += view.length;
    }
    return filled;
  }

  /** The byte `offset` behind the front, without taking it; undefined behind the end. */
  peek(offset: number): number | undefined {
    let at = this.#at + offset;
    for (let i = this.#first; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i]!;
      if (at < chunk.length) return chunk[at];
      at -= chunk.length;
    }
    return undefined;
  }

  clear(): void {
    this.#chunks = [];
    this.#first = this.#at = this.#size = 0;
  }

  #drop(): void {
    this.#chunks[this.#first++] = nothing;
    this.#at = 0;
    if (this.#first === this.#chunks.length) {
      this.#chunks.length = 0;
      this.#first = 0;
    } else if (this.#first > 64 && this.#first > this.#chunks.length / 2) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#first = 0;
    }
  }
}

const nothing = new Uint8Array(0);
