import type { Zlib } from "../contract/index.js";

/** Loaded when it is first used: few protocols compress, and every process has a host. */
const node = (): typeof import("node:zlib") => process.getBuiltinModule("node:zlib");

/** Node's zlib: small pieces, at once. */
export const zlib: Zlib = {
  deflate: (bytes, dictionary) => new Uint8Array(node().deflateSync(bytes, { dictionary })),
  inflate(bytes, dictionary, size) {
    try {
      const plain = node().inflateSync(bytes, { dictionary, maxOutputLength: Math.max(1, size) });
      return plain.length === size ? new Uint8Array(plain) : undefined;
    } catch {
      return undefined;
    }
  },
};
