import { limits } from "../limits.js";
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "./packet.js";
import { code, rpcHeadSize, writeRpcHead } from "./rpc.js";

/** Bytes of a `received` with one range, without its head; each further range takes eight more. */
const firstSize = 16;
const rangeSize = 8;
/** The delay is told in tenths of a millisecond. */
const delayUnits = 10;
const delayMax = 0xffff;

/** What a `received` needs of the ranges that have come. */
interface Ranges {
  readonly count: number;
  from(index: number): number;
  to(index: number): number;
}

/** Bytes of a `received` with all ranges that may be told. */
export const receiptSizeMax: number = rpcHeadSize + firstSize + rangeSize * (limits.rangesTold - 1);

/**
 * Writes which packets have come: the largest number, how long ago it came, then the length of each range and the gap below it, the
 * newest first. Answers where the RPC ends; ranges for which there is no room are left out.
 */
export function writeReceipt(
  into: Uint8Array,
  at: number,
  ranges: Ranges,
  lowest: number,
  delayMs: number,
  room: number,
): number {
  const newest = ranges.count - 1;
  const fit = Math.floor((room - rpcHeadSize - firstSize) / rangeSize) + 1;
  const told = Math.min(newest - lowest + 1, limits.rangesTold, fit);
  const size = firstSize + rangeSize * (told - 1);
  let next = writeRpcHead(into, at, 0, size);
  into[next] = code.received;
  writeU64(into, next + 1, ranges.to(newest) - 1);
  writeU16(into, next + 9, Math.min(delayMax, Math.round(delayMs * delayUnits)));
  into[next + 11] = told - 1;
  writeU32(into, next + 12, Math.min(0xffff_ffff, ranges.to(newest) - ranges.from(newest)));
  next += firstSize;
  for (let i = 1; i < told; i++, next += rangeSize) {
    const index = newest - i;
    writeU32(into, next, Math.min(0xffff_ffff, ranges.from(index + 1) - ranges.to(index)));
    writeU32(into, next + 4, Math.min(0xffff_ffff, ranges.to(index) - ranges.from(index)));
  }
  return next;
}

/** A `received` as it is read: pairs of the first and the last number of each range, the newest first. */
export class ReceiptView {
  readonly bounds: Float64Array = new Float64Array(2 * limits.rangesTold);
  count = 0;
  delayMs = 0;

  /** False for what is none: lengths of zero, gaps of zero, ranges below the first packet, bytes left over. */
  read(bytes: Uint8Array, at: number, size: number): boolean {
    if (size < firstSize) return false;
    const count = bytes[at + 11]! + 1;
    if (count > limits.rangesTold || size !== firstSize + rangeSize * (count - 1)) return false;
    this.delayMs = readU16(bytes, at + 9) / delayUnits;
    this.count = count;
    const { bounds } = this;
    let last = readU64(bytes, at + 1);
    if (last >= limits.packetsMax) return false;
    let length = readU32(bytes, at + 12);
    let next = at + firstSize;
    for (let i = 0; ; i++, next += rangeSize) {
      const first = last - length + 1;
      if (length === 0 || first < 0) return false;
      bounds[2 * i] = first;
      bounds[2 * i + 1] = last;
      if (i === count - 1) return true;
      const gap = readU32(bytes, next);
      if (gap === 0) return false;
      last = first - 1 - gap;
      length = readU32(bytes, next + 4);
    }
  }
}
