import type { AeadName, AgreementName } from "../../contract/index.js";
import type { CurveName } from "../../crypto/algorithms.js";

/** How a TEP agrees on keys (RFC 8548 §5, Table 4). All use HKDF with SHA-256, nonces and secrets of 32 bytes. */
export interface Tep {
  readonly name: string;
  readonly id: number;
  readonly agreement: AgreementName;
  /** NIST curves send compressed points behind a length; the others their share as it is. */
  readonly curve: CurveName | undefined;
}

/** Ours, by preference: the required one first (Table 2), then the recommended. */
export const teps = [
  { name: "TCPCRYPT_ECDHE_Curve25519", id: 0x23, agreement: "X25519", curve: undefined },
  { name: "TCPCRYPT_ECDHE_Curve448", id: 0x24, agreement: "X448", curve: undefined },
  { name: "TCPCRYPT_ECDHE_P256", id: 0x21, agreement: "P-256", curve: "P-256" },
  { name: "TCPCRYPT_ECDHE_P521", id: 0x22, agreement: "P-521", curve: "P-521" },
] as const satisfies readonly Tep[];
export type TepName = (typeof teps)[number]["name"];

/** A cipher of RFC 8548 §6, Table 5. */
export interface SymCipher {
  readonly name: string;
  readonly id: number;
  readonly aead: AeadName;
  readonly keySize: number;
}

export const symCiphers = [
  { name: "AEAD_AES_128_GCM", id: 0x0001, aead: "AES-128-GCM", keySize: 16 },
  { name: "AEAD_AES_256_GCM", id: 0x0002, aead: "AES-256-GCM", keySize: 32 },
  { name: "AEAD_CHACHA20_POLY1305", id: 0x0010, aead: "ChaCha20-Poly1305", keySize: 32 },
] as const satisfies readonly SymCipher[];
export type SymCipherName = (typeof symCiphers)[number]["name"];

/** N_A_LEN, N_B_LEN and K_LEN of all TEPs (§5). */
export const nonceSize = 32;
export const secretSize = 32;
/** ae_nonce_len and the tag of all ciphers (§6). */
export const aeadNonceSize = 12;
export const tagSize = 16;

export const tepById = (id: number): Tep | undefined => teps.find((each) => each.id === id);
export const tepByName = (name: TepName): Tep => teps.find((each) => each.name === name)!;
export const symCipherById = (id: number): SymCipher | undefined => symCiphers.find((each) => each.id === id);
export const symCipherByName = (name: SymCipherName): SymCipher => symCiphers.find((each) => each.name === name)!;
