/** IPv4 and IPv6 packets that a packet protocol routes by, read where they lie. */

/** Total length that the packet at `at` declares; zero unless it is an IP packet that fits `size` bytes. */
export function innerLength(bytes: Uint8Array, at: number, size: number): number {
  const version = bytes[at]! >> 4;
  if (version === 4 && size >= 20) {
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    return length >= 20 && length <= size ? length : 0;
  }
  if (version === 6 && size >= 40) {
    const length = 40 + ((bytes[at + 4]! << 8) | bytes[at + 5]!);
    return length <= size ? length : 0;
  }
  return 0;
}

/** Where the source address of the packet at `at` lies. */
export function sourceAt(bytes: Uint8Array, at: number): number {
  return at + (bytes[at]! >> 4 === 4 ? 12 : 8);
}

/** Where its destination lies. */
export function destinationAt(bytes: Uint8Array, at: number): number {
  return at + (bytes[at]! >> 4 === 4 ? 16 : 24);
}
