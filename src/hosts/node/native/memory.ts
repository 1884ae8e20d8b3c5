/**
 * Where JavaScript's memory lies. V8 never moves the memory behind an ArrayBuffer, so its address is asked for once.
 * What can go wrong, and why it does not:
 *
 * - a small typed array may live inside V8's heap and be moved by it: reading its `buffer` takes it out for good;
 * - a buffer may be detached (transferred, or grown by WebAssembly): its views then have length 0, and no address is
 *   ever handed on with length 0;
 * - a resizable buffer may shrink: it keeps its address, and the lengths of its views shrink with it.
 *
 * So the rule for every caller is: take the length from the view, check it, and call, with no JavaScript in between.
 */
export class Memory {
  readonly #ask: (buffer: ArrayBufferLike) => number;
  readonly #known = new WeakMap<ArrayBufferLike, number>();
  /** Packets come from one buffer again and again. It is kept alive until another one is asked for. */
  #last: ArrayBufferLike = new ArrayBuffer(0);
  #lastBase = 0;

  constructor(ask: (buffer: ArrayBufferLike) => number) {
    this.#ask = ask;
  }

  /** The address of the view's first byte. The view must not be empty. */
  addressOf(bytes: Uint8Array): number {
    const buffer = bytes.buffer;
    return (buffer === this.#last ? this.#lastBase : this.#baseOf(buffer)) + bytes.byteOffset;
  }

  #baseOf(buffer: ArrayBufferLike): number {
    let base = this.#known.get(buffer);
    if (base === undefined) {
      base = this.#ask(buffer);
      if (!Number.isSafeInteger(base) || base <= 0) throw new RangeError("memory without a usable address");
      this.#known.set(buffer, base);
    }
    this.#last = buffer;
    this.#lastBase = base;
    return base;
  }
}

/** Memory of our own at a fixed address, for what is passed with every call. */
export class Scratch {
  readonly bytes: Uint8Array;
  readonly address: number;
  /** The same memory in halves of pointers and sizes: these are numbers, which a bigint for the whole would not be. */
  readonly #halves: Uint32Array;

  constructor(memory: Memory, size: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(size));
    this.#halves = new Uint32Array(this.bytes.buffer, 0, size >> 2);
    this.address = memory.addressOf(this.bytes);
  }

  /** Copies a few bytes in; a loop, since for most of these sizes `set` costs more. The caller has checked that they fit. */
  put(from: Uint8Array, at: number): void {
    const { bytes } = this;
    for (let i = 0; i < from.length; i++) bytes[at + i] = from[i]!;
  }

  /** A pointer or size_t that a call has written; `at` is a multiple of 8, as in `setNumber`. */
  number(at: number): number {
    const i = at / 4;
    return this.#halves[i + low]! + this.#halves[i + high]! * 2 ** 32;
  }

  setNumber(at: number, value: number): void {
    const i = at / 4;
    this.#halves[i + low] = value; // What is above 32 bits falls off.
    this.#halves[i + high] = value / 2 ** 32;
  }

  /** Copies all parts in, one behind the other; answers their size, or undefined where they do not fit. */
  gather(parts: readonly Uint8Array[], at: number, sizeMax: number): number | undefined {
    let size = 0;
    for (const part of parts) size += part.length;
    if (size > sizeMax) return undefined;
    let to = at;
    for (const part of parts) {
      this.put(part, to);
      to += part.length;
    }
    return size;
  }
}

export const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
/** Which half of a pointer comes first. */
const [low, high] = littleEndian ? [0, 1] : [1, 0];
