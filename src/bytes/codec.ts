import { DecodeError, Reader } from "./reader.js";
import { Writer } from "./writer.js";

/**
 * How a value stands in bytes. Codecs are values built from smaller ones; a length-prefixed part is always read to its
 * end, and bytes behind the last field are an error.
 */
export interface Codec<T> {
  read(from: Reader): T;
  write(to: Writer, value: T): void;
}

/** The type of the values that a codec reads and writes. */
export type Of<C> = C extends Codec<infer T> ? T : never;

/** Reads a whole value; throws DecodeError unless the bytes are exactly one. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes);
  const value = codec.read(reader);
  reader.end();
  return value;
}

/** One writer serves all that is encoded but for what is encoded within: a handshake encodes some fifty small things. */
let spare: Writer | undefined;

export function encode<T>(codec: Codec<T>, value: T): Uint8Array {
  const writer = spare ?? new Writer(spareSize);
  spare = undefined;
  codec.write(writer, value);
  const bytes = writer.take();
  // What grew large, or was left by an error, is not kept; what is kept holds nobody's secrets.
  if (bytes.length <= spareSize) {
    writer.wipe(bytes.length);
    spare = writer;
  }
  return bytes;
}

const spareSize = 1_024;

export const u8: Codec<number> = { read: (r) => r.u8(), write: (w, v) => void w.u8(v) };
export const u16: Codec<number> = { read: (r) => r.u16(), write: (w, v) => void w.u16(v) };
export const u24: Codec<number> = { read: (r) => r.u24(), write: (w, v) => void w.u24(v) };
export const u32: Codec<number> = { read: (r) => r.u32(), write: (w, v) => void w.u32(v) };
export const u64: Codec<bigint> = { read: (r) => r.u64(), write: (w, v) => void w.u64(v) };

/** All bytes that are left. */
export const rest: Codec<Uint8Array> = { read: (r) => r.rest(), write: (w, v) => void w.put(v) };

/** Exactly `size` bytes. */
export function opaque(size: number): Codec<Uint8Array> {
  return {
    read: (r) => r.take(size),
    write: (w, v) => {
      if (v.length !== size) throw new RangeError(`${size} bytes wanted, ${v.length} given`);
      w.put(v);
    },
  };
}

export interface Bounds {
  /** Bytes, both inclusive. */
  readonly min?: number;
  readonly max?: number;
}

type LengthSize = 1 | 2 | 3 | 4;

/** Bytes behind a length field of `lengthSize` bytes. */
export function bytes(lengthSize: LengthSize, bounds: Bounds = {}): Codec<Uint8Array> {
  return {
    read: (r) => r.take(bounded(r.uint(lengthSize), bounds)),
    write: (w, v) => void w.prefixed(lengthSize, () => w.put(v)),
  };
}

/** Values one behind another, behind a length field that counts their bytes. */
export function vector<T>(lengthSize: LengthSize, item: Codec<T>, bounds: Bounds = {}): Codec<readonly T[]> {
  return {
    read: (r) => {
      const inside = r.scope(bounded(r.uint(lengthSize), bounds));
      const items: T[] = [];
      while (inside.left > 0) {
        const before = inside.left;
        items.push(item.read(inside));
        if (inside.left === before) throw new DecodeError("an item without bytes");
      }
      return items;
    },
    write: (w, v) =>
      void w.prefixed(lengthSize, () => {
        for (const each of v) item.write(w, each);
      }),
  };
}

/** A value that fills a length-prefixed block exactly. */
export function block<T>(lengthSize: LengthSize, inner: Codec<T>): Codec<T> {
  return {
    read: (r) => {
      const inside = r.scope(r.uint(lengthSize));
      const value = inner.read(inside);
      inside.end();
      return value;
    },
    write: (w, v) => void w.prefixed(lengthSize, () => inner.write(w, v)),
  };
}

type Fields = { readonly [name: string]: Codec<never> | Codec<unknown> };
type ValueOf<F> = { readonly [K in keyof F]: Of<F[K]> };

/** Named fields, in the order in which they are written down. */
export function struct<F extends { readonly [name: string]: unknown }>(fields: F & Fields): Codec<ValueOf<F>> {
  const entries = Object.entries(fields) as readonly [string, Codec<unknown>][];
  return {
    read: (r) => {
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) value[name] = codec.read(r);
      return value as ValueOf<F>;
    },
    write: (w, v) => {
      for (const [name, codec] of entries) codec.write(w, (v as Record<string, unknown>)[name]);
    },
  };
}

function bounded(length: number, { min = 0, max = Number.POSITIVE_INFINITY }: Bounds): number {
  if (length < min || length > max) throw new DecodeError(`length ${length} outside ${min} … ${max}`);
  return length;
}
