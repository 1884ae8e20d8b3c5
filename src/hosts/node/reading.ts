import { Socket } from "node:net";
import { readSlabSizes } from "./limits.js";

/**
 * Memory for reading: a piece of a slab for each read, and a new slab when little is left of the last. One allocation
 * serves many reads, the kernel may give more at once than Node's own 64 KiB, and what has been read belongs to whoever
 * gets it. Slabs begin small and grow with what comes, so that idle connections hold little.
 */
export class ReadSlabs {
  readonly #take: (bytes: Uint8Array) => void;
  #class = 0;
  #slab = new Uint8Array(readSlabSizes[0]);
  #at = 0;

  constructor(take: (bytes: Uint8Array) => void) {
    this.#take = take;
  }

  /** Node's `onread`: where a read may write, and how much it wrote. */
  readonly buffer = (): Uint8Array => {
    const size = readSlabSizes[this.#class]!;
    if (this.#slab.length - this.#at < size / 4) {
      this.#slab = new Uint8Array(size);
      this.#at = 0;
    }
    return this.#slab.subarray(this.#at);
  };

  readonly callback = (size: number): boolean => {
    const start = this.#at;
    this.#at += size;
    // A read that used all it was given would have taken more.
    if (this.#at === this.#slab.length && this.#class < readSlabSizes.length - 1) this.#class++;
    this.#take(this.#slab.subarray(start, this.#at));
    return true;
  };
}

/** A socket that reads into slabs. */
export function slabSocket(allowHalfOpen: boolean, take: (bytes: Uint8Array) => void): Socket {
  const options = { allowHalfOpen, onread: new ReadSlabs(take) };
  return new Socket(options);
}

/**
 * The same for a connection that a server accepted and has not begun to read. Node lets nobody choose the memory of those,
 * so another socket is put on the same handle; where there is no such handle the socket is left as it is.
 */
export function onSlabs(accepted: Socket, take: (bytes: Uint8Array) => void): Socket {
  const holder = accepted as { _handle?: { useUserBuffer?: unknown } | null };
  const handle = holder._handle;
  if (typeof handle?.useUserBuffer !== "function") {
    // A plain view: Buffer's `slice` shares memory where Uint8Array's copies.
    accepted.on("data", (chunk: Uint8Array) => take(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)));
    return accepted.resume();
  }
  holder._handle = null;
  const options = { handle, allowHalfOpen: true, onread: new ReadSlabs(take) };
  return new Socket(options);
}
