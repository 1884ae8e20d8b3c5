import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { concat, equal, fromHex, toHex } from "../../src/bytes/bytes.js";
import {
  type AeadName,
  type AgreementName,
  type CryptoProvider,
  type Entropy,
  Failure,
  type HashName,
  Secret,
  type SignatureName,
} from "../../src/contract/index.js";
import { expand, extract } from "../../src/crypto/hkdf.js";

type Result = "valid" | "invalid" | "acceptable";
type Case = {
  readonly tcId: number;
  readonly comment?: string;
  readonly flags: readonly string[];
  readonly result: Result;
} & {
  readonly [field: string]: string;
};
interface Group {
  readonly tests: readonly Case[];
  readonly [field: string]: unknown;
}

const folder = new URL("../../../test/vectors/data/", import.meta.url);

export function published<T>(path: string): T {
  return JSON.parse(readFileSync(new URL(path, folder), "utf8")) as T;
}

/** Entropy that gives the bytes of a vector, and nothing behind them. */
export function fixedEntropy(...pieces: readonly Uint8Array[]): Entropy {
  let left = concat(...pieces);
  return {
    fill(into) {
      assert.ok(left.length >= into.length, "the vector has no more bytes");
      into.set(left.subarray(0, into.length));
      left = left.subarray(into.length);
      return into;
    },
  };
}

/** The provider's verdict about one case: true, false, or undefined if the case is outside what the contract offers. */
type Judge = (provider: CryptoProvider, one: Case, group: Group) => boolean | undefined;

/** RSA has no name of its own in a provider: who has finite fields has RSA. */
export const bigNumbers = "ffdhe2048";

/** One row a file: what it needs, how a case is judged, and how many cases must have been judged at least. */
const files: readonly { file: string; needs: string; judge: Judge; cases: number }[] = [
  {
    file: "aes_gcm",
    needs: "AES-128-GCM",
    judge: aead({ 128: "AES-128-GCM", 192: "AES-192-GCM", 256: "AES-256-GCM" }),
    cases: 190,
  },
  { file: "aes_ccm", needs: "AES-128-CCM", judge: aead({ 128: "AES-128-CCM", 256: "AES-256-CCM" }), cases: 60 },
  {
    file: "aes_ccm",
    needs: "AES-128-CCM-8",
    judge: aead({ 128: "AES-128-CCM-8", 256: "AES-256-CCM-8" }, 64),
    cases: 2,
  },
  { file: "chacha20_poly1305", needs: "ChaCha20-Poly1305", judge: aead({ 256: "ChaCha20-Poly1305" }), cases: 300 },
  { file: "xchacha20_poly1305", needs: "XChaCha20-Poly1305", judge: aead({ 256: "XChaCha20-Poly1305" }), cases: 290 },
  { file: "aes_cbc_pkcs5", needs: "AES-128-CBC", judge: cbc, cases: 216 },
  { file: "hmac_sha1", needs: "SHA-1", judge: hmac("SHA-1"), cases: 170 },
  { file: "hmac_sha256", needs: "SHA-256", judge: hmac("SHA-256"), cases: 174 },
  { file: "hmac_sha384", needs: "SHA-384", judge: hmac("SHA-384"), cases: 174 },
  { file: "hmac_sha512", needs: "SHA-512", judge: hmac("SHA-512"), cases: 174 },
  { file: "hkdf_sha1", needs: "SHA-1", judge: hkdf("SHA-1"), cases: 87 },
  { file: "hkdf_sha256", needs: "SHA-256", judge: hkdf("SHA-256"), cases: 86 },
  { file: "hkdf_sha384", needs: "SHA-384", judge: hkdf("SHA-384"), cases: 83 },
  { file: "hkdf_sha512", needs: "SHA-512", judge: hkdf("SHA-512"), cases: 83 },
  { file: "x25519", needs: "X25519", judge: agreement("X25519", 32), cases: 518 },
  { file: "x448", needs: "X448", judge: agreement("X448", 56), cases: 510 },
  { file: "ecdh_secp256r1_ecpoint", needs: "P-256", judge: agreement("P-256", 32), cases: 340 },
  { file: "ecdh_secp384r1_ecpoint", needs: "P-384", judge: agreement("P-384", 48), cases: 700 },
  { file: "ecdh_secp521r1_ecpoint", needs: "P-521", judge: agreement("P-521", 66), cases: 600 },
  { file: "ecdsa_secp256r1_sha256", needs: "P-256", judge: signature(() => "ECDSA-P-256-SHA-256"), cases: 484 },
  { file: "ecdsa_secp384r1_sha384", needs: "P-384", judge: signature(() => "ECDSA-P-384-SHA-384"), cases: 504 },
  { file: "ecdsa_secp521r1_sha512", needs: "P-521", judge: signature(() => "ECDSA-P-521-SHA-512"), cases: 542 },
  { file: "ed25519", needs: "X25519", judge: signature(() => "Ed25519"), cases: 151 },
  { file: "ed448", needs: "X448", judge: signature(() => "Ed448"), cases: 87 },
  { file: "rsa_signature_2048_sha256", needs: bigNumbers, judge: signature(pkcs1), cases: 259 },
  { file: "rsa_signature_2048_sha384", needs: bigNumbers, judge: signature(pkcs1), cases: 258 },
  { file: "rsa_signature_2048_sha512", needs: bigNumbers, judge: signature(pkcs1), cases: 259 },
  { file: "rsa_signature_4096_sha512", needs: bigNumbers, judge: signature(pkcs1), cases: 259 },
  { file: "rsa_pss_2048_sha256_mgf1_32", needs: bigNumbers, judge: signature(pss), cases: 108 },
  { file: "rsa_pss_2048_sha384_mgf1_48", needs: bigNumbers, judge: signature(pss), cases: 141 },
  { file: "rsa_pss_4096_sha512_mgf1_64", needs: bigNumbers, judge: signature(pss), cases: 179 },
  { file: "mlkem_512", needs: "ML-KEM-512", judge: decapsulation("ML-KEM-512"), cases: 193 },
  { file: "mlkem_768", needs: "ML-KEM-768", judge: decapsulation("ML-KEM-768"), cases: 193 },
  { file: "mlkem_1024", needs: "ML-KEM-1024", judge: decapsulation("ML-KEM-1024"), cases: 193 },
  { file: "mlkem_768_encaps", needs: "ML-KEM-768", judge: encapsulation("ML-KEM-768"), cases: 265 },
  { file: "mlkem_768_keygen_seed", needs: "ML-KEM-768", judge: keyGeneration("ML-KEM-768"), cases: 100 },
  { file: "mlkem_512_semi_expanded_decaps", needs: "ML-KEM-512", judge: expanded("ML-KEM-512"), cases: 9 },
  { file: "mlkem_768_semi_expanded_decaps", needs: "ML-KEM-768", judge: expanded("ML-KEM-768"), cases: 9 },
  { file: "mlkem_1024_semi_expanded_decaps", needs: "ML-KEM-1024", judge: expanded("ML-KEM-1024"), cases: 9 },
];

/** Every Wycheproof file, judged by this provider. */
export function wycheproof(provider: CryptoProvider): void {
  for (const { file, needs, judge, cases } of files) {
    if (!provider.has(needs as HashName)) continue;
    test(`${provider.name}: Wycheproof's ${file}, for ${needs}`, () => {
      const { testGroups } = published<{ testGroups: readonly Group[] }>(`wycheproof/${file}_test.json`);
      const wrong: string[] = [];
      let judged = 0;
      for (const group of testGroups) {
        for (const one of group.tests) {
          const verdict = judge(provider, one, group);
          if (verdict === undefined) continue;
          judged++;
          if (one.result !== "acceptable" && verdict !== (one.result === "valid")) {
            wrong.push(`${one.tcId}: ${one.result}, ${one.flags.join(" ")}: ${one.comment ?? ""}`);
          }
        }
      }
      assert.deepEqual(wrong, []);
      assert.ok(judged >= cases, `only ${judged} cases were judged`);
    });
  }
}

const hex = (one: Case, field: string): Uint8Array => fromHex(one[field]!);

function aead(names: { readonly [keyBits: number]: AeadName }, tagBits = 128): Judge {
  return (provider, one, group) => {
    const name = names[Number(group["keySize"])];
    if (name === undefined || Number(group["tagSize"]) !== tagBits) return undefined;
    const algorithm = provider.aead(name);
    if (Number(group["ivSize"]) !== 8 * algorithm.nonceSize) return undefined;
    const [key, nonce, associated, plain] = [hex(one, "key"), hex(one, "iv"), hex(one, "aad"), hex(one, "msg")];
    const expected = concat(hex(one, "ct"), hex(one, "tag"));
    const box = expected.slice();
    const opened =
      algorithm.opener(key).open(box, 0, box.length, nonce, associated) && equal(box.subarray(0, plain.length), plain);
    const sealed = new Uint8Array(plain.length + algorithm.tagSize);
    sealed.set(plain);
    algorithm.sealer(key).seal(sealed, 0, plain.length, nonce, associated);
    assert.equal(opened, equal(sealed, expected), `case ${one.tcId}: sealing and opening disagree`);
    return opened;
  };
}

/** The file is about PKCS #7 padding, which is added and checked here: the contract's CBC takes whole blocks. */
function cbc(provider: CryptoProvider, one: Case, group: Group): boolean {
  const algorithm = provider.cipher(`AES-${group["keySize"] as 128 | 192 | 256}-CBC`);
  const [key, iv, plain, sealed] = [hex(one, "key"), hex(one, "iv"), hex(one, "msg"), hex(one, "ct")];
  if (sealed.length === 0 || sealed.length % 16 !== 0) return false;
  algorithm.decryptor(key).apply(sealed, 0, sealed.length, iv);
  const padding = sealed.at(-1)!;
  const padded = padding >= 1 && padding <= 16 && sealed.subarray(-padding).every((byte) => byte === padding);
  if (!padded || !equal(sealed.subarray(0, -padding), plain)) return false;
  algorithm.encryptor(key).apply(sealed, 0, sealed.length, iv);
  return equal(sealed, hex(one, "ct"));
}

function hmac(name: HashName): Judge {
  return (provider, one, group) => {
    const mac = provider.hash(name).hmac(hex(one, "key"));
    return equal(mac.compute(hex(one, "msg")).subarray(0, Number(group["tagSize"]) / 8), hex(one, "tag"));
  };
}

function hkdf(name: HashName): Judge {
  return (provider, one) => {
    const hash = provider.hash(name);
    const key = extract(hash, hex(one, "salt"), hex(one, "ikm"));
    try {
      return equal(expand(hash, key, hex(one, "info"), Number(one["size"])), hex(one, "okm"));
    } catch (error) {
      assert.ok(error instanceof Failure && error.reason === "too-long");
      return false;
    }
  };
}

function agreement(name: AgreementName, privateSize: number): Judge {
  return (provider, one) => {
    // A compressed point may be taken or not; TLS and the contract take none.
    if (one.flags.includes("CompressedPoint") && one.result !== "invalid") return undefined;
    const digits = one["private"]!.replace(/^0+/, "");
    if (digits.length > 2 * privateSize) return undefined;
    const scalar = /^X/.test(name) ? hex(one, "private") : fromHex(digits.padStart(2 * privateSize, "0"));
    const shared = provider.agreement(name).conclude(new Secret(scalar), hex(one, "public"));
    if (one.flags.includes("ZeroSharedSecret")) assert.equal(shared, undefined, `case ${one.tcId}: an all-zero secret`);
    else if (/^X/.test(name) && one.result !== "invalid")
      assert.ok(shared?.equals(hex(one, "shared")), `case ${one.tcId}`);
    return shared?.equals(hex(one, "shared")) ?? false;
  };
}

function signature(algorithmOf: (group: Group) => SignatureName | undefined): Judge {
  return (provider, one, group) => {
    const algorithm = algorithmOf(group);
    if (algorithm === undefined) return undefined;
    const key = provider.publicKey(fromHex(group["publicKeyDer"] as string));
    return key?.verify(algorithm, hex(one, "msg"), hex(one, "sig")) ?? false;
  };
}

function pkcs1(group: Group): SignatureName {
  return `RSA-PKCS1-${group["sha"] as "SHA-256"}`;
}

/** Only salts as long as the hash, and one hash for both uses: what TLS's schemes say. */
function pss(group: Group): SignatureName | undefined {
  const sizes: Record<string, number> = { "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 };
  const sha = group["sha"] as "SHA-256";
  return sizes[sha] === group["sLen"] && group["mgfSha"] === sha ? `RSA-PSS-${sha}` : undefined;
}

function decapsulation(name: AgreementName): Judge {
  return (provider, one) => {
    const seed = hex(one, "seed");
    if (seed.length !== 64) return false;
    const keys = provider.agreement(name).initiate(fixedEntropy(seed));
    if (one["ek"]) assert.equal(toHex(keys.share), one["ek"]);
    return provider.agreement(name).conclude(keys.privateKey, hex(one, "c"))?.equals(hex(one, "K")) ?? false;
  };
}

function encapsulation(name: AgreementName): Judge {
  return (provider, one) => {
    const answer = provider.agreement(name).respond(hex(one, "ek"), fixedEntropy(hex(one, "m")));
    return answer !== undefined && equal(answer.share, hex(one, "c")) && answer.secret.equals(hex(one, "K"));
  };
}

function keyGeneration(name: AgreementName): Judge {
  return (provider, one) => {
    const keys = provider.agreement(name).initiate(fixedEntropy(hex(one, "seed")));
    return equal(keys.share, hex(one, "ek")) && keys.privateKey.equals(hex(one, "dk"));
  };
}

function expanded(name: AgreementName): Judge {
  return (provider, one) => {
    const secret = provider.agreement(name).conclude(new Secret(hex(one, "dk")), hex(one, "c"));
    if (secret && one["K"]) assert.equal(toHex(secret.expose()), one["K"]);
    return secret !== undefined;
  };
}
