import type { AeadName, AgreementName, CipherName, HashName, MlDsaName, SignatureName } from "../contract/crypto.js";

// What is true of an algorithm whoever computes it. Sizes are in bytes.

export const hashes = {
  MD5: { size: 16, blockSize: 64 },
  "SHA-1": { size: 20, blockSize: 64 },
  "SHA-224": { size: 28, blockSize: 64 },
  "SHA-256": { size: 32, blockSize: 64 },
  "SHA-384": { size: 48, blockSize: 128 },
  "SHA-512": { size: 64, blockSize: 128 },
  "BLAKE2s-256": { size: 32, blockSize: 64 },
} as const satisfies Record<HashName, HashRow>;

export interface HashRow {
  readonly size: number;
  readonly blockSize: number;
}

export const aeads = {
  "AES-128-GCM": { keySize: 16, nonceSize: 12, tagSize: 16 },
  "AES-192-GCM": { keySize: 24, nonceSize: 12, tagSize: 16 },
  "AES-128-GCM-12": { keySize: 16, nonceSize: 12, tagSize: 12 },
  "AES-256-GCM": { keySize: 32, nonceSize: 12, tagSize: 16 },
  "AES-128-CCM": { keySize: 16, nonceSize: 12, tagSize: 16 },
  "AES-256-CCM": { keySize: 32, nonceSize: 12, tagSize: 16 },
  "AES-128-CCM-8": { keySize: 16, nonceSize: 12, tagSize: 8 },
  "AES-256-CCM-8": { keySize: 32, nonceSize: 12, tagSize: 8 },
  "ChaCha20-Poly1305": { keySize: 32, nonceSize: 12, tagSize: 16 },
  "XChaCha20-Poly1305": { keySize: 32, nonceSize: 24, tagSize: 16 },
  "XSalsa20-Poly1305": { keySize: 32, nonceSize: 24, tagSize: 16 },
} as const satisfies Record<AeadName, AeadRow>;

export interface AeadRow {
  readonly keySize: number;
  readonly nonceSize: number;
  readonly tagSize: number;
}

export const ciphers = {
  "AES-128-CBC": { keySize: 16, ivSize: 16, blockSize: 16 },
  "AES-192-CBC": { keySize: 24, ivSize: 16, blockSize: 16 },
  "AES-256-CBC": { keySize: 32, ivSize: 16, blockSize: 16 },
  "AES-128-CTR": { keySize: 16, ivSize: 16, blockSize: 1 },
  "AES-192-CTR": { keySize: 24, ivSize: 16, blockSize: 1 },
  "AES-256-CTR": { keySize: 32, ivSize: 16, blockSize: 1 },
  "AES-128-ECB": { keySize: 16, ivSize: 0, blockSize: 16 },
  "AES-192-ECB": { keySize: 24, ivSize: 0, blockSize: 16 },
  "AES-256-ECB": { keySize: 32, ivSize: 0, blockSize: 16 },
  "AES-128-CFB": { keySize: 16, ivSize: 16, blockSize: 1 },
  "AES-192-CFB": { keySize: 24, ivSize: 16, blockSize: 1 },
  "AES-256-CFB": { keySize: 32, ivSize: 16, blockSize: 1 },
  // The block counter, little-endian in 4 bytes, then the nonce of RFC 8439 §2.4: as RFC 9001 §5.4.4 samples them.
  ChaCha20: { keySize: 32, ivSize: 16, blockSize: 1 },
  // The nonce; the counter starts at zero.
  Salsa20: { keySize: 32, ivSize: 8, blockSize: 1 },
} as const satisfies Record<CipherName, CipherRow>;

export interface CipherRow {
  readonly keySize: number;
  readonly ivSize: number;
  readonly blockSize: number;
}

export const agreements = {
  X25519: { initiatorShareSize: 32, responderShareSize: 32, secretSize: 32 },
  X448: { initiatorShareSize: 56, responderShareSize: 56, secretSize: 56 },
  "P-256": { initiatorShareSize: 65, responderShareSize: 65, secretSize: 32 },
  "P-384": { initiatorShareSize: 97, responderShareSize: 97, secretSize: 48 },
  "P-521": { initiatorShareSize: 133, responderShareSize: 133, secretSize: 66 },
  ffdhe2048: { initiatorShareSize: 256, responderShareSize: 256, secretSize: 256 },
  ffdhe3072: { initiatorShareSize: 384, responderShareSize: 384, secretSize: 384 },
  ffdhe4096: { initiatorShareSize: 512, responderShareSize: 512, secretSize: 512 },
  ffdhe6144: { initiatorShareSize: 768, responderShareSize: 768, secretSize: 768 },
  ffdhe8192: { initiatorShareSize: 1024, responderShareSize: 1024, secretSize: 1024 },
  modp2048: { initiatorShareSize: 256, responderShareSize: 256, secretSize: 256 },
  modp3072: { initiatorShareSize: 384, responderShareSize: 384, secretSize: 384 },
  modp4096: { initiatorShareSize: 512, responderShareSize: 512, secretSize: 512 },
  modp6144: { initiatorShareSize: 768, responderShareSize: 768, secretSize: 768 },
  modp8192: { initiatorShareSize: 1024, responderShareSize: 1024, secretSize: 1024 },
  "ML-KEM-512": { initiatorShareSize: 800, responderShareSize: 768, secretSize: 32 },
  "ML-KEM-768": { initiatorShareSize: 1184, responderShareSize: 1088, secretSize: 32 },
  "ML-KEM-1024": { initiatorShareSize: 1568, responderShareSize: 1568, secretSize: 32 },
  X25519MLKEM768: { initiatorShareSize: 1216, responderShareSize: 1120, secretSize: 64 },
  SecP256r1MLKEM768: { initiatorShareSize: 1249, responderShareSize: 1153, secretSize: 64 },
  SecP384r1MLKEM1024: { initiatorShareSize: 1665, responderShareSize: 1665, secretSize: 80 },
} as const satisfies Record<AgreementName, AgreementRow>;

export interface AgreementRow {
  readonly initiatorShareSize: number;
  readonly responderShareSize: number;
  readonly secretSize: number;
}

export type CurveName = "P-256" | "P-384" | "P-521";

/** Bytes of a field element, which is also the size of a private key. */
export const curves = {
  "P-256": { size: 32, bits: 256 },
  "P-384": { size: 48, bits: 384 },
  "P-521": { size: 66, bits: 521 },
} as const satisfies Record<CurveName, { size: number; bits: number }>;

export type SignatureRow =
  | { readonly kind: "Ed25519" | "Ed448" | MlDsaName }
  | { readonly kind: "ECDSA"; readonly curve: CurveName | "any"; readonly hash: HashName }
  | { readonly kind: "RSA-PKCS1" | "RSA-PSS"; readonly hash: HashName };

/** FIPS 204, table 2. */
export const mlDsas = {
  "ML-DSA-44": { publicKeySize: 1312, signatureSize: 2420 },
  "ML-DSA-65": { publicKeySize: 1952, signatureSize: 3309 },
  "ML-DSA-87": { publicKeySize: 2592, signatureSize: 4627 },
} as const satisfies Record<MlDsaName, { publicKeySize: number; signatureSize: number }>;

const mlDsaNames = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"] as const;
const ecdsaCurves = ["P-256", "P-384", "P-521", "any"] as const;
const ecdsaHashes = ["SHA-1", "SHA-224", "SHA-256", "SHA-384", "SHA-512"] as const;
const pssHashes = ["SHA-256", "SHA-384", "SHA-512"] as const;

/** What each signature algorithm computes. */
export const signatures: ReadonlyMap<SignatureName, SignatureRow> = new Map<SignatureName, SignatureRow>([
  ["Ed25519", { kind: "Ed25519" }],
  ["Ed448", { kind: "Ed448" }],
  ...mlDsaNames.map((kind): [SignatureName, SignatureRow] => [kind, { kind }]),
  ...ecdsaCurves.flatMap((curve) =>
    ecdsaHashes.map((hash): [SignatureName, SignatureRow] => [
      `ECDSA-${curve}-${hash}`,
      { kind: "ECDSA", curve, hash },
    ]),
  ),
  ...(["MD5", ...ecdsaHashes] as const).map((hash): [SignatureName, SignatureRow] => [
    `RSA-PKCS1-${hash}`,
    { kind: "RSA-PKCS1", hash },
  ]),
  ...pssHashes.map((hash): [SignatureName, SignatureRow] => [`RSA-PSS-${hash}`, { kind: "RSA-PSS", hash }]),
]);
