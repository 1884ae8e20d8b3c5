import { concat, equal, fromHex, toHex } from "../../bytes/bytes.js";
import type { Hash, HashName } from "../../contract/crypto.js";

/** The public half of RSA (RFC 8017): nothing here is secret, so plain `bigint` will do. */
export interface RsaPublicKey {
  readonly bits: number;
  readonly modulus: Uint8Array;
  readonly exponent: Uint8Array;
}

/** RSASSA-PKCS1-v1_5, §8.2.2: the encoded message is built and compared whole, so that no parser can be fooled. */
export function verifyPkcs1(key: RsaPublicKey, hash: Hash, message: Uint8Array, signature: Uint8Array): boolean {
  const encoded = recover(key, signature);
  const size = key.modulus.length;
  const digest = concat(fromHex(digestPrefixes[hash.name] ?? ""), hash.digest(message));
  if (!encoded || !digestPrefixes[hash.name] || size < digest.length + 11) return false;
  const expected = new Uint8Array(size).fill(0xff);
  expected[0] = 0;
  expected[1] = 1;
  expected[size - digest.length - 1] = 0;
  expected.set(digest, size - digest.length);
  return equal(encoded, expected);
}

/** RSASSA-PSS, §8.1.2 and §9.1.2, with MGF1 of the same hash and a salt as long as it. */
export function verifyPss(key: RsaPublicKey, hash: Hash, message: Uint8Array, signature: Uint8Array): boolean {
  const recovered = recover(key, signature);
  if (!recovered) return false;
  const bits = key.bits - 1;
  const size = Math.ceil(bits / 8);
  if (size < 2 * hash.size + 2 || (recovered.length > size && recovered[0] !== 0)) return false;
  const encoded = recovered.subarray(recovered.length - size);
  const block = encoded.slice(0, size - hash.size - 1);
  const digest = encoded.subarray(block.length, size - 1);
  const topMask = 0xff >> (8 * size - bits);
  if (encoded[size - 1] !== 0xbc || (block[0]! & ~topMask) !== 0) return false;
  mask(hash, digest, block);
  block[0]! &= topMask;
  const saltAt = block.length - hash.size;
  for (let i = 0; i < saltAt; i++) if (block[i] !== (i === saltAt - 1 ? 1 : 0)) return false;
  return equal(digest, hash.digest(new Uint8Array(8), hash.digest(message), block.subarray(saltAt)));
}

/** signature^exponent mod modulus, as long as the modulus; undefined if the signature is out of range. */
function recover(key: RsaPublicKey, signature: Uint8Array): Uint8Array | undefined {
  if (signature.length !== key.modulus.length) return undefined;
  const modulus = BigInt(`0x${toHex(key.modulus)}`);
  let base = BigInt(`0x${toHex(signature)}`);
  if (base >= modulus) return undefined;
  let power = 1n;
  for (let e = BigInt(`0x${toHex(key.exponent)}`); e > 0n; e >>= 1n) {
    if (e & 1n) power = (power * base) % modulus;
    base = (base * base) % modulus;
  }
  return fromHex(power.toString(16).padStart(2 * key.modulus.length, "0"));
}

/** MGF1, §B.2.1, over the block in place. */
function mask(hash: Hash, seed: Uint8Array, block: Uint8Array): void {
  const counter = new Uint8Array(4);
  for (let at = 0; at < block.length; at += hash.size, counter[3]!++) {
    const stream = hash.digest(seed, counter);
    for (let i = 0; i < stream.length && at + i < block.length; i++) block[at + i]! ^= stream[i]!;
  }
}

/** DigestInfo in front of each hash, §9.2 note 1. */
const digestPrefixes: { readonly [N in HashName]?: string } = {
  MD5: "3020300c06082a864886f70d020505000410",
  "SHA-1": "3021300906052b0e03021a05000414",
  "SHA-224": "302d300d06096086480165030402040500041c",
  "SHA-256": "3031300d060960864801650304020105000420",
  "SHA-384": "3041300d060960864801650304020205000430",
  "SHA-512": "3051300d060960864801650304020305000440",
};
