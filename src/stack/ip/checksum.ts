/**
 * Internet checksum (RFC 1071) over bytes where they lie. The sum is kept unfolded so that parts can be added:
 * `finish(sum(a) + sum(b))`. Every part but the last must have an even size.
 */
export function sum(bytes: Uint8Array, at: number, size: number): number {
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

/** Folds a sum to sixteen bits, not inverted. */
export function fold(total: number): number {
  let low = (total % 0x1_0000) + Math.floor(total / 0x1_0000);
  while (low > 0xffff) low = (low % 0x1_0000) + Math.floor(low / 0x1_0000);
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
