import { putVarint, varintSize } from "../../../bytes/index.js";
import type { Ranges } from "../../../mechanisms/ranges.js";
import { limits } from "../limits.js";
import { FrameType } from "./frames.js";
import { float16Of, putUint } from "./numbers.js";

// Each writes at `at` and answers where the next goes; `at` itself if it does not fit before `end`.

const sizeCode = (value: number): 0 | 1 | 2 | 3 => (value < 2 ** 8 ? 0 : value < 2 ** 16 ? 1 : value < 2 ** 32 ? 2 : 3);
const sizes = [1, 2, 4, 6] as const;

/** Acknowledges as many ranges as fit, the highest first, without timestamps. */
export function putAck(
  into: Uint8Array,
  at: number,
  end: number,
  ranges: Ranges,
  firstRange: number,
  delayMs: number,
): number {
  const top = ranges.count - 1;
  const largest = ranges.end - 1;
  let longest = 1;
  for (let i = top; i >= firstRange; i--) longest = Math.max(longest, ranges.to(i) - ranges.from(i));
  const largestCode = sizeCode(largest);
  const lengthCode = sizeCode(longest);
  const lengthSize = sizes[lengthCode];
  const isOne = firstRange >= top;
  const head = 1 + sizes[largestCode] + 2 + (isOne ? 0 : 1) + lengthSize;
  if (at + head + 1 > end) return at;
  into[at] = FrameType.ack | (isOne ? 0 : 0x20) | (largestCode << 2) | lengthCode;
  let to = putUint(into, at + 1, sizes[largestCode], largest);
  to = putUint(into, to, 2, float16Of(delayMs * 1000));
  const countAt = to;
  if (!isOne) to++;
  to = putUint(into, to, lengthSize, ranges.to(top) - ranges.from(top));
  let count = 0;
  for (let i = top - 1; i >= firstRange; i--) {
    let gap = ranges.from(i + 1) - ranges.to(i);
    const chained = Math.ceil(gap / 255);
    if (count + chained > limits.ackBlocksMax || to + chained * (1 + lengthSize) + 1 > end) break;
    for (; gap > 255; gap -= 255, count++) {
      into[to] = 255;
      to = putUint(into, to + 1, lengthSize, 0);
    }
    into[to] = gap;
    to = putUint(into, to + 1, lengthSize, ranges.to(i) - ranges.from(i));
    count++;
  }
  if (!isOne) into[countAt] = count;
  into[to] = 0;
  return to + 1;
}

export function putStopWaiting(into: Uint8Array, at: number, end: number, delta: number, numberSize: number): number {
  if (at + 1 + numberSize > end) return at;
  into[at] = FrameType.stopWaiting;
  return putUint(into, at + 1, numberSize, delta);
}

export function putRstStream(
  into: Uint8Array,
  at: number,
  end: number,
  id: number,
  offset: number,
  code: number,
): number {
  if (at + 17 > end) return at;
  into[at] = FrameType.rstStream;
  return putUint(into, putUint(into, putUint(into, at + 1, 4, id), 8, offset), 4, code);
}

/** @param id 0 for the connection */
export function putWindowUpdate(into: Uint8Array, at: number, end: number, id: number, offset: number): number {
  if (at + 13 > end) return at;
  into[at] = FrameType.windowUpdate;
  return putUint(into, putUint(into, at + 1, 4, id), 8, offset);
}

/** @param id 0 for the connection */
export function putBlocked(into: Uint8Array, at: number, end: number, id: number): number {
  if (at + 5 > end) return at;
  into[at] = FrameType.blocked;
  return putUint(into, at + 1, 4, id);
}

/** CONNECTION_CLOSE, with as much of the reason as fits. */
export function putClose(into: Uint8Array, at: number, end: number, code: number, reason: Uint8Array): number {
  if (at + 7 > end) return at;
  const size = Math.min(reason.length, end - at - 7);
  into[at] = FrameType.connectionClose;
  const to = putUint(into, putUint(into, at + 1, 4, code), 2, size);
  into.set(reason.subarray(0, size), to);
  return to + size;
}

/** MESSAGE with its length. */
export function putMessage(into: Uint8Array, at: number, end: number, bytes: Uint8Array): number {
  if (at + 1 + varintSize(bytes.length) + bytes.length > end) return at;
  into[at] = FrameType.message | 1;
  const to = putVarint(into, at + 1, bytes.length);
  into.set(bytes, to);
  return to + bytes.length;
}

/** Bytes before the data of a STREAM frame with a length. */
export const streamHeadSize = (id: number, offset: number): number => 1 + idSize(id) + offsetSize(offset) + 2;

/** The head of a STREAM frame with a length; the data go behind it. */
export function putStreamHead(
  into: Uint8Array,
  at: number,
  id: number,
  offset: number,
  size: number,
  fin: boolean,
): number {
  const forId = idSize(id);
  const forOffset = offsetSize(offset);
  into[at] = FrameType.stream | (fin ? 0x40 : 0) | 0x20 | ((forOffset === 0 ? 0 : forOffset - 1) << 2) | (forId - 1);
  let to = putUint(into, at + 1, forId, id);
  to = putUint(into, to, forOffset, offset);
  return putUint(into, to, 2, size);
}

export const cryptoHeadSize = (offset: number, size: number): number => 1 + varintSize(offset) + varintSize(size);

export function putCryptoHead(into: Uint8Array, at: number, offset: number, size: number): number {
  into[at] = FrameType.crypto;
  return putVarint(into, putVarint(into, at + 1, offset), size);
}

const idSize = (id: number): number => (id < 2 ** 8 ? 1 : id < 2 ** 16 ? 2 : id < 2 ** 24 ? 3 : 4);

/** None for 0, else 2 to 8. */
function offsetSize(offset: number): number {
  if (offset === 0) return 0;
  let size = 2;
  for (let max = 2 ** 16; offset >= max && size < 8; max *= 256) size++;
  return size;
}
