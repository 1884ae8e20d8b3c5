import { readU16 } from "../record/content-type.js";

/** Bytes of a fragment's header: type, length, message_seq, fragment_offset, fragment_length (RFC 9147 §5.2). */
export const fragmentHeaderSize = 12;

/** The header of a handshake message's fragment, read where it stands. One object serves for one after another. */
export class FragmentHeader {
  type = 0;
  /** Of the whole message's body. */
  size = 0;
  sequence = 0;
  offset = 0;
  length = 0;

  /** False unless a fragment stands whole in `bytes[at … end)`, and in its message. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < fragmentHeaderSize) return false;
    this.type = bytes[at]!;
    this.size = readU24(bytes, at + 1);
    this.sequence = readU16(bytes, at + 4);
    this.offset = readU24(bytes, at + 6);
    this.length = readU24(bytes, at + 9);
    if (at + fragmentHeaderSize + this.length > end || this.offset + this.length > this.size) return false;
    // Only an empty message has an empty fragment: others bring nothing forward.
    return this.length > 0 || this.size === 0;
  }
}

export function writeFragmentHeader(
  bytes: Uint8Array,
  at: number,
  type: number,
  size: number,
  sequence: number,
  offset: number,
  length: number,
): void {
  bytes[at] = type;
  writeU24(bytes, at + 1, size);
  bytes[at + 4] = sequence >> 8;
  bytes[at + 5] = sequence & 255;
  writeU24(bytes, at + 6, offset);
  writeU24(bytes, at + 9, length);
}

const readU24 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 16) | readU16(bytes, at + 1);

function writeU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 16;
  bytes[at + 1] = (value >> 8) & 255;
  bytes[at + 2] = value & 255;
}
