import { DecodeError } from "../bytes/index.js";
import { readAlgorithm } from "./algorithm.js";
import { type DerReader, inside, oidText, Tag } from "./der/index.js";
import { keys } from "./oids.js";

export interface PublicKeyInfo {
  /** The whole SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  readonly algorithm: string;
  /** Dotted curve of an elliptic curve key. */
  readonly curve: string | undefined;
  readonly publicKeyBits: Uint8Array;
}

/**
 * SubjectPublicKeyInfo, RFC 5280 §4.1.2.7, with the parameters that its algorithm has: NULL for RSA (RFC 3279 §2.3.1), a
 * named curve for EC (RFC 5480 §2.1.1), none for EdDSA (RFC 8410 §3) and ML-DSA (RFC 9881 §2). Other algorithms are not looked into.
 */
export function readPublicKeyInfo(reader: DerReader): PublicKeyInfo {
  const outer = reader.take(Tag.sequence);
  const inner = inside(outer);
  const { oid, parameters } = readAlgorithm(inner);
  const publicKeyBits = inner.wholeBits();
  inner.end();
  let curve: string | undefined;
  if (oid === keys.rsaEncryption && !(parameters?.tag === Tag.null && parameters.content.length === 0)) {
    throw new DecodeError("an RSA key whose parameters are not NULL");
  }
  if (bare.has(oid) && parameters) throw new DecodeError("a key with parameters that its algorithm has not");
  if (oid === keys.ecPublicKey) {
    if (parameters?.tag !== Tag.oid) throw new DecodeError("an EC key without a named curve");
    curve = oidText(parameters.content);
  }
  return { spki: outer.raw, algorithm: oid, curve, publicKeyBits };
}

const bare: ReadonlySet<string> = new Set([keys.ed25519, keys.ed448, keys.mlDsa44, keys.mlDsa65, keys.mlDsa87]);
