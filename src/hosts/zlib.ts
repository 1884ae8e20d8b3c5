import { deflateSync, inflateSync } from "node:zlib";
import type { Zlib } from "../contract/index.js";

/** Node's zlib: small pieces, at once. */
export const zlib: Zlib = {
  deflate: (bytes, dictionary) => new Uint8Array(deflateSync(bytes, { dictionary })),
  inflate(bytes, dictionary, size) {
    try {
      const plain = inflateSync(bytes, { dictionary, maxOutputLength: Math.max(1, size) });
      return plain.length === size ? new Uint8Array(plain) : undefined;
    } catch {
      return undefined;
    }
  },
};
