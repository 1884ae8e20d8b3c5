import { boxOverhead } from "../../../crypto/index.js";
import { limits } from "../limits.js";

/** A tunnel packet (§4, figure 3): TID, nonce, perhaps C', perhaps a puzzle or its solution, then a box. Integers are big-endian. */
export const nonceAt = 8;
export const optionsAt = 16;
export const keySize = 32;
export const puzzleSize = 148;
/** In the box: sequence number, acknowledgement, then RPCs. */
export const acknowledgementAt = 4;
export const rpcsAt = 8;

/** The two flags are the uppermost bits of the TID's first byte. */
const keyFlag = 0x80;
const puzzleFlag = 0x40;
const tidMask = 0x3f;

/** Smallest box: one with no RPC in it. */
const boxMin = boxOverhead + rpcsAt;

/** A packet's head as it is read: filled again by each `read`. Nothing of it is authentic. */
export class PacketView {
  /** A number that finds the tunnel: 52 of the 62 bits of its identifier. */
  tunnel = 0;
  hasKey = false;
  hasPuzzle = false;
  /** The number of the packet among those of its sender, and whether the sender is a client: odd nonces are (§4.2). */
  number = 0;
  byClient = false;
  keyAt = 0;
  puzzleAt = 0;
  boxAt = 0;
  /** It is a puzzle, and holds no box. */
  isPuzzle = false;

  /** False if there is no packet between `at` and `end`. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < optionsAt + boxMin) return false;
    const flags = bytes[at]!;
    this.hasKey = (flags & keyFlag) !== 0;
    this.hasPuzzle = (flags & puzzleFlag) !== 0;
    this.isPuzzle = this.hasPuzzle && !this.hasKey;
    this.tunnel = tunnelAt(bytes, at);
    const low = readU32(bytes, at + nonceAt + 4);
    this.byClient = (low & 1) === 1;
    this.number = readU32(bytes, at + nonceAt) * 0x8000_0000 + (low >>> 1);
    if (this.number >= limits.packetsMax) return false;
    this.keyAt = at + optionsAt;
    this.puzzleAt = this.keyAt + (this.hasKey ? keySize : 0);
    this.boxAt = this.puzzleAt + (this.hasPuzzle ? puzzleSize : 0);
    return this.isPuzzle ? end === this.boxAt : end - this.boxAt >= boxMin;
  }
}

/** The lower 52 bits of a TID, by which tables are keyed; whoever finds one compares the whole. */
export const tunnelAt = (bytes: Uint8Array, at: number): number =>
  (readU32(bytes, at) & 0xf_ffff) * 0x1_0000_0000 + readU32(bytes, at + 4);

/** Is this the same identifier, flags apart? */
export function isTid(bytes: Uint8Array, at: number, tid: Uint8Array): boolean {
  if ((bytes[at]! & tidMask) !== tid[0]) return false;
  for (let i = 1; i < nonceAt; i++) if (bytes[at + i] !== tid[i]) return false;
  return true;
}

/** An identifier out of eight bytes of chance: the flags are cleared. */
export function asTid(bytes: Uint8Array): Uint8Array {
  bytes[0]! &= tidMask;
  return bytes;
}

/** Writes TID, flags and nonce; answers where the options begin. */
export function writeHead(
  into: Uint8Array,
  at: number,
  tid: Uint8Array,
  hasKey: boolean,
  hasPuzzle: boolean,
  number: number,
  byClient: boolean,
): number {
  into.set(tid, at);
  into[at]! |= (hasKey ? keyFlag : 0) | (hasPuzzle ? puzzleFlag : 0);
  writeNonce(into, at + nonceAt, number, byClient);
  return at + optionsAt;
}

export function writeNonce(into: Uint8Array, at: number, number: number, byClient: boolean): void {
  writeU32(into, at, Math.floor(number / 0x8000_0000));
  writeU32(into, at + 4, (number % 0x8000_0000) * 2 + (byClient ? 1 : 0));
}

/** A box's nonce: "minimaLT", the TID without its flags, the packet's nonce. */
export function boxNonce(tid: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(24);
  for (let i = 0; i < label.length; i++) nonce[i] = label.charCodeAt(i);
  nonce.set(tid, label.length);
  return nonce;
}

const label = "minimaLT";
/** Where the packet's nonce stands in a box's. */
export const nonceAtBoxNonce = 16;

export const readU16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

/** A number of 64 bits; too great a one comes out greater than every limit here. */
export const readU64 = (bytes: Uint8Array, at: number): number =>
  readU32(bytes, at) * 0x1_0000_0000 + readU32(bytes, at + 4);

export function writeU16(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 8;
  into[at + 1] = value;
}

export function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

export function writeU64(into: Uint8Array, at: number, value: number): void {
  writeU32(into, at, Math.floor(value / 0x1_0000_0000));
  writeU32(into, at + 4, value % 0x1_0000_0000);
}
