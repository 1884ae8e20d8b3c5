import { constants, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { copyOf } from "../../../bytes/index.js";
import type { PrivateKey, PublicKey, SignatureName } from "../../../contract/crypto.js";
import { curves, type SignatureRow, signatures, hashes as sizes } from "../../../crypto/algorithms.js";
import { element, Tag, whole } from "../../../crypto/der.js";
import { misuse } from "../../../crypto/failure.js";
import { mlDsaPrivateKey, mlDsaPublicKey } from "../../../crypto/noble/ml-dsa.js";
import { fits, type KeyMaterial, type MlDsaMaterial, readPublicKey } from "../../../crypto/public-key.js";
import { opensslHash } from "./hashes.js";
import { base64url, plain } from "./memory.js";

/** A public key from its SubjectPublicKeyInfo; undefined unless it is sound and of a known type. */
export function publicKey(spki: Uint8Array): PublicKey | undefined {
  const material = readPublicKey(spki);
  if (!material) return undefined;
  if ("key" in material) return mlDsaPublicKey(copyOf(spki), material);
  try {
    return new NodePublicKey(copyOf(spki), material, importKey(spki, material));
  } catch {
    return undefined; // A point off the curve.
  }
}

/** A private key from PKCS#8; undefined unless OpenSSL takes it and its public half is of a known type. */
export function privateKey(pkcs8: Uint8Array): PrivateKey | undefined {
  // OpenSSL would not mind bytes behind the end.
  if (!whole(pkcs8, (from) => element(from, Tag.sequence).rest())) return undefined;
  // Node has ML-DSA from 24 on only
  const mlDsa = mlDsaPrivateKey(pkcs8);
  if (mlDsa) return mlDsa;
  try {
    const key = createPrivateKey({ key: asBuffer(pkcs8), format: "der", type: "pkcs8" });
    const spki = plain(createPublicKey(key).export({ format: "der", type: "spki" }));
    const material = readPublicKey(spki);
    if (!material || "key" in material) return undefined;
    return new NodePrivateKey(key, new NodePublicKey(spki, material, createPublicKey(key)), material);
  } catch {
    return undefined;
  }
}

type NodeMaterial = Exclude<KeyMaterial, MlDsaMaterial>;

class NodePublicKey implements PublicKey {
  readonly spki: Uint8Array;
  readonly type: PublicKey["type"];
  readonly bits: number;
  declare readonly curve?: "P-256" | "P-384" | "P-521";
  readonly #material: NodeMaterial;
  readonly #key: KeyObject;

  constructor(spki: Uint8Array, material: NodeMaterial, key: KeyObject) {
    this.spki = spki;
    this.type = material.type;
    this.bits = material.bits;
    if (material.type === "EC") this.curve = material.curve;
    this.#material = material;
    this.#key = key;
  }

  verify(algorithm: SignatureName, message: Uint8Array, signature: Uint8Array): boolean {
    const row = signatures.get(algorithm);
    if (!row || !fits(row, this.#material)) return false;
    // RFC 8017 §8.1.2: as long as the modulus. OpenSSL takes a PSS signature that lost a leading zero.
    if ("modulus" in this.#material && signature.length !== this.#material.modulus.length) return false;
    try {
      return verify(digestOf(row), message, { key: this.#key, ...paddingOf(row) }, signature);
    } catch {
      return false; // A hash that the platform does not check, as OpenSSL in FIPS mode.
    }
  }
}

class NodePrivateKey implements PrivateKey {
  readonly publicKey: PublicKey;
  readonly #key: KeyObject;
  readonly #material: NodeMaterial;

  constructor(key: KeyObject, publicKey: PublicKey, material: NodeMaterial) {
    this.publicKey = publicKey;
    this.#key = key;
    this.#material = material;
  }

  sign(algorithm: SignatureName, message: Uint8Array): Uint8Array {
    const row = signatures.get(algorithm);
    if (!row || !fits(row, this.#material)) {
      throw misuse("unfit-key", `a key of type ${this.publicKey.type} does not sign with ${algorithm}`);
    }
    return plain(sign(digestOf(row), message, { key: this.#key, ...paddingOf(row) }));
  }
}

function importKey(spki: Uint8Array, material: NodeMaterial): KeyObject {
  // JWK where it was measured to be quicker than OpenSSL's DER decoder.
  switch (material.type) {
    case "RSA":
    case "RSA-PSS":
      return fromJwk({ kty: "RSA", n: base64url(material.modulus), e: base64url(material.exponent) });
    case "Ed25519":
    case "Ed448":
      return fromJwk({ kty: "OKP", crv: material.type, x: base64url(material.point) });
    case "EC": {
      const { curve, point } = material;
      if (curve !== "P-256") return createPublicKey({ key: asBuffer(spki), format: "der", type: "spki" });
      const { size } = curves[curve];
      const x = base64url(point.subarray(1, 1 + size));
      return fromJwk({ kty: "EC", crv: curve, x, y: base64url(point.subarray(1 + size)) });
    }
  }
}

const fromJwk = (key: Record<string, string>): KeyObject => createPublicKey({ key, format: "jwk" });

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

const digestOf = (row: SignatureRow): string | null => ("hash" in row ? opensslHash(row.hash) : null);

function paddingOf(row: SignatureRow): { padding?: number; saltLength?: number } {
  if (row.kind !== "RSA-PSS") return {};
  return { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: sizes[row.hash].size };
}
