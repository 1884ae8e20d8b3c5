import { concat, utf8 as utf8Bytes } from "../../bytes/index.js";
import { oidContent } from "./oid.js";
import { Tag } from "./reader.js";
import { timeText } from "./time.js";

/** One element with this identifier octet, its length in the shortest form. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = parts.length === 1 ? parts[0]! : concat(...parts);
  const length = content.length;
  if (length < 0x80) return concat(Uint8Array.of(tag, length), content);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return concat(Uint8Array.of(tag, 0x80 | octets.length, ...octets), content);
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => element(Tag.sequence, ...parts);

/** A `SET OF`: sorted, as DER wants it (X.690 §11.6). */
export const setOf = (...parts: readonly Uint8Array[]): Uint8Array => element(Tag.set, ...[...parts].sort(byEncoding));

/** `[n] EXPLICIT`. */
export const explicit = (n: number, ...parts: readonly Uint8Array[]): Uint8Array => element(0xa0 | n, ...parts);

/** `[n] IMPLICIT` of a primitive type, from content octets. */
export const implicit = (n: number, content: Uint8Array): Uint8Array => element(0x80 | n, content);

/** From a number, or from the octets of an unsigned magnitude. */
export function integer(value: number | Uint8Array, tag: number = Tag.integer): Uint8Array {
  const magnitude = typeof value === "number" ? numberOctets(value) : value;
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const shortest = magnitude.subarray(start);
  return shortest.length === 0 || shortest[0]! >= 0x80
    ? element(tag, Uint8Array.of(0), shortest)
    : element(tag, shortest);
}

export const boolean = (value: boolean, tag: number = Tag.boolean): Uint8Array =>
  element(tag, Uint8Array.of(value ? 0xff : 0));

export const oid = (text: string): Uint8Array => element(Tag.oid, oidContent(text));
export const octetString = (content: Uint8Array): Uint8Array => element(Tag.octetString, content);
export const nothing = (): Uint8Array => element(Tag.null);

/** Whole octets as a bit string. */
export const bitString = (bytes: Uint8Array, tag: number = Tag.bitString): Uint8Array =>
  element(tag, Uint8Array.of(0), bytes);

/** A named bit list from the numbers of the bits that are set. */
export function namedBits(set: readonly number[], tag: number = Tag.bitString): Uint8Array {
  if (set.length === 0) return element(tag, Uint8Array.of(0));
  const last = Math.max(...set);
  const bytes = new Uint8Array((last >> 3) + 1);
  for (const bit of set) bytes[bit >> 3]! |= 0x80 >> (bit & 7);
  return element(tag, Uint8Array.of(7 - (last & 7)), bytes);
}

export const utf8String = (text: string): Uint8Array => element(Tag.utf8String, utf8Bytes(text));
export const printableString = (text: string): Uint8Array => element(Tag.printableString, utf8Bytes(text));
export const ia5String = (text: string): Uint8Array => element(Tag.ia5String, utf8Bytes(text));

/** UTCTime through 2049, GeneralizedTime from then on (RFC 5280 §4.1.2.5). Fractions of a second are dropped. */
export function time(at: number): Uint8Array {
  const { generalized, text } = timeText(at);
  return element(generalized ? Tag.generalizedTime : Tag.utcTime, utf8Bytes(text));
}

export function generalizedTime(at: number, tag: number = Tag.generalizedTime): Uint8Array {
  const text = new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  return element(tag, utf8Bytes(`${text}Z`));
}

function numberOctets(value: number): Uint8Array {
  const octets: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return Uint8Array.from(octets);
}

function byEncoding(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
