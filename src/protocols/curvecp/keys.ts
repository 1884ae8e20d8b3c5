import type { Entropy } from "../../contract/index.js";

export { Boxes, boxKeySize as keySize, boxOverhead, type KeyPair, openInto, sealInPlace } from "../../crypto/index.js";

/** Where the counter stands in such a nonce. */
export const counterAtNonce = 16;
export const counterSize = 8;

/** A nonce of a short-term key: 16 ASCII bytes, then the counter. */
export function counterNonce(prefix: string): Uint8Array {
  const nonce = new Uint8Array(24);
  for (let i = 0; i < prefix.length; i++) nonce[i] = prefix.charCodeAt(i);
  return nonce;
}

/** A nonce of a long-term or minute key: 8 ASCII bytes, then 16 that are said beside the box. */
export function longNonce(prefix: string, compressed: Uint8Array): Uint8Array {
  const nonce = counterNonce(prefix);
  nonce.set(compressed, 8);
  return nonce;
}

/** Sixteen bytes of a long-term key's nonce. By chance: two key pairs share a box only within one connection. */
export const compressedNonce = (entropy: Entropy): Uint8Array => entropy.fill(new Uint8Array(16));

/** A first counter: by chance below 2^48, as the pages have clients do it. */
export function firstCounter(entropy: Entropy): number {
  const bytes = entropy.fill(new Uint8Array(6));
  let counter = 0;
  for (const byte of bytes) counter = counter * 256 + byte;
  return counter;
}
