/** Compression in zlib's format (RFC 1950) with a dictionary that both sides know. It belongs to the platform. */
export interface Zlib {
  deflate(bytes: Uint8Array, dictionary: Uint8Array): Uint8Array;
  /** Undefined unless the bytes are a whole stream, made with that dictionary, of exactly `size` bytes; never more is made. */
  inflate(bytes: Uint8Array, dictionary: Uint8Array, size: number): Uint8Array | undefined;
}
