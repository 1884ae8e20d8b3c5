import { DecodeError, Reader, Writer } from "../../../bytes/index.js";
import { huffmanDecode, huffmanEncode, huffmanSize } from "./huffman.js";
import { readPrefixed, writePrefixed } from "./integers.js";
import { type Field, findLine, findName, staticTable } from "./static-table.js";

/** Field sections larger than this are not unpacked. */
export interface SectionLimits {
  /** Names and values and 32 bytes a line (RFC 9114 §4.2.2). */
  readonly size: number;
  readonly lines: number;
}

/** What a field section has, or that it is larger than we take; nothing of it is known then. */
export type Section = readonly Field[] | "too-large";

/** RFC 9204 §4.5: the patterns of field line representations that need no dynamic table. */
const indexed = 0x80;
const indexedStatic = 0x40;
const nameReference = 0x40;
const nameNeverIndexed = 0x20;
const nameStatic = 0x10;
const literalName = 0x20;
const literalNeverIndexed = 0x10;
const literalHuffman = 0x08;
const valueHuffman = 0x80;

/** Whose values no table on the way may keep (RFC 9204 §7.1.3). */
const neverIndexed: ReadonlySet<string> = new Set(["authorization", "proxy-authorization", "cookie", "set-cookie"]);

/** A field line's share of a section's size. */
export const lineOverhead = 32;

export const sectionSize = (fields: readonly Field[]): number =>
  fields.reduce((size, [name, value]) => size + name.length + value.length + lineOverhead, 0);

/** Packs a field section with the static table alone: no stream ever waits for another. */
export function encodeSection(fields: readonly Field[]): Uint8Array {
  const to = new Writer(512);
  // Required Insert Count and Base: nothing of a dynamic table (RFC 9204 §4.5.1).
  to.u8(0).u8(0);
  for (const [name, value] of fields) {
    const line = findLine(name, value);
    if (line !== undefined) {
      writePrefixed(to, indexed | indexedStatic, 6, line);
      continue;
    }
    const secret = neverIndexed.has(name);
    const known = findName(name);
    if (known !== undefined) writePrefixed(to, nameReference | nameStatic | (secret ? nameNeverIndexed : 0), 4, known);
    else writeText(to, literalName | (secret ? literalNeverIndexed : 0), literalHuffman, 3, name);
    writeText(to, 0, valueHuffman, 7, value);
  }
  return to.take();
}

/** Unpacks a field section. Throws a DecodeError if it is malformed or wants a dynamic table, of which we offer none. */
export function decodeSection(bytes: Uint8Array, limits: SectionLimits): Section {
  const from = new Reader(bytes);
  if (readPrefixed(from, from.u8(), 8) !== 0) throw new DecodeError("a reference to a dynamic table of no capacity");
  // Without references the Base is any number, but none is below zero (RFC 9204 §4.5.1.2).
  const base = from.u8();
  readPrefixed(from, base, 7);
  if (base >= 0x80) throw new DecodeError("a negative Base");
  const fields: Field[] = [];
  let size = 0;
  while (from.left > 0) {
    const field = readLine(from);
    size += field[0].length + field[1].length + lineOverhead;
    if (size > limits.size || fields.length >= limits.lines) return "too-large";
    fields.push(field);
  }
  return fields;
}

function readLine(from: Reader): Field {
  const first = from.u8();
  if (first & indexed) {
    if (!(first & indexedStatic)) throw new DecodeError("a line of the dynamic table");
    return entry(readPrefixed(from, first, 6));
  }
  if (first & nameReference) {
    if (!(first & nameStatic)) throw new DecodeError("a name of the dynamic table");
    const [name] = entry(readPrefixed(from, first, 4));
    return [name, readValue(from)];
  }
  if (!(first & literalName)) throw new DecodeError("a post-base reference");
  const name = readText(from, first, literalHuffman, 3);
  return [name, readValue(from)];
}

const readValue = (from: Reader): string => readText(from, from.u8(), valueHuffman, 7);

function entry(index: number): Field {
  const found = staticTable[index];
  if (found === undefined) throw new DecodeError(`the static table has no entry ${index}`);
  return found;
}

function readText(from: Reader, first: number, huffman: number, prefixBits: number): string {
  const bytes = from.take(readPrefixed(from, first, prefixBits));
  if (!(first & huffman)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const text = huffmanDecode(bytes);
  if (text === undefined) throw new DecodeError("a string that is not in the Huffman code");
  return text;
}

function writeText(to: Writer, pattern: number, huffman: number, prefixBits: number, text: string): void {
  const size = huffmanSize(text);
  if (size < text.length) {
    writePrefixed(to, pattern | huffman, prefixBits, size);
    const packed = new Uint8Array(size);
    huffmanEncode(text, packed, 0);
    to.put(packed);
  } else {
    writePrefixed(to, pattern, prefixBits, text.length);
    to.put(Buffer.from(text, "latin1"));
  }
}
