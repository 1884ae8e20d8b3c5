import { DecodeError, type Reader } from "../bytes/reader.js";
import type { HashName, MlDsaName } from "../contract/crypto.js";
import { type CurveName, curves, hashes, mlDsas, type SignatureRow } from "./algorithms.js";
import { element, objectIdentifier, optional, Tag, unsigned, whole, wholeBits } from "./der.js";
import { rsaExponentSizeMax, rsaModulusBitsMax, rsaModulusBitsMin } from "./limits.js";

/** What a SubjectPublicKeyInfo says (RFC 5280 §4.1.2.7, RFC 3279, RFC 4055, RFC 5480, RFC 8410, RFC 9881). */
export type KeyMaterial =
  | {
      readonly type: "RSA" | "RSA-PSS";
      readonly bits: number;
      /** Big-endian, without leading zeros. */
      readonly modulus: Uint8Array;
      readonly exponent: Uint8Array;
      /** An RSA-PSS key may be bound to one hash and a least salt (RFC 4055 §3.1). */
      readonly pss?: { readonly hash: HashName; readonly saltSizeMin: number };
    }
  /** `point` is uncompressed: 4, x, y. It is not yet known to be on the curve. */
  | { readonly type: "EC"; readonly bits: number; readonly curve: CurveName; readonly point: Uint8Array }
  | { readonly type: "Ed25519" | "Ed448"; readonly bits: number; readonly point: Uint8Array }
  | MlDsaMaterial;

export interface MlDsaMaterial {
  readonly type: MlDsaName;
  readonly bits: number;
  readonly key: Uint8Array;
}

/** Strict DER, whole, named curves and uncompressed points only; undefined for anything else. */
export function readPublicKey(spki: Uint8Array): KeyMaterial | undefined {
  return whole(spki, (from) => {
    const info = element(from, Tag.sequence);
    const algorithm = element(info, Tag.sequence);
    const read = keyTypes.get(objectIdentifier(algorithm));
    if (!read) throw new DecodeError("a key of another type");
    const key = read(algorithm, wholeBits(info));
    algorithm.end();
    info.end();
    return key;
  });
}

/** Can this key make or check this kind of signature? */
export function fits(row: SignatureRow, key: KeyMaterial): boolean {
  switch (row.kind) {
    case "ECDSA":
      return key.type === "EC" && (row.curve === "any" || row.curve === key.curve);
    case "RSA-PKCS1":
      return key.type === "RSA";
    case "RSA-PSS":
      if (key.type === "RSA") return true;
      return (
        key.type === "RSA-PSS" &&
        (!key.pss || (key.pss.hash === row.hash && key.pss.saltSizeMin <= hashes[row.hash].size))
      );
    default:
      return key.type === row.kind;
  }
}

export const namedCurves: ReadonlyMap<string, CurveName> = new Map([
  ["1.2.840.10045.3.1.7", "P-256"],
  ["1.3.132.0.34", "P-384"],
  ["1.3.132.0.35", "P-521"],
]);

type ReadKey = (parameters: Reader, bits: Uint8Array) => KeyMaterial;

const keyTypes: ReadonlyMap<string, ReadKey> = new Map<string, ReadKey>([
  [
    "1.2.840.113549.1.1.1",
    (parameters, bits) => {
      if (parameters.left > 0) element(parameters, Tag.null).end();
      return { type: "RSA", ...rsa(bits) };
    },
  ],
  [
    "1.2.840.113549.1.1.10",
    (parameters, bits) => {
      const pss = parameters.left > 0 ? pssParameters(element(parameters, Tag.sequence)) : undefined;
      return { type: "RSA-PSS", ...rsa(bits), ...(pss && { pss }) };
    },
  ],
  [
    "1.2.840.10045.2.1",
    (parameters, bits) => {
      const curve = namedCurves.get(objectIdentifier(parameters));
      if (!curve) throw new DecodeError("another curve");
      if (bits.length !== 1 + 2 * curves[curve].size || bits[0] !== 4)
        throw new DecodeError("not an uncompressed point");
      return { type: "EC", bits: curves[curve].bits, curve, point: bits };
    },
  ],
  ["1.3.101.112", edwards("Ed25519", 256, 32)],
  ["1.3.101.113", edwards("Ed448", 456, 57)],
  ["2.16.840.1.101.3.4.3.17", mlDsa("ML-DSA-44")],
  ["2.16.840.1.101.3.4.3.18", mlDsa("ML-DSA-65")],
  ["2.16.840.1.101.3.4.3.19", mlDsa("ML-DSA-87")],
]);

function mlDsa(type: MlDsaName): ReadKey {
  return (_, key) => {
    if (key.length !== mlDsas[type].publicKeySize) throw new DecodeError("a key of another size");
    return { type, bits: 8 * key.length, key };
  };
}

function edwards(type: "Ed25519" | "Ed448", bits: number, size: number): ReadKey {
  return (_, point) => {
    if (point.length !== size) throw new DecodeError("a point of another size");
    return { type, bits, point };
  };
}

function rsa(key: Uint8Array): { bits: number; modulus: Uint8Array; exponent: Uint8Array } {
  const numbers = whole(key, (from) => {
    const pair = element(from, Tag.sequence);
    const modulus = unsigned(pair);
    const exponent = unsigned(pair);
    pair.end();
    return { modulus, exponent };
  });
  if (!numbers) throw new DecodeError("not an RSAPublicKey");
  const { modulus, exponent } = numbers;
  const bits = 8 * modulus.length - (Math.clz32(modulus[0]!) - 24);
  const odd = modulus.at(-1)! & exponent.at(-1)! & 1;
  const small = exponent.length === 1 && exponent[0]! < 3;
  if (bits < rsaModulusBitsMin || bits > rsaModulusBitsMax || exponent.length > rsaExponentSizeMax || !odd || small) {
    throw new DecodeError("an RSA key out of bounds");
  }
  return { bits, modulus, exponent };
}

const hashIdentifiers: ReadonlyMap<string, HashName> = new Map([
  ["1.3.14.3.2.26", "SHA-1"],
  ["2.16.840.1.101.3.4.2.4", "SHA-224"],
  ["2.16.840.1.101.3.4.2.1", "SHA-256"],
  ["2.16.840.1.101.3.4.2.2", "SHA-384"],
  ["2.16.840.1.101.3.4.2.3", "SHA-512"],
]);

/** RSASSA-PSS-params, RFC 4055 §3.1. Both hashes must be the same, as every TLS scheme wants. */
function pssParameters(from: Reader): { hash: HashName; saltSizeMin: number } {
  const hashPart = optional(from, Tag.context0);
  const maskPart = optional(from, Tag.context1);
  const saltPart = optional(from, Tag.context2);
  const trailerPart = optional(from, 0xa3);
  from.end();
  const hash = hashPart ? hashAlgorithm(hashPart) : "SHA-1";
  let maskHash: HashName = "SHA-1";
  if (maskPart) {
    const mask = element(maskPart, Tag.sequence);
    maskPart.end();
    if (objectIdentifier(mask) !== "1.2.840.113549.1.1.8") throw new DecodeError("not MGF1");
    maskHash = hashAlgorithm(mask);
  }
  if (hash !== maskHash) throw new DecodeError("two hashes");
  const salt = saltPart ? unsigned(saltPart) : Uint8Array.of(20);
  saltPart?.end();
  if (trailerPart) {
    const trailer = unsigned(trailerPart);
    trailerPart.end();
    if (trailer.length !== 1 || trailer[0] !== 1) throw new DecodeError("another trailer");
  }
  if (salt.length > 1) throw new DecodeError("a salt that is too long");
  return { hash, saltSizeMin: salt[0]! };
}

function hashAlgorithm(from: Reader): HashName {
  const algorithm = element(from, Tag.sequence);
  from.end();
  const hash = hashIdentifiers.get(objectIdentifier(algorithm));
  if (algorithm.left > 0) element(algorithm, Tag.null).end();
  algorithm.end();
  if (!hash) throw new DecodeError("another hash");
  return hash;
}
