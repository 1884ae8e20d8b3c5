/** Bytes that a packet number needs so that its receiver can tell it from its neighbours (RFC 9000 §A.2). */
export function packetNumberSize(number: number, largestAcked: number): 1 | 2 | 3 | 4 {
  // Twice the range of what is in flight, and never less than two bytes: one saves nothing that counts.
  const range = 2 * (number - largestAcked) + 1;
  return range < 0x1_0000 ? 2 : range < 0x100_0000 ? 3 : 4;
}

/** The whole number of which `truncated` are the last `size` bytes (RFC 9000 §A.3). */
export function decodePacketNumber(truncated: number, size: number, expected: number): number {
  if (expected < 0x4000_0000 && size < 4) return decodeSmall(truncated, 1 << (8 * size), expected);
  const window = 2 ** (8 * size);
  const candidate = expected - (expected % window) + truncated;
  if (candidate <= expected - window / 2 && candidate < 2 ** 62 - window) return candidate + window;
  if (candidate > expected + window / 2 && candidate >= window) return candidate - window;
  return candidate;
}

/** The same for numbers that are small integers to the engine. */
function decodeSmall(truncated: number, window: number, expected: number): number {
  const candidate = (expected & ~(window - 1)) | truncated;
  const half = window >> 1;
  if (candidate <= expected - half) return candidate + window;
  return candidate > expected + half && candidate >= window ? candidate - window : candidate;
}

/** Makes the per-packet nonce: the IV, and the packet number on its last eight bytes (RFC 9001 §5.3). Numbers up to 2^53. */
export function setNonce(nonce: Uint8Array, iv: Uint8Array, number: number): void {
  let low = number % 0x1_0000_0000;
  let high = (number - low) / 0x1_0000_0000;
  for (let i = nonce.length - 9; i >= 0; i--) nonce[i] = iv[i]!;
  for (let i = nonce.length - 1, j = i - 4; i > nonce.length - 5; i--, j--) {
    nonce[i] = iv[i]! ^ (low & 255);
    nonce[j] = iv[j]! ^ (high & 255);
    low >>>= 8;
    high >>>= 8;
  }
}
