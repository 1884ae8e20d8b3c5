/**
 * Internet checksum (RFC 1071) over bytes where they lie. The sum is kept unfolded so that parts can be added:
 * `finish(sum(a) + sum(b))`. Every part but the last must have an even size.
 */
export function sum(bytes: Uint8Array, at: number, size: number): number {
  const start = bytes.byteOffset + at;
  if ((start & 3) !== 0 || size < wordsFrom || size > wordsTo || at + size > bytes.length) {
    return sumBytes(bytes, at, size);
  }
  const words = wordsOf(bytes.buffer);
  let low = 0;
  let high = 0;
  let i = start >> 2;
  const last = i + (size >> 2);
  // RFC 1071 §2(B): the order of bytes within words does not matter until the end.
  for (const pairs = last - 1; i < pairs; i += 2) {
    const a = words[i]!;
    const b = words[i + 1]!;
    low = (low + (a & 0xffff) + (b & 0xffff)) | 0;
    high = (high + (a >>> 16) + (b >>> 16)) | 0;
  }
  if (i < last) {
    const a = words[i]!;
    low = (low + (a & 0xffff)) | 0;
    high = (high + (a >>> 16)) | 0;
  }
  const folded = fold(low + high);
  const total = isLittleEndian ? ((folded & 0xff) << 8) | (folded >> 8) : folded;
  const rest = size & 3;
  return rest === 0 ? total : total + sumBytes(bytes, at + size - rest, rest);
}

/** Copies bytes that do not overlap and answers their sum: one pass where `sum` would be a second. */
export function copySum(from: Uint8Array, fromAt: number, into: Uint8Array, at: number, size: number): number {
  const source = from.byteOffset + fromAt;
  const target = into.byteOffset + at;
  const fits = fromAt >= 0 && at >= 0 && fromAt + size <= from.length && at + size <= into.length;
  if (!fits) throw new RangeError("bytes outside of their memory");
  if (((source | target) & 3) !== 0 || size < wordsFrom || size > wordsTo) {
    into.set(from.subarray(fromAt, fromAt + size), at);
    return sum(into, at, size);
  }
  const words = wordsOf(from.buffer);
  const copied = wordsOf(into.buffer);
  let low = 0;
  let high = 0;
  let i = source >> 2;
  let j = target >> 2;
  for (const last = i + (size >> 2); i < last; i++, j++) {
    const word = words[i]!;
    copied[j] = word;
    low = (low + (word & 0xffff)) | 0;
    high = (high + (word >>> 16)) | 0;
  }
  const folded = fold(low + high);
  const total = isLittleEndian ? ((folded & 0xff) << 8) | (folded >> 8) : folded;
  const rest = size & 3;
  if (rest === 0) return total;
  for (let k = size - rest; k < size; k++) into[at + k] = from[fromAt + k]!;
  return total + sumBytes(into, at + size - rest, rest);
}

function sumBytes(bytes: Uint8Array, at: number, size: number): number {
  let total = 0;
  let i = at;
  const end = at + size;
  // Four bytes a step; a double holds 2^21 of them without loss.
  for (const last = end - 3; i < last; i += 4) {
    total += ((bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!) >>> 0;
  }
  if (end - i >= 2) {
    total += (bytes[i]! << 8) | bytes[i + 1]!;
    i += 2;
  }
  return i < end ? total + (bytes[i]! << 8) : total;
}

/** Where words are worth it, and as far as the halves of that many cannot overflow. */
const wordsFrom = 64;
const wordsTo = 65_600;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Packets lie in one of two pieces of memory most of the time: what comes and what goes. */
let lastBuffer: ArrayBufferLike = new ArrayBuffer(0);
let lastWords: Uint32Array = new Uint32Array(lastBuffer);
let otherBuffer: ArrayBufferLike = lastBuffer;
let otherWords: Uint32Array = lastWords;

function wordsOf(buffer: ArrayBufferLike): Uint32Array {
  if (buffer === lastBuffer) return lastWords;
  const words = buffer === otherBuffer ? otherWords : new Uint32Array(buffer, 0, buffer.byteLength >> 2);
  otherBuffer = lastBuffer;
  otherWords = lastWords;
  lastBuffer = buffer;
  lastWords = words;
  return words;
}

/** Folds a sum to sixteen bits, not inverted. */
export function fold(total: number): number {
  let low = total < 0x8000_0000 ? (total & 0xffff) + (total >>> 16) : (total % 0x1_0000) + Math.floor(total / 0x1_0000);
  while (low > 0xffff) low = (low & 0xffff) + (low >>> 16);
  return low;
}

/** The checksum field's value. */
export function finish(total: number): number {
  return ~fold(total) & 0xffff;
}

/** Sum of a pseudo header (RFC 9293 §3.1, RFC 8200 §8.1). */
export function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, protocol: number, size: number): number {
  return sum(source, 0, source.length) + sum(destination, 0, destination.length) + protocol + size;
}
