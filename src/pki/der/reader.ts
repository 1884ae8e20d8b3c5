import { DecodeError } from "../../bytes/index.js";
import { limits } from "../limits.js";
import { oidText } from "./oid.js";
import { generalizedTime, utcTime } from "./time.js";

/** Identifier octets of the universal types that X.509 uses. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of context-specific tag `n`: `[n] IMPLICIT` of a primitive type. */
export const context = (n: number): number => 0x80 | n;
/** Identifier octet of `[n] EXPLICIT`, or of `[n] IMPLICIT` of a constructed type. */
export const contextConstructed = (n: number): number => 0xa0 | n;

/** One element: views of the bytes that it was read from. */
export interface Element {
  /** The identifier octet: class, constructed bit and tag number below 31. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Identifier and length octets too. */
  readonly raw: Uint8Array;
  readonly depth: number;
}

/** Trust anchors are chosen, not believed: two blemishes of theirs may be overlooked. */
export type Form = "strict" | "tolerant";

/** A bit string: its octets, and how many bits at the end of the last do not count. */
export interface Bits {
  readonly bytes: Uint8Array;
  readonly unused: number;
}

/**
 * Reads the elements of a constructed value, strictly by X.690 §8 and §10: definite lengths in their shortest form,
 * low tag numbers, nothing behind the end, shortest integers, booleans of 00 and FF, unused bits of zero. Everything it
 * hands out is a view; what is not looked at is not copied. Throws DecodeError.
 */
export class DerReader {
  #bytes: Uint8Array;
  #at = 0;
  #depth: number;

  constructor(bytes: Uint8Array, depth = 0) {
    if (depth > limits.derDepthMax) throw new DecodeError(`DER nested deeper than ${limits.derDepthMax}`);
    this.#bytes = bytes;
    this.#depth = depth;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** The identifier octet of what comes next; undefined at the end. */
  get peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  next(): Element {
    const start = this.#at;
    const bytes = this.#bytes;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined) throw new DecodeError("an element is cut off");
    if ((tag & 0x1f) === 0x1f) throw new DecodeError("a tag number above 30");
    let at = start + 2;
    let length = first;
    if (first >= 0x80) {
      const size = first & 0x7f;
      if (size === 0) throw new DecodeError("an indefinite length, X.690 §10.1");
      if (size > 4) throw new DecodeError("a length of more than four octets");
      length = 0;
      for (let i = 0; i < size; i++) {
        const octet = bytes[at++];
        if (octet === undefined) throw new DecodeError("a length is cut off");
        length = length * 256 + octet;
      }
      if (length < 0x80 || length < 2 ** (8 * (size - 1))) throw new DecodeError("a length not in its shortest form");
    }
    if (length > bytes.length - at) throw new DecodeError("an element passes the end");
    this.#at = at + length;
    return {
      tag,
      content: bytes.subarray(at, at + length),
      raw: bytes.subarray(start, at + length),
      depth: this.#depth,
    };
  }

  /** The next element, which must have this identifier octet. */
  take(tag: number): Element {
    if (this.peek !== tag) throw new DecodeError(`tag ${hex(tag)} wanted, ${hex(this.peek)} found`);
    return this.next();
  }

  /** The next element if it has this identifier octet. */
  maybe(tag: number): Element | undefined {
    return this.peek === tag ? this.next() : undefined;
  }

  sequence(tag: number = Tag.sequence): DerReader {
    return inside(this.take(tag));
  }

  maybeConstructed(tag: number): DerReader | undefined {
    const element = this.maybe(tag);
    return element && inside(element);
  }

  /** `[n] EXPLICIT` around exactly one value. */
  maybeExplicit<T>(n: number, read: (inner: DerReader) => T): T | undefined {
    const inner = this.maybeConstructed(contextConstructed(n));
    if (!inner) return undefined;
    const value = read(inner);
    inner.end();
    return value;
  }

  /** `SEQUENCE OF`, read to its end; `max` bounds the count. */
  sequenceOf<T>(read: (inner: DerReader) => T, max: number, tag: number = Tag.sequence): T[] {
    const inner = this.sequence(tag);
    const values: T[] = [];
    while (inner.more) {
      if (values.length >= max) throw new DecodeError(`more than ${max} values`);
      values.push(read(inner));
    }
    return values;
  }

  /** The elements of a `SET OF`, which DER sorts by their encodings (X.690 §11.6). */
  setOf(max: number, tag: number = Tag.set): Element[] {
    const inner = this.sequence(tag);
    const elements: Element[] = [];
    while (inner.more) {
      const element = inner.next();
      const before = elements.at(-1);
      if (before && compare(before.raw, element.raw) > 0) throw new DecodeError("a SET OF is not sorted, X.690 §11.6");
      if (elements.length >= max) throw new DecodeError(`more than ${max} values`);
      elements.push(element);
    }
    return elements;
  }

  /** Content octets of an integer: two's complement, shortest form. */
  integer(tag: number = Tag.integer): Uint8Array {
    return integerContent(this.take(tag).content);
  }

  /** An integer of 0 … 2^31-1. */
  smallInteger(tag: number = Tag.integer): number {
    return toSmall(this.integer(tag));
  }

  maybeSmallInteger(tag: number): number | undefined {
    return this.peek === tag ? this.smallInteger(tag) : undefined;
  }

  boolean(tag: number = Tag.boolean): boolean {
    return toBoolean(this.take(tag).content);
  }

  /** A `BOOLEAN DEFAULT FALSE`: DER leaves the default out, so a written FALSE is an error (X.690 §11.5). */
  defaultFalse(tag: number = Tag.boolean): boolean {
    if (this.peek !== tag) return false;
    if (!this.boolean(tag)) throw new DecodeError("a DEFAULT value is written, X.690 §11.5");
    return true;
  }

  oid(): string {
    return oidText(this.take(Tag.oid).content);
  }

  octets(tag: number = Tag.octetString): Uint8Array {
    return this.take(tag).content;
  }

  bits(tag: number = Tag.bitString): Bits {
    return toBits(this.take(tag).content);
  }

  /** A bit string that holds octets, as keys and signatures do. */
  wholeBits(tag: number = Tag.bitString): Uint8Array {
    const { bytes, unused } = this.bits(tag);
    if (unused !== 0) throw new DecodeError("a bit string that is not whole octets");
    return bytes;
  }

  /**
   * A named bit list: DER drops the zeros at its end (X.690 §11.2.2), which trust anchors in wide use forget. Bit 0 is
   * the first.
   */
  namedBits(tag: number = Tag.bitString, form: Form = "strict"): readonly boolean[] {
    const { bytes, unused } = this.bits(tag);
    const count = bytes.length * 8 - unused;
    const flags = Array.from({ length: count }, (_, i) => ((bytes[i >> 3]! >> (7 - (i & 7))) & 1) === 1);
    if (form === "strict" && count > 0 && !flags[count - 1]) {
      throw new DecodeError("zero bits at the end of a named bit list, X.690 §11.2.2");
    }
    return flags;
  }

  null(): void {
    if (this.take(Tag.null).content.length !== 0) throw new DecodeError("a NULL with content");
  }

  /**
   * UTCTime or GeneralizedTime in the form of RFC 5280 §4.1.2.5: milliseconds since the Unix epoch. Trust anchors in
   * wide use write early dates in the longer form.
   */
  time(form: Form = "strict"): number {
    const element = this.next();
    if (element.tag === Tag.utcTime) return utcTime(element.content);
    if (element.tag !== Tag.generalizedTime) throw new DecodeError("a time wanted");
    const instant = generalizedTime(element.content);
    // dates through 2049 are UTCTime; before 1950 nothing else can say them
    if (form === "strict" && instant >= utcTimeFirst && instant < utcTimeEnd) {
      throw new DecodeError("GeneralizedTime for a year before 2050, RFC 5280 §4.1.2.5");
    }
    return instant;
  }

  generalizedTime(tag: number = Tag.generalizedTime): number {
    return generalizedTime(this.take(tag).content);
  }

  end(): void {
    if (this.more) throw new DecodeError(`${this.#bytes.length - this.#at} bytes behind the end`);
  }
}

/** A reader of what a constructed element holds. */
export const inside = ({ content, depth }: Element): DerReader => new DerReader(content, depth + 1);

/** Checks the content of an integer and answers it. */
export function integerContent(content: Uint8Array): Uint8Array {
  if (content.length === 0) throw new DecodeError("an integer without octets");
  const [first, second = 0] = content;
  if (content.length > 1 && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    throw new DecodeError("an integer not in its shortest form, X.690 §8.3.2");
  }
  return content;
}

export function toSmall(content: Uint8Array): number {
  if (content[0]! >= 0x80) throw new DecodeError("a negative integer");
  if (content.length > 4) throw new DecodeError("an integer above 2^31");
  return content.reduce((value, octet) => value * 256 + octet, 0);
}

export function toBoolean(content: Uint8Array): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) {
    throw new DecodeError("a boolean that is not 00 or FF, X.690 §11.1");
  }
  return content[0] === 0xff;
}

export function toBits(content: Uint8Array): Bits {
  const [unused] = content;
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0)) {
    throw new DecodeError("a bit string with a wrong count of unused bits");
  }
  if (content.at(-1)! & ((1 << unused) - 1) && content.length > 1) {
    throw new DecodeError("unused bits that are not zero, X.690 §11.2.1");
  }
  return { bytes: content.subarray(1), unused };
}

/** Reads exactly one element from bytes that hold nothing else. */
export function readOne<T>(bytes: Uint8Array, read: (reader: DerReader) => T, depth = 0): T {
  const reader = new DerReader(bytes, depth);
  const value = read(reader);
  reader.end();
  return value;
}

/** X.690 §11.6: as octet strings, the shorter padded with zeros behind; which orders a prefix first. */
function compare(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

const hex = (tag: number | undefined): string =>
  tag === undefined ? "the end" : `0x${tag.toString(16).padStart(2, "0")}`;

const utcTimeFirst = Date.UTC(1950, 0, 1);
const utcTimeEnd = Date.UTC(2050, 0, 1);
