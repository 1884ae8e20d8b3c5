import type { Reader } from "./reader.js";
import type { Writer } from "./writer.js";

/** Greatest variable-length integer (RFC 9000 §16) that is exact as a number. The format goes to 2^62 - 1. */
export const varintMax = Number.MAX_SAFE_INTEGER;

/** Bytes that the shortest encoding of `value` takes: 1, 2, 4 or 8. */
export function varintSize(value: number): 1 | 2 | 4 | 8 {
  return value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x4000_0000 ? 4 : 8;
}

/**
 * Reads a variable-length integer in any of its encodings (RFC 9000 §16). What is above `varintMax` is read as Infinity:
 * it is greater than everything that it is compared with, and equal to nothing that is known.
 */
export function readVarint(from: Reader): number {
  const first = from.u8();
  const top = first & 0x3f;
  switch (first >> 6) {
    case 0:
      return top;
    case 1:
      return (top << 8) | from.u8();
    case 2:
      return top * 0x100_0000 + from.u24();
    default: {
      const high = top * 0x100_0000 + from.u24();
      const low = from.u32();
      return high >= 0x20_0000 ? Number.POSITIVE_INFINITY : high * 0x1_0000_0000 + low;
    }
  }
}

/** Writes the shortest encoding. Throws a RangeError for what is no whole number from 0 to `varintMax`. */
export function writeVarint(to: Writer, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no variable-length integer`);
  switch (varintSize(value)) {
    case 1:
      to.u8(value);
      break;
    case 2:
      to.u16(value | 0x4000);
      break;
    case 4:
      to.u32(value + 0x8000_0000);
      break;
    default:
      to.u32(Math.floor(value / 0x1_0000_0000) + 0xc000_0000).u32(value % 0x1_0000_0000);
  }
}

/**
 * The same on packet paths, without a reader: the value at `at`, NaN if it does not end before `end`. The next field is at
 * `at + varintSpan(bytes[at])`.
 */
export function varintAt(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return Number.NaN;
  const first = bytes[at]!;
  if (first < 0x40) return first;
  if (at + (1 << (first >> 6)) > end) return Number.NaN;
  const top = first & 0x3f;
  if (first < 0x80) return (top << 8) | bytes[at + 1]!;
  const high = top * 0x100_0000 + ((bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!);
  if (first < 0xc0) return high;
  if (high >= 0x20_0000) return Number.POSITIVE_INFINITY;
  const low = ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | (bytes[at + 6]! << 8) | bytes[at + 7]!) >>> 0;
  return high * 0x1_0000_0000 + low;
}

/** Bytes of the encoding that begins with this byte: 1, 2, 4 or 8. */
export const varintSpan = (first: number): number => 1 << (first >> 6);

/** Writes the shortest encoding at `at` and answers where the next field goes. The caller sees to room and range. */
export function putVarint(into: Uint8Array, at: number, value: number): number {
  return putVarintIn(into, at, value, varintSize(value));
}

/** The same in so many bytes, 1, 2, 4 or 8, which must be enough. */
export function putVarintIn(into: Uint8Array, at: number, value: number, size: number): number {
  const end = at + size;
  if (size === 8) {
    putU32(into, at, Math.floor(value / 0x1_0000_0000));
    putU32(into, at + 4, value % 0x1_0000_0000);
    into[at]! |= 0xc0;
  } else if (size === 4) {
    putU32(into, at, value);
    into[at]! |= 0x80;
  } else if (size === 2) {
    into[at] = 0x40 | (value >> 8);
    into[at + 1] = value;
  } else into[at] = value;
  return end;
}

function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}
