import { concat, utf8 } from "../bytes/bytes.js";
import type { Hash } from "../contract/crypto.js";

/** The pseudorandom function of TLS 1.2 (RFC 5246 §5): `size` bytes out of a secret, a label and a seed. */
export function prf(hash: Hash, secret: Uint8Array, label: string, seed: Uint8Array, size: number): Uint8Array {
  return pHash(hash, secret, concat(utf8(label), seed), size);
}

/** TLS 1.0's (RFC 2246 §5), for protocols that still derive keys with it: MD5 of one half, SHA-1 of the other. */
export function prf10(
  md5: Hash,
  sha1: Hash,
  secret: Uint8Array,
  label: string,
  seed: Uint8Array,
  size: number,
): Uint8Array {
  const half = Math.ceil(secret.length / 2);
  const labelled = concat(utf8(label), seed);
  const bytes = pHash(md5, secret.subarray(0, half), labelled, size);
  const other = pHash(sha1, secret.subarray(secret.length - half), labelled, size);
  for (let i = 0; i < size; i++) bytes[i]! ^= other[i]!;
  return bytes;
}

/** P_hash: A(0) is the seed, A(i) = HMAC(A(i-1)), and the output is HMAC(A(1) + seed) HMAC(A(2) + seed) … */
export function pHash(hash: Hash, secret: Uint8Array, seed: Uint8Array, size: number): Uint8Array {
  const mac = hash.hmac(secret);
  const bytes = new Uint8Array(size);
  let a = seed;
  for (let at = 0; at < size; at += mac.size) {
    a = mac.compute(a);
    const block = mac.compute(a, seed);
    bytes.set(size - at < block.length ? block.subarray(0, size - at) : block, at);
  }
  mac.destroy();
  return bytes;
}
