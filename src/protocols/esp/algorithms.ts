import type { AeadName, CipherName, CryptoProvider, HashName } from "../../contract/index.js";
import { headerSize, trailerSize } from "./packet.js";

/**
 * The algorithms of a pair of associations as IKEv2 negotiates them, in the numbers of its registry ("Internet Key Exchange
 * Version 2 (IKEv2) Parameters", transform types 1, 3 and 5).
 */
export interface EspAlgorithms {
  /** Transform type 1 (ENCR). */
  readonly encryption: number;
  /** The Key Length attribute, in bits and without the salt; undefined where the algorithm takes none. */
  readonly keyBits: number | undefined;
  /** Transform type 3 (INTEG); `Integrity.none` beside an AEAD. */
  readonly integrity: number;
  /** Transform type 5: extended sequence numbers of 64 bits (RFC 4304). */
  readonly isExtended: boolean;
}

/** Transform type 1, as far as it exists here. */
export const Encryption = {
  null: 11,
  aesCbc: 12,
  aesGcm16: 20,
  chaCha20Poly1305: 28,
} as const;

/** Transform type 3, as far as it exists here. */
export const Integrity = {
  none: 0,
  hmacSha1: 2,
  hmacSha256: 12,
  hmacSha384: 13,
  hmacSha512: 14,
} as const;

/** How an encryption algorithm works. Sizes are in bytes. */
export interface EncryptionRow {
  readonly id: number;
  readonly keyBits: number | undefined;
  /** As people write it. */
  readonly name: string;
  /** As Wireshark's table of ESP SAs does; its 4.0 does not know ChaCha20-Poly1305 there. */
  readonly wireshark: string | undefined;
  readonly keySize: number;
  /** Behind the key in the keying material (RFC 4106 §8.1, RFC 7634 §2). */
  readonly saltSize: number;
  /** In every packet, in front of what is encrypted. */
  readonly ivSize: number;
  /** What is encrypted is a multiple of this, and of 4 (RFC 4303 §2.4). */
  readonly blockSize: number;
  readonly how: { readonly aead: AeadName } | { readonly cipher: CipherName } | "null";
}

/** One row an encryption algorithm and key size. */
export const encryptions: readonly EncryptionRow[] = [
  gcm(128, { aead: "AES-128-GCM" }),
  gcm(192, { aead: "AES-192-GCM" }),
  gcm(256, { aead: "AES-256-GCM" }),
  {
    id: Encryption.chaCha20Poly1305,
    keyBits: undefined,
    name: "ChaCha20-Poly1305",
    wireshark: undefined,
    keySize: 32,
    saltSize: 4,
    ivSize: 8,
    blockSize: 1,
    how: { aead: "ChaCha20-Poly1305" },
  },
  cbc(128, "AES-128-CBC"),
  cbc(192, "AES-192-CBC"),
  cbc(256, "AES-256-CBC"),
  {
    id: Encryption.null,
    keyBits: undefined,
    name: "NULL",
    wireshark: "NULL",
    keySize: 0,
    saltSize: 0,
    ivSize: 0,
    blockSize: 1,
    how: "null",
  },
];

/** RFC 4106: a salt of four bytes, an explicit IV of eight, a full tag. */
function gcm(keyBits: number, how: { readonly aead: AeadName }): EncryptionRow {
  const names = { name: `AES-GCM-16-${keyBits}`, wireshark: "AES-GCM with 16 octet ICV [RFC4106]" };
  return {
    id: Encryption.aesGcm16,
    keyBits,
    ...names,
    keySize: keyBits / 8,
    saltSize: 4,
    ivSize: 8,
    blockSize: 1,
    how,
  };
}

/** RFC 3602. */
function cbc(keyBits: number, cipher: CipherName): EncryptionRow {
  const row = { keyBits, keySize: keyBits / 8, saltSize: 0, ivSize: 16, blockSize: 16 };
  return { id: Encryption.aesCbc, name: `AES-CBC-${keyBits}`, wireshark: "AES-CBC [RFC3602]", ...row, how: { cipher } };
}

/** How an integrity algorithm works. Sizes are in bytes. */
export interface IntegrityRow {
  readonly id: number;
  readonly name: string;
  /** As Wireshark's table of ESP SAs has it. */
  readonly wireshark: string;
  readonly hash: HashName;
  readonly keySize: number;
  /** Of the tag as it is cut for the packet. */
  readonly icvSize: number;
}

/** One row an integrity algorithm (RFC 4868, RFC 2404). */
export const integrities: readonly IntegrityRow[] = [
  {
    id: Integrity.hmacSha256,
    name: "HMAC-SHA-256-128",
    wireshark: "HMAC-SHA-256-128 [RFC4868]",
    hash: "SHA-256",
    keySize: 32,
    icvSize: 16,
  },
  {
    id: Integrity.hmacSha384,
    name: "HMAC-SHA-384-192",
    wireshark: "HMAC-SHA-384-192 [RFC4868]",
    hash: "SHA-384",
    keySize: 48,
    icvSize: 24,
  },
  {
    id: Integrity.hmacSha512,
    name: "HMAC-SHA-512-256",
    wireshark: "HMAC-SHA-512-256 [RFC4868]",
    hash: "SHA-512",
    keySize: 64,
    icvSize: 32,
  },
  {
    id: Integrity.hmacSha1,
    name: "HMAC-SHA1-96",
    wireshark: "HMAC-SHA-1-96 [RFC2404]",
    hash: "SHA-1",
    keySize: 20,
    icvSize: 12,
  },
];

/** What a pair of associations is protected by. */
export interface EspSuite {
  readonly encryption: EncryptionRow;
  /** Undefined beside an AEAD, which has its own. */
  readonly integrity: IntegrityRow | undefined;
  readonly isExtended: boolean;
}

/** Bytes of the tag of every AEAD here. */
export const aeadTagSize = 16;

/**
 * The suite of these algorithms. Undefined for what does not exist here and for what protects nothing: a cipher without
 * integrity, an AEAD with a second one (RFC 7296 §3.3, RFC 8221 §4).
 */
export function espSuite(algorithms: EspAlgorithms): EspSuite | undefined {
  const { isExtended } = algorithms;
  const encryption = encryptions.find(
    ({ id, keyBits }) => id === algorithms.encryption && keyBits === (algorithms.keyBits ?? undefined),
  );
  if (encryption === undefined) return undefined;
  const integrity = integrities.find(({ id }) => id === algorithms.integrity);
  const isAead = typeof encryption.how === "object" && "aead" in encryption.how;
  if (isAead)
    return algorithms.integrity === Integrity.none ? { encryption, integrity: undefined, isExtended } : undefined;
  return integrity && { encryption, integrity, isExtended };
}

/**
 * Bytes of keying material that one direction takes, in the order in which RFC 7296 §2.17 cuts it: the encryption key, with
 * its salt at the end, then the integrity key. Undefined as `espSuite` has it.
 */
export function keySizes(
  algorithms: EspAlgorithms,
): { readonly encryption: number; readonly integrity: number } | undefined {
  const suite = espSuite(algorithms);
  if (suite === undefined) return undefined;
  const { keySize, saltSize } = suite.encryption;
  return { encryption: keySize + saltSize, integrity: suite.integrity?.keySize ?? 0 };
}

/** Can this provider compute them? */
export function canProtect(crypto: CryptoProvider, { encryption, integrity }: EspSuite): boolean {
  const { how } = encryption;
  const isKnown = how === "null" || crypto.has("aead" in how ? how.aead : how.cipher);
  return isKnown && (integrity === undefined || crypto.has(integrity.hash));
}

/** The largest inner packet whose ESP packet, header to tag, has `size` bytes at the most: blocks are whole. */
export function innerSize({ encryption, integrity }: EspSuite, size: number): number {
  const align = Math.max(4, encryption.blockSize);
  const room = size - headerSize - encryption.ivSize - (integrity?.icvSize ?? aeadTagSize);
  return room - (room % align) - trailerSize;
}
