import { misuse } from "./failure.js";
import { rangeSizeMax } from "./limits.js";

/** Throws unless `bytes[at … at+size+room)` lies inside; `room` is what a tag will take behind the range. */
export function checkRange(bytes: Uint8Array, at: number, size: number, room: number): void {
  // Written so that NaN, fractions, negative and huge numbers all fail.
  if (
    !(at >= 0 && size >= 0 && size <= rangeSizeMax && at + size + room <= bytes.length) ||
    !Number.isInteger(at) ||
    !Number.isInteger(size)
  ) {
    throw misuse("out-of-bounds", `${size} + ${room} bytes at ${at} do not fit into ${bytes.length}`);
  }
}

export function checkSize(bytes: Uint8Array, size: number, what: string): void {
  if (bytes.length !== size) throw misuse("wrong-size", `a ${what} of ${size} bytes is needed, not ${bytes.length}`);
}

export function checkBlocks(size: number, blockSize: number): void {
  if (size % blockSize !== 0) throw misuse("wrong-size", `${size} bytes are not whole blocks of ${blockSize}`);
}

export function checkAlive(alive: unknown): asserts alive {
  if (!alive) throw misuse("destroyed", "this key has been destroyed");
}
