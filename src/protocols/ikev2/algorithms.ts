import type { AgreementName, CryptoProvider, HashName } from "../../contract/index.js";
import { canProtect, Encryption, encryptions, espSuite, Integrity, integrities } from "../esp/index.js";
import { Transform } from "./wire/numbers.js";
import type { TransformChoice } from "./wire/proposal.js";

/** A pseudorandom function: HMAC of a hash (RFC 7296 §3.3.2, RFC 4868 §2.1.2). */
export interface PrfRow {
  readonly id: number;
  /** As swanctl.conf(5) writes it. */
  readonly name: string;
  readonly hash: HashName;
}

export const prfs: readonly PrfRow[] = [
  { id: 5, name: "prfsha256", hash: "SHA-256" },
  { id: 6, name: "prfsha384", hash: "SHA-384" },
  { id: 7, name: "prfsha512", hash: "SHA-512" },
  { id: 2, name: "prfsha1", hash: "SHA-1" },
];

/** The PRF that goes with an integrity algorithm where a proposal names none: of the same hash. */
export const integrityPrf = (integrity: number): number | undefined => {
  const hash = integrities.find(({ id }) => id === integrity)?.hash;
  return prfs.find((row) => row.hash === hash)?.id;
};

/** A key exchange method, transform type 4. */
export interface GroupRow {
  readonly id: number;
  readonly name: string;
  readonly agreement: AgreementName;
  /** How the share stands on the wire: NIST points without the leading 4 of their uncompressed form (RFC 5903 §7). */
  readonly share: "whole" | "point";
  /** A KEM, which needs another method before it (RFC 9370 §2.2.2). */
  readonly onlyAdditional?: boolean;
}

export const groups: readonly GroupRow[] = [
  { id: 31, name: "x25519", agreement: "X25519", share: "whole" },
  { id: 32, name: "x448", agreement: "X448", share: "whole" },
  { id: 19, name: "ecp256", agreement: "P-256", share: "point" },
  { id: 20, name: "ecp384", agreement: "P-384", share: "point" },
  { id: 21, name: "ecp521", agreement: "P-521", share: "point" },
  { id: 14, name: "modp2048", agreement: "modp2048", share: "whole" },
  { id: 15, name: "modp3072", agreement: "modp3072", share: "whole" },
  { id: 16, name: "modp4096", agreement: "modp4096", share: "whole" },
  { id: 17, name: "modp6144", agreement: "modp6144", share: "whole" },
  { id: 18, name: "modp8192", agreement: "modp8192", share: "whole" },
  { id: 35, name: "mlkem512", agreement: "ML-KEM-512", share: "whole", onlyAdditional: true },
  { id: 36, name: "mlkem768", agreement: "ML-KEM-768", share: "whole", onlyAdditional: true },
  { id: 37, name: "mlkem1024", agreement: "ML-KEM-1024", share: "whole", onlyAdditional: true },
];

export const groupOf = (id: number): GroupRow | undefined => groups.find((row) => row.id === id);

export const prfOf = (id: number): PrfRow | undefined => prfs.find((row) => row.id === id);

/** What protects an IKE SA, as it was chosen. */
export interface IkeAlgorithms {
  /** Transform types 1 to 4 in the registry's numbers. */
  readonly encryption: number;
  readonly keyBits: number | undefined;
  readonly integrity: number;
  readonly prf: number;
  readonly group: number;
  /** Key exchanges that follow the first, each in an IKE_INTERMEDIATE exchange (RFC 9370 §2.2.2). */
  readonly additional: readonly number[];
}

/** Encryption and integrity of an IKE SA; undefined for what protects nothing or is not here. */
export function ikeSuite({
  encryption,
  keyBits,
  integrity,
}: Pick<IkeAlgorithms, "encryption" | "keyBits" | "integrity">) {
  const suite = espSuite({ encryption, keyBits, integrity, isExtended: false });
  return suite?.encryption.how === "null" ? undefined : suite;
}

/** Can this provider compute what the transform names? Then it may be offered and chosen. */
export function canTransform(crypto: CryptoProvider, { type, id, keyBits }: TransformChoice): boolean {
  switch (type) {
    case Transform.ENCR: {
      const encryption = encryptions.find((row) => row.id === id && row.keyBits === keyBits);
      return encryption !== undefined && canProtect(crypto, { encryption, integrity: undefined, isExtended: false });
    }
    case Transform.INTEG: {
      const row = integrities.find((each) => each.id === id);
      return id === Integrity.none || (row !== undefined && crypto.has(row.hash));
    }
    case Transform.PRF: {
      const row = prfOf(id);
      return row !== undefined && crypto.has(row.hash);
    }
    case Transform.ESN:
      return id <= 1;
    default: {
      const row = groupOf(id);
      return id === 0 || (row !== undefined && crypto.has(row.agreement));
    }
  }
}

/** Is it an AEAD, beside which there is no integrity algorithm (RFC 5282 §8)? */
export const isAead = (encryption: number): boolean =>
  encryption === Encryption.aesGcm16 || encryption === Encryption.chaCha20Poly1305;

type Word = readonly [string, TransformChoice];
const word = (name: string, type: number, id: number, keyBits?: number): Word => [
  name,
  { type, id, ...(keyBits !== undefined && { keyBits }) },
];

/** The words of swanctl.conf(5) for transforms. */
export const words: ReadonlyMap<string, TransformChoice> = new Map<string, TransformChoice>([
  ...[128, 192, 256].flatMap((keyBits) => [
    word(`aes${keyBits}gcm16`, Transform.ENCR, Encryption.aesGcm16, keyBits),
    word(`aes${keyBits}gcm128`, Transform.ENCR, Encryption.aesGcm16, keyBits),
    word(`aes${keyBits}`, Transform.ENCR, Encryption.aesCbc, keyBits),
  ]),
  word("chacha20poly1305", Transform.ENCR, Encryption.chaCha20Poly1305),
  word("null", Transform.ENCR, Encryption.null),
  word("sha1", Transform.INTEG, Integrity.hmacSha1),
  word("sha256", Transform.INTEG, Integrity.hmacSha256),
  word("sha384", Transform.INTEG, Integrity.hmacSha384),
  word("sha512", Transform.INTEG, Integrity.hmacSha512),
  word("esn", Transform.ESN, 1),
  word("noesn", Transform.ESN, 0),
  ...prfs.map(({ name, id }) => word(name, Transform.PRF, id)),
  ...groups.map(({ name, id }) => word(name, Transform.KE, id)),
  word("curve25519", Transform.KE, 31),
  word("curve448", Transform.KE, 32),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((i) => [
    word(`ke${i}_none`, Transform.ADDKE1 + i - 1, 0),
    ...groups.map(({ name, id }) => word(`ke${i}_${name}`, Transform.ADDKE1 + i - 1, id)),
  ]),
]);
