import type { Secret } from "./secret.js";

/** Source of unpredictable bytes. The simulator's is seeded. */
export interface Entropy {
  /** Fills the whole view and answers it. */
  fill(into: Uint8Array): Uint8Array;
}

export type HashName = "MD5" | "SHA-1" | "SHA-224" | "SHA-256" | "SHA-384" | "SHA-512" | "BLAKE2s-256";

export type AeadName =
  | "AES-128-GCM"
  | "AES-192-GCM"
  /** With the tag cut to twelve bytes (SP 800-38D §5.2.1.2), as Google QUIC has it. */
  | "AES-128-GCM-12"
  | "AES-256-GCM"
  | "AES-128-CCM"
  | "AES-256-CCM"
  | "AES-128-CCM-8"
  | "AES-256-CCM-8"
  | "ChaCha20-Poly1305"
  | "XChaCha20-Poly1305"
  | "XSalsa20-Poly1305";

/**
 * Ciphers without authentication. CBC and ECB take whole blocks: padding is the protocol's business. CFB feeds whole blocks
 * back (SP 800-38A's CFB128) and cuts the last. ChaCha20's `iv` is
 * the block counter (4 bytes, little-endian) and the nonce of RFC 8439; Salsa20's is the nonce, its counter starts at 0.
 */
export type CipherName =
  | "AES-128-CBC"
  | "AES-192-CBC"
  | "AES-256-CBC"
  | "AES-128-CTR"
  | "AES-192-CTR"
  | "AES-256-CTR"
  | "AES-128-ECB"
  | "AES-192-ECB"
  | "AES-256-ECB"
  | "AES-128-CFB"
  | "AES-192-CFB"
  | "AES-256-CFB"
  | "ChaCha20"
  | "Salsa20";

/** Ways for two sides to agree on a secret: Diffie-Hellman groups, KEMs, and their hybrids (all with one shape). */
export type AgreementName =
  | "X25519"
  | "X448"
  | "P-256"
  | "P-384"
  | "P-521"
  | "ffdhe2048"
  | "ffdhe3072"
  | "ffdhe4096"
  | "ffdhe6144"
  | "ffdhe8192"
  | "modp2048"
  | "modp3072"
  | "modp4096"
  | "modp6144"
  | "modp8192"
  | "ML-KEM-512"
  | "ML-KEM-768"
  | "ML-KEM-1024"
  | "X25519MLKEM768"
  | "SecP256r1MLKEM768"
  | "SecP384r1MLKEM1024";

/** Parameter sets of FIPS 204. */
export type MlDsaName = "ML-DSA-44" | "ML-DSA-65" | "ML-DSA-87";

/** Signature algorithms by what they compute; TLS's schemes, X.509's OIDs and IKE's numbers map onto these. */
export type SignatureName =
  | "Ed25519"
  | "Ed448"
  /** Pure, with an empty context (RFC 9881 §3). */
  | MlDsaName
  | `ECDSA-${"P-256" | "P-384" | "P-521" | "any"}-${"SHA-1" | "SHA-224" | "SHA-256" | "SHA-384" | "SHA-512"}`
  | `RSA-PKCS1-${"MD5" | "SHA-1" | "SHA-224" | "SHA-256" | "SHA-384" | "SHA-512"}`
  /** Salt as long as the hash, MGF1 with the same hash; key of type rsaEncryption or id-RSASSA-PSS. */
  | `RSA-PSS-${"SHA-256" | "SHA-384" | "SHA-512"}`;

/** A running digest. */
export interface Hashing {
  update(bytes: Uint8Array): this;
  /** The digest so far. The hashing goes on: transcripts are read many times. */
  digest(): Uint8Array;
  clone(): Hashing;
}

export interface Hash {
  readonly name: HashName;
  /** Bytes of a digest. */
  readonly size: number;
  /** Bytes of an input block, as HMAC needs it. */
  readonly blockSize: number;
  digest(...parts: readonly Uint8Array[]): Uint8Array;
  start(): Hashing;
  /** An HMAC under a fixed key (RFC 2104). */
  hmac(key: Uint8Array): Mac;
}

/** A keyed MAC whose key schedule is kept; compute it as often as you like. */
export interface Mac {
  /** Bytes of a full tag. */
  readonly size: number;
  compute(...parts: readonly Uint8Array[]): Uint8Array;
  /** Writes the full tag into `into` at `at`; for packet paths. */
  computeInto(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number, suffix?: Uint8Array): void;
  destroy(): void;
}

/**
 * An authenticated cipher as a value. Sizes are in bytes. XSalsa20-Poly1305 (NaCl's secretbox) takes no associated data,
 * and its tag stands behind like every other's: NaCl itself writes it in front.
 */
export interface Aead {
  readonly name: AeadName;
  readonly keySize: number;
  readonly nonceSize: number;
  readonly tagSize: number;
  sealer(key: Uint8Array): Sealer;
  opener(key: Uint8Array): Opener;
}

/** One key for sealing; in place, without allocation. After `destroy` every call throws. */
export interface Sealer {
  /**
   * Encrypts `bytes[at … at+size)` in place and writes the tag right behind, so `at + size + tagSize` must not pass
   * the end. The nonce is used whole; never the same twice.
   */
  seal(bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array): void;
  destroy(): void;
}

/** One key for opening. */
export interface Opener {
  /**
   * Verifies and decrypts `bytes[at … at+size)` in place, where `size` counts the tag; the plaintext is the first
   * `size - tagSize` bytes of the range. False if the tag is wrong or the range too short: then the range holds
   * nothing that may be used.
   */
  open(bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array): boolean;
  destroy(): void;
}

export interface Cipher {
  readonly name: CipherName;
  readonly keySize: number;
  /** Zero for ECB. */
  readonly ivSize: number;
  /** One for stream ciphers. */
  readonly blockSize: number;
  encryptor(key: Uint8Array): KeyedCipher;
  decryptor(key: Uint8Array): KeyedCipher;
}

export interface KeyedCipher {
  /** Transforms `bytes[at … at+size)` in place; every call starts afresh from its `iv`. */
  apply(bytes: Uint8Array, at: number, size: number, iv: Uint8Array): void;
  destroy(): void;
}

/** What an initiator keeps until the answer comes. */
export interface AgreementKeys {
  readonly share: Uint8Array;
  readonly privateKey: Secret;
}

/** Key agreement with one shape for Diffie-Hellman and KEMs: initiate, respond, conclude. */
export interface Agreement {
  readonly name: AgreementName;
  /** Bytes of an initiator's share, of a responder's share, of the secret. */
  readonly initiatorShareSize: number;
  readonly responderShareSize: number;
  readonly secretSize: number;
  /** Bytes of a private key: a scalar, or what a provider keeps of a KEM's. A Secret of that size may be concluded with. */
  readonly privateKeySize: number;
  initiate(entropy: Entropy): AgreementKeys;
  /** Undefined if the share is not valid: wrong size, off the curve, out of range, or an all-zero outcome. */
  respond(initiatorShare: Uint8Array, entropy: Entropy): { share: Uint8Array; secret: Secret } | undefined;
  conclude(privateKey: Secret, responderShare: Uint8Array): Secret | undefined;
}

/** A public key that a provider has parsed, from DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7). */
export interface PublicKey {
  /** As it came. */
  readonly spki: Uint8Array;
  readonly type: "RSA" | "RSA-PSS" | "EC" | "Ed25519" | "Ed448" | MlDsaName;
  /** Modulus or field size in bits; of ML-DSA, bits of the whole key. */
  readonly bits: number;
  readonly curve?: "P-256" | "P-384" | "P-521";
  /** False for a wrong signature and for an algorithm that does not fit the key. Never throws. */
  verify(algorithm: SignatureName, message: Uint8Array, signature: Uint8Array): boolean;
}

export interface PrivateKey {
  readonly publicKey: PublicKey;
  /** Throws a `misuse` failure if the algorithm does not fit the key. */
  sign(algorithm: SignatureName, message: Uint8Array): Uint8Array;
}

/** A provider: a table of algorithms. All providers pass the same vectors; a protocol never asks which it has. */
export interface CryptoProvider {
  readonly name: string;
  /** Each look-up throws `misuse/unavailable-algorithm` if the provider lacks the name; `has` asks first. */
  hash(name: HashName): Hash;
  aead(name: AeadName): Aead;
  cipher(name: CipherName): Cipher;
  agreement(name: AgreementName): Agreement;
  /** BLAKE2s with a key, for WireGuard's MACs; `size` is the tag's, 1 … 32 bytes. */
  blake2s(key: Uint8Array, size: number): Mac;
  /** HSalsa20 (NaCl): 32 bytes out of a key of 32 and an input of 16 bytes; with X25519 it makes the key of a box. */
  hsalsa20(key: Uint8Array, input: Uint8Array): Uint8Array;
  has(name: HashName | AeadName | CipherName | AgreementName): boolean;
  /** Undefined if the DER does not hold a key of a supported type. */
  publicKey(spki: Uint8Array): PublicKey | undefined;
  /** From DER PKCS#8 (RFC 5958). Undefined as above. */
  privateKey(pkcs8: Uint8Array): PrivateKey | undefined;
}
