/**
 * The same memory as a plain Uint8Array. What node:crypto answers is a Buffer, whose `slice` shares memory where a
 * Uint8Array's copies: letting one out would break callers who rely on the copy.
 */
export function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

/** The bytes right-aligned in `size` bytes: OpenSSL drops leading zeros of numbers, protocols keep them. */
export function padded(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return plain(bytes);
  const wide = new Uint8Array(size);
  wide.set(bytes, size - bytes.length);
  return wide;
}

/** JWK's base64url of the bytes. */
export const base64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
