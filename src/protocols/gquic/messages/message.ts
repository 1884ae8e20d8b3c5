import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { Tag, tagText } from "./tags.js";

/** A handshake message: a name, and values by their tags (QUIC Crypto, "Handshake messages"). */
export interface Message {
  readonly tag: number;
  readonly values: ReadonlyMap<number, Uint8Array>;
  /** As it stood on the wire: keys are made of it. */
  readonly raw: Uint8Array;
}

const headSize = 8;
const entrySize = 8;

/** Everything inside a message is little-endian, in all versions. */
export const u32Le = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

export function le(value: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let i = 0; i < size; i++) {
    bytes[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** A whole number of up to eight bytes; infinite above 2^53. */
export function fromLe(bytes: Uint8Array): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value;
}

/**
 * Bytes of the message that begins here; undefined while its head is not all there. Refuses what no message may be, so that
 * nobody waits for more than `messageMax` bytes.
 */
export function messageSize(bytes: Uint8Array): number | undefined {
  if (bytes.length < headSize) return undefined;
  const count = bytes[4]! | (bytes[5]! << 8);
  if (count > limits.tagsMax) refuse("too-many-tags", tagText(u32Le(bytes, 0)), `${count} tags`);
  const table = headSize + count * entrySize;
  if (count === 0) return table;
  if (bytes.length < table) return undefined;
  const size = table + u32Le(bytes, table - 4);
  if (size > limits.messageMax) refuse("malformed-message", tagText(u32Le(bytes, 0)), `a message of ${size} bytes`);
  return size;
}

/** Reads a whole message; its values are views of it. */
export function decodeMessage(raw: Uint8Array): Message {
  if (messageSize(raw) !== raw.length)
    refuse("malformed-message", "handshake", "the message does not end where it says");
  const tag = u32Le(raw, 0);
  const count = raw[4]! | (raw[5]! << 8);
  const base = headSize + count * entrySize;
  const values = new Map<number, Uint8Array>();
  let last = -1;
  let from = 0;
  for (let i = 0; i < count; i++) {
    const at = headSize + i * entrySize;
    const name = u32Le(raw, at);
    const to = u32Le(raw, at + 4);
    if (name === last) refuse("duplicate-tag", tagText(tag), `${tagText(name)} twice`);
    if (name < last) refuse("tags-out-of-order", tagText(tag), `${tagText(name)} is not where it belongs`);
    if (to < from || base + to > raw.length || to - from > limits.valueMax) {
      refuse("malformed-message", tagText(tag), `${tagText(name)} has no such length`);
    }
    values.set(name, raw.subarray(base + from, base + to));
    last = name;
    from = to;
  }
  return { tag, values, raw };
}

/** Writes a message, sorted; with PAD if it is to have so many bytes at least. */
export function encodeMessage(tag: number, values: ReadonlyMap<number, Uint8Array>, sizeMin = 0): Uint8Array {
  let entries = [...values];
  let size = headSize + entries.reduce((sum, [, value]) => sum + entrySize + value.length, 0);
  if (size < sizeMin) {
    const pad = Math.max(0, sizeMin - size - entrySize);
    entries = [...entries, [Tag.PAD, new Uint8Array(pad).fill(0x2d)]];
    size += entrySize + pad;
  }
  entries.sort(([a], [b]) => a - b);
  const bytes = new Uint8Array(size);
  bytes.set(le(tag, 4));
  bytes.set(le(entries.length, 2), 4);
  const base = headSize + entries.length * entrySize;
  let end = 0;
  entries.forEach(([name, value], i) => {
    bytes.set(value, base + end);
    end += value.length;
    bytes.set(le(name, 4), headSize + i * entrySize);
    bytes.set(le(end, 4), headSize + i * entrySize + 4);
  });
  return bytes;
}

/** A list of tags, as AEAD and KEXS have it; a rest of less than four bytes is refused. */
export function tagList(bytes: Uint8Array, at: string): number[] {
  if (bytes.length % 4 !== 0) refuse("wrong-parameter", at, `${bytes.length} bytes are no list of tags`);
  return Array.from({ length: bytes.length / 4 }, (_, i) => u32Le(bytes, 4 * i));
}

/** A value that must be there. @param size that it must have, if there is one */
export function required({ tag, values }: Message, name: number, size?: number): Uint8Array {
  const value = values.get(name);
  if (value === undefined) refuse("missing-parameter", tagText(tag), `there is no ${tagText(name)}`);
  if (size !== undefined && value.length !== size) {
    refuse("wrong-parameter", tagText(tag), `${tagText(name)} has ${value.length} bytes rather than ${size}`);
  }
  return value;
}
