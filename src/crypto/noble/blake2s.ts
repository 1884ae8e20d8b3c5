import { _BLAKE2s } from "@noble/hashes/blake2.js";
import type { Mac } from "../../contract/crypto.js";
import { checkAlive, checkRange } from "../checks.js";
import { misuse } from "../failure.js";

/** BLAKE2s with a key of 0 … 32 bytes (RFC 7693 §2.5), for tags of 1 … 32 bytes. */
export function keyedBlake2s(key: Uint8Array, size: number): Mac {
  if (key.length > 32 || !(size >= 1 && size <= 32)) {
    throw misuse(
      "wrong-size",
      `BLAKE2s takes a key of up to 32 bytes and tags of 1 to 32, not ${key.length} and ${size}`,
    );
  }
  // The keyed first block is hashed once; every message starts from a copy of that state.
  return new Blake2sMac(new _BLAKE2s(key.length > 0 ? { key, dkLen: size } : { dkLen: size }), size);
}

class Blake2sMac implements Mac {
  readonly size: number;
  #start: _BLAKE2s | undefined;
  readonly #tag: Uint8Array;
  readonly #running: _BLAKE2s;

  constructor(start: _BLAKE2s, size: number) {
    this.#start = start;
    this.#running = start.clone();
    this.#tag = new Uint8Array(size);
    this.size = size;
  }

  compute(...parts: readonly Uint8Array[]): Uint8Array {
    const running = this.#restart();
    for (const part of parts) running.update(part);
    running.digestInto(this.#tag);
    return this.#tag.slice();
  }

  computeInto(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number, suffix?: Uint8Array): void {
    checkRange(into, at, 0, this.size);
    checkRange(bytes, start, end - start, 0);
    const running = this.#restart().update(bytes.subarray(start, end));
    if (suffix !== undefined) running.update(suffix);
    running.digestInto(this.#tag);
    into.set(this.#tag, at);
  }

  destroy(): void {
    this.#start?.destroy();
    this.#running.destroy();
    this.#start = undefined;
  }

  #restart(): _BLAKE2s {
    checkAlive(this.#start);
    return this.#start._cloneInto(this.#running);
  }
}
