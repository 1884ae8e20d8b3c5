import { DecodeError, Reader } from "../bytes/reader.js";

/** Tags of the few types that keys and signatures are made of (X.690 §8). */
export const Tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  sequence: 0x30,
  context0: 0xa0,
  context1: 0xa1,
  context2: 0xa2,
} as const;

/** The contents of the next element, which must have this tag and a DER length (X.690 §10.1). */
export function element(from: Reader, tag: number): Reader {
  const seen = from.u8();
  if (seen !== tag) throw new DecodeError(`tag 0x${seen.toString(16)} instead of 0x${tag.toString(16)}`);
  return from.scope(length(from));
}

/** The same, or undefined if what comes next has another tag. */
export function optional(from: Reader, tag: number): Reader | undefined {
  return from.left > 0 && from.bytes[from.at] === tag ? element(from, tag) : undefined;
}

/** Contents of an element that is not negative, without the leading zero byte. */
export function unsigned(from: Reader): Uint8Array {
  const bytes = element(from, Tag.integer).rest();
  const [first, second] = bytes;
  if (first === undefined || first >= 0x80) throw new DecodeError("a negative or empty integer");
  if (first !== 0 || bytes.length === 1) return bytes;
  if (second! < 0x80) throw new DecodeError("an integer with a needless zero");
  return bytes.subarray(1);
}

/** A BIT STRING of whole bytes, as keys are. */
export function wholeBits(from: Reader): Uint8Array {
  const bits = element(from, Tag.bitString);
  if (bits.u8() !== 0) throw new DecodeError("a key of odd bits");
  return bits.rest();
}

/** An OBJECT IDENTIFIER in dotted form. */
export function objectIdentifier(from: Reader): string {
  const inside = element(from, Tag.objectIdentifier);
  const arcs: number[] = [];
  while (inside.left > 0) {
    let arc = 0;
    for (let first = true, more = true; more; first = false) {
      const byte = inside.u8();
      if ((first && byte === 0x80) || arc > 2 ** 40) throw new DecodeError("an object identifier that is not minimal");
      arc = arc * 128 + (byte & 0x7f);
      more = byte >= 0x80;
    }
    arcs.push(arc);
  }
  const [top, ...others] = arcs;
  if (top === undefined) throw new DecodeError("an empty object identifier");
  const root = Math.min(2, Math.floor(top / 40));
  return [root, top - 40 * root, ...others].join(".");
}

/** Reads exactly the whole of `bytes` with `read`; undefined if they are anything else. */
export function whole<T>(bytes: Uint8Array, read: (from: Reader) => T): T | undefined {
  try {
    const reader = new Reader(bytes);
    const value = read(reader);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function length(from: Reader): number {
  const first = from.u8();
  if (first < 0x80) return first;
  const size = first & 0x7f;
  if (size === 0 || size > 4) throw new DecodeError("an indefinite or huge length");
  const value = from.uint(size as 1 | 2 | 3 | 4);
  if (value < 0x80 || value < 2 ** (8 * (size - 1))) throw new DecodeError("a length that is not minimal");
  return value;
}
