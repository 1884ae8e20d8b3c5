import { type CryptoProvider, equalInConstantTime, type Hash } from "../../contract/index.js";
import { imageSize, macSize } from "./messages/frame.js";

/** The hash and MAC that nobody negotiates (RFC 6189 §5.1.2.2). */
export const implicitHash = (crypto: CryptoProvider): Hash => crypto.hash("SHA-256");

/** Our hash chain (§9): each image is the hash of the one before, and they are shown in the reverse order. */
export interface HashChain {
  readonly h0: Uint8Array;
  readonly h1: Uint8Array;
  readonly h2: Uint8Array;
  readonly h3: Uint8Array;
}

export function hashChain(hash: Hash, h0: Uint8Array): HashChain {
  const h1 = image(hash, h0);
  const h2 = image(hash, h1);
  return { h0, h1, h2, h3: image(hash, h2) };
}

/** Hashes so many times. */
export function image(hash: Hash, preimage: Uint8Array, times = 1): Uint8Array {
  let value = preimage;
  for (let i = 0; i < times; i++) value = hash.digest(value).subarray(0, imageSize);
  return value;
}

/** Writes the MAC over a message into its last octets (§8.1.1). */
export function seal(hash: Hash, key: Uint8Array, message: Uint8Array): Uint8Array {
  message.set(macOf(hash, key, message), message.length - macSize);
  return message;
}

/** Is the MAC in its last octets that under this image? */
export function isSealed(hash: Hash, key: Uint8Array, message: Uint8Array): boolean {
  return equalInConstantTime(macOf(hash, key, message), message.subarray(message.length - macSize));
}

function macOf(hash: Hash, key: Uint8Array, message: Uint8Array): Uint8Array {
  const mac = hash.hmac(key);
  const tag = mac.compute(message.subarray(0, message.length - macSize)).subarray(0, macSize);
  mac.destroy();
  return tag;
}
