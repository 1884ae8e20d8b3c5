import { concat } from "../../bytes/bytes.js";
import type { Agreement, AgreementName } from "../../contract/crypto.js";
import { equalInConstantTime, Secret } from "../../contract/secret.js";
import { agreements as sizes } from "../algorithms.js";
import {
  compress,
  decode12,
  decompress,
  encode12,
  multiplyInto,
  restore,
  sampleBinomial,
  sampleUniform,
  tidy,
  transform,
  transformBack,
} from "./polynomial.js";

/*
 * ML-KEM, FIPS 203:
 *
 *   initiator                                        responder
 *   seed → A, s, e;  t = A·s + e
 *                        ek = t, ρ  ─────────►       m → y, e1, e2
 *                                                    u = Aᵀ·y + e1,  v = t·y + e2 + m
 *   m = v - s·u          ◄─────────  c = u, v
 *   again with m: the same c? then K, else a K of c and z that tells nothing
 */

export type MlKemName = Extract<AgreementName, `ML-KEM-${string}`>;

/** The hash functions of FIPS 202 that it is made of. */
export interface Keccak {
  shake128(bytes: Uint8Array, size: number): Uint8Array;
  shake256(bytes: Uint8Array, size: number): Uint8Array;
  sha3x256(bytes: Uint8Array): Uint8Array;
  sha3x512(bytes: Uint8Array): Uint8Array;
}

/** FIPS 203 §8, table 2. */
const sets = {
  "ML-KEM-512": { k: 2, eta1: 3, du: 10, dv: 4 },
  "ML-KEM-768": { k: 3, eta1: 2, du: 10, dv: 4 },
  "ML-KEM-1024": { k: 4, eta1: 2, du: 11, dv: 5 },
} as const satisfies Record<MlKemName, ParameterSet>;

interface ParameterSet {
  readonly k: 2 | 3 | 4;
  readonly eta1: 2 | 3;
  readonly du: number;
  readonly dv: number;
}

/** The agreement. Seeds d and z, and the responder's m, are drawn from the entropy; private keys are expanded (§7.1). */
export function mlKem(name: MlKemName, keccak: Keccak): Agreement {
  const set = sets[name];
  const vectorSize = 384 * set.k;
  const ekSize = vectorSize + 32;
  const privateKeySize = vectorSize + ekSize + 64;
  // The initiator made the matrix already when it made the key.
  const prepared = new WeakMap<Secret, PublicKey>();
  return {
    name,
    ...sizes[name],
    privateKeySize,
    initiate(entropy) {
      const seed = entropy.fill(new Uint8Array(64));
      const { dk, publicKey } = generate(set, keccak, seed);
      seed.fill(0);
      const privateKey = new Secret(dk);
      prepared.set(privateKey, publicKey);
      return { share: dk.slice(vectorSize, vectorSize + ekSize), privateKey };
    },
    respond(ek, entropy) {
      if (ek.length !== ekSize) return undefined;
      const publicKey = readPublicKey(set, keccak, ek);
      if (!publicKey) return undefined;
      // Encaps_internal, Algorithm 17.
      const m = entropy.fill(new Uint8Array(32));
      const keys = keccak.sha3x512(concat(m, publicKey.hash));
      const share = encrypt(set, keccak, publicKey, m, keys.subarray(32));
      const secret = new Secret(keys.slice(0, 32));
      m.fill(0);
      keys.fill(0);
      return { share, secret };
    },
    conclude(privateKey, c) {
      const dk = privateKey.expose();
      if (c.length !== sizes[name].responderShareSize || dk.length !== privateKeySize) return undefined;
      const publicKey =
        prepared.get(privateKey) ?? readPublicKey(set, keccak, dk.subarray(vectorSize, vectorSize + ekSize));
      // The checks of §7.3.
      if (!publicKey || !equalInConstantTime(publicKey.hash, dk.subarray(-64, -32))) return undefined;
      return new Secret(decapsulate(set, keccak, publicKey, dk, c));
    },
  };
}

interface PublicKey {
  /** Transposed: row after row of Aᵀ, transformed. */
  readonly matrix: Int16Array;
  readonly t: Int16Array;
  /** H(ek). */
  readonly hash: Uint8Array;
}

/** KeyGen_internal (Algorithm 16) with K-PKE.KeyGen (Algorithm 13). */
function generate(set: ParameterSet, keccak: Keccak, seed: Uint8Array): { dk: Uint8Array; publicKey: PublicKey } {
  const { k, eta1 } = set;
  const seeds = keccak.sha3x512(concat(seed.subarray(0, 32), Uint8Array.of(k)));
  const [rho, sigma] = [seeds.slice(0, 32), seeds.subarray(32)];
  const matrix = expandMatrix(set, keccak, rho);
  const s = noise(keccak, sigma, 0, k, eta1);
  const e = noise(keccak, sigma, k, k, eta1);
  const t = new Int16Array(256 * k);
  for (let i = 0; i < k; i++) transform(s, 256 * i);
  for (let i = 0; i < k; i++) {
    transform(e, 256 * i);
    const row = t.subarray(256 * i, 256 * i + 256);
    multiplyInto(row, matrix, 256 * i, 256 * k, s, k);
    restore(row);
    for (let j = 0; j < 256; j++) row[j]! += e[256 * i + j]!;
    tidy(row, 0);
  }
  const vectorSize = 384 * k;
  const dk = new Uint8Array(2 * vectorSize + 96);
  for (let i = 0; i < k; i++) {
    encode12(s, 256 * i, dk, 384 * i);
    encode12(t, 256 * i, dk, vectorSize + 384 * i);
  }
  dk.set(rho, 2 * vectorSize);
  const hash = keccak.sha3x256(dk.subarray(vectorSize, 2 * vectorSize + 32));
  dk.set(hash, 2 * vectorSize + 32);
  dk.set(seed.subarray(32), 2 * vectorSize + 64);
  s.fill(0);
  e.fill(0);
  seeds.fill(0);
  return { dk, publicKey: { matrix, t, hash } };
}

/** Undefined unless every number of it is reduced, §7.2. */
function readPublicKey(set: ParameterSet, keccak: Keccak, ek: Uint8Array): PublicKey | undefined {
  const t = new Int16Array(256 * set.k);
  for (let i = 0; i < set.k; i++) if (!decode12(t, 256 * i, ek, 384 * i)) return undefined;
  for (let i = 0; i < set.k; i++) tidy(t, 256 * i);
  return { matrix: expandMatrix(set, keccak, ek.subarray(384 * set.k)), t, hash: keccak.sha3x256(ek) };
}

/** K-PKE.Encrypt, Algorithm 14. */
function encrypt(
  set: ParameterSet,
  keccak: Keccak,
  { matrix, t }: PublicKey,
  m: Uint8Array,
  r: Uint8Array,
): Uint8Array {
  const { k, eta1, du, dv } = set;
  const y = noise(keccak, r, 0, k, eta1);
  const e = noise(keccak, r, k, k + 1, 2);
  for (let i = 0; i < k; i++) transform(y, 256 * i);
  const c = new Uint8Array(32 * (du * k + dv));
  const row = new Int16Array(256);
  const message = new Int16Array(256);
  decompress(message, 0, 1, m, 0);
  for (let i = 0; i < k; i++) {
    multiplyInto(row, matrix, 256 * k * i, 256, y, k);
    transformBack(row, 0);
    for (let j = 0; j < 256; j++) row[j]! += e[256 * i + j]!;
    compress(row, 0, du, c, 32 * du * i);
  }
  multiplyInto(row, t, 0, 256, y, k);
  transformBack(row, 0);
  for (let j = 0; j < 256; j++) row[j]! += e[256 * k + j]! + message[j]!;
  compress(row, 0, dv, c, 32 * du * k);
  for (const secret of [y, e, row, message]) secret.fill(0);
  return c;
}

/** K-PKE.Decrypt, Algorithm 15. */
function decrypt({ k, du, dv }: ParameterSet, dk: Uint8Array, c: Uint8Array): Uint8Array {
  const s = new Int16Array(256 * k);
  const u = new Int16Array(256 * k);
  const v = new Int16Array(256);
  const w = new Int16Array(256);
  for (let i = 0; i < k; i++) {
    decode12(s, 256 * i, dk, 384 * i);
    tidy(s, 256 * i);
    decompress(u, 256 * i, du, c, 32 * du * i);
    transform(u, 256 * i);
  }
  decompress(v, 0, dv, c, 32 * du * k);
  multiplyInto(w, s, 0, 256, u, k);
  transformBack(w, 0);
  for (let j = 0; j < 256; j++) w[j] = v[j]! - w[j]!;
  const m = new Uint8Array(32);
  compress(w, 0, 1, m, 0);
  s.fill(0);
  w.fill(0);
  return m;
}

/** Decaps_internal, Algorithm 18. */
function decapsulate(
  set: ParameterSet,
  keccak: Keccak,
  publicKey: PublicKey,
  dk: Uint8Array,
  c: Uint8Array,
): Uint8Array {
  const m = decrypt(set, dk, c);
  const keys = keccak.sha3x512(concat(m, publicKey.hash));
  const refusal = keccak.shake256(concat(dk.subarray(-32), c), 32);
  const again = encrypt(set, keccak, publicKey, m, keys.subarray(32));
  // Which of the two it is must not be seen in the time: both are made, and the choice is a mask.
  const mask = -Number(equalInConstantTime(c, again)) & 0xff;
  const secret = keys.slice(0, 32);
  for (let i = 0; i < 32; i++) secret[i] = (secret[i]! & mask) | (refusal[i]! & ~mask);
  for (const bytes of [m, keys, refusal]) bytes.fill(0);
  return secret;
}

/** Aᵀ: at row i, column j stands Â[j, i], which is sampled from ρ, i, j (Algorithm 13, line 5). */
function expandMatrix({ k }: ParameterSet, keccak: Keccak, rho: Uint8Array): Int16Array {
  const matrix = new Int16Array(256 * k * k);
  const input = new Uint8Array(34);
  input.set(rho);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      input[32] = i;
      input[33] = j;
      // Four blocks nearly always suffice; a longer stream begins with the same bytes.
      for (let size = 672; !sampleUniform(matrix, 256 * (k * i + j), keccak.shake128(input, size)); size *= 2);
    }
  }
  return matrix;
}

/** `count` polynomials of small coefficients, from the counter `from` on. */
function noise(keccak: Keccak, seed: Uint8Array, from: number, count: number, eta: 2 | 3): Int16Array {
  const small = new Int16Array(256 * count);
  const input = new Uint8Array(33);
  input.set(seed);
  for (let i = 0; i < count; i++) {
    input[32] = from + i;
    const stream = keccak.shake256(input, 64 * eta);
    sampleBinomial(small, 256 * i, stream, eta);
    stream.fill(0);
  }
  input.fill(0);
  return small;
}
