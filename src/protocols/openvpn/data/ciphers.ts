import type { AeadName, CipherName, CryptoProvider, HashName } from "../../../contract/index.js";

/** A cipher of the data channel (ALG). */
export interface DataCipher {
  /** As files and peers spell it. */
  readonly name: string;
  readonly keySize: number;
  readonly protection: { readonly aead: AeadName; readonly hasBlockLimit: boolean } | { readonly cbc: CipherName };
}

/**
 * Everything that there is, by name: AEADs, and AES-CBC with an HMAC for peers that know nothing newer. CBC is never offered
 * unless `data-ciphers`, `data-ciphers-fallback` or `cipher` names it.
 */
export const dataCiphers: readonly DataCipher[] = [
  { name: "AES-256-GCM", keySize: 32, protection: { aead: "AES-256-GCM", hasBlockLimit: true } },
  { name: "AES-192-GCM", keySize: 24, protection: { aead: "AES-192-GCM", hasBlockLimit: true } },
  { name: "AES-128-GCM", keySize: 16, protection: { aead: "AES-128-GCM", hasBlockLimit: true } },
  { name: "CHACHA20-POLY1305", keySize: 32, protection: { aead: "ChaCha20-Poly1305", hasBlockLimit: false } },
  { name: "AES-256-CBC", keySize: 32, protection: { cbc: "AES-256-CBC" } },
  { name: "AES-192-CBC", keySize: 24, protection: { cbc: "AES-192-CBC" } },
  { name: "AES-128-CBC", keySize: 16, protection: { cbc: "AES-128-CBC" } },
];

/** `--data-ciphers` where nobody says otherwise. */
export const defaultDataCiphers: readonly string[] = ["AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305"];

const byName: ReadonlyMap<string, DataCipher> = new Map(dataCiphers.map((cipher) => [cipher.name, cipher]));

/** Without regard to case; undefined for what does not exist here. */
export const dataCipher = (name: string): DataCipher | undefined => byName.get(name.toUpperCase());

export const canCipher = (crypto: CryptoProvider, { protection }: DataCipher): boolean =>
  crypto.has("aead" in protection ? protection.aead : protection.cbc);

const digests: ReadonlyMap<string, HashName> = new Map([
  ["SHA1", "SHA-1"],
  ["RSA-SHA1", "SHA-1"],
  ["SHA224", "SHA-224"],
  ["SHA256", "SHA-256"],
  ["RSA-SHA256", "SHA-256"],
  ["SHA384", "SHA-384"],
  ["SHA512", "SHA-512"],
  ["RSA-SHA512", "SHA-512"],
]);

/** `--auth`: SHA1 by default, of old. */
export const digestNamed = (name: string): HashName | undefined =>
  digests.get(name.toUpperCase().replace("SHA-", "SHA"));

/** Bytes around a packet inside: IPv6 and UDP, header and packet ID, tag, IV and padding, and a byte of framing. */
export function outerOverhead(cipher: string, auth: HashName): number {
  const outside = 40 + 8;
  const isAead = "aead" in (dataCipher(cipher)?.protection ?? { aead: "" });
  return outside + 4 + 4 + 1 + (isAead ? 16 : digestSizes[auth] + 16 + 16);
}

const digestSizes: Readonly<Record<HashName, number>> = {
  MD5: 16,
  "SHA-1": 20,
  "SHA-224": 28,
  "SHA-256": 32,
  "SHA-384": 48,
  "SHA-512": 64,
  "BLAKE2s-256": 32,
};
