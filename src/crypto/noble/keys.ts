import { ed448 } from "@noble/curves/ed448.js";
import { ed25519 } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { copyOf } from "../../bytes/index.js";
import type { PrivateKey, PublicKey, SignatureName } from "../../contract/crypto.js";
import { type SignatureRow, signatures } from "../algorithms.js";
import { misuse } from "../failure.js";
import { type PrivateMaterial, readPrivateKey, writeEllipticKey } from "../private-key.js";
import { fits, type KeyMaterial, type MlDsaMaterial, readPublicKey } from "../public-key.js";
import { hash } from "./hashes.js";
import { mlDsaPrivateKey, mlDsaPublicKey } from "./ml-dsa.js";

const nist = { "P-256": p256, "P-384": p384, "P-521": p521 } as const;
const edwards = { Ed25519: ed25519, Ed448: ed448 } as const;
/** The message is hashed before, and both halves of the curve are fair (`lowS` is Bitcoin's rule). */
const derOfDigest = { prehash: false, lowS: false, format: "der" } as const;

export function publicKey(spki: Uint8Array): PublicKey | undefined {
  const material = readPublicKey(spki);
  if (!material) return undefined;
  if ("key" in material) return mlDsaPublicKey(copyOf(spki), material);
  // The noble packages have no RSA, and a primitive is never written here.
  if ("modulus" in material) return undefined;
  if (material.type === "EC" && !nist[material.curve].utils.isValidPublicKey(material.point, false)) return undefined;
  return new NoblePublicKey(copyOf(spki), material);
}

/** Elliptic and ML-DSA keys only. */
export function privateKey(pkcs8: Uint8Array): PrivateKey | undefined {
  const material = readPrivateKey(pkcs8);
  if (!material) return mlDsaPrivateKey(pkcs8);
  const spki = publicHalf(material);
  const key = spki && publicKey(spki);
  return key && new NoblePrivateKey(material, key);
}

type NobleMaterial = Exclude<KeyMaterial, MlDsaMaterial | { readonly modulus: Uint8Array }>;

class NoblePublicKey implements PublicKey {
  readonly spki: Uint8Array;
  readonly type: PublicKey["type"];
  readonly bits: number;
  declare readonly curve?: "P-256" | "P-384" | "P-521";
  readonly #material: NobleMaterial;

  constructor(spki: Uint8Array, material: NobleMaterial) {
    this.spki = spki;
    this.type = material.type;
    this.bits = material.bits;
    if (material.type === "EC") this.curve = material.curve;
    this.#material = material;
  }

  verify(algorithm: SignatureName, message: Uint8Array, signature: Uint8Array): boolean {
    const row = signatures.get(algorithm);
    if (!row || !fits(row, this.#material)) return false;
    try {
      return verify(this.#material, row, message, signature);
    } catch {
      return false; // Noble throws for what is not even a signature.
    }
  }
}

function verify(key: NobleMaterial, row: SignatureRow, message: Uint8Array, signature: Uint8Array): boolean {
  switch (key.type) {
    case "Ed25519":
    case "Ed448":
      // RFC 8032's own rule and not ZIP 215's.
      return edwards[key.type].verify(signature, message, key.point, { zip215: false });
    case "EC":
      if (row.kind !== "ECDSA") return false;
      return nist[key.curve].verify(signature, hash(row.hash).digest(message), key.point, derOfDigest);
  }
}

class NoblePrivateKey implements PrivateKey {
  readonly publicKey: PublicKey;
  readonly #material: PrivateMaterial;

  constructor(material: PrivateMaterial, publicKey: PublicKey) {
    this.publicKey = publicKey;
    this.#material = material;
  }

  /** Deterministic: EdDSA is, and ECDSA by RFC 6979. */
  sign(algorithm: SignatureName, message: Uint8Array): Uint8Array {
    const row = signatures.get(algorithm);
    const key = this.#material;
    if (row?.kind === "ECDSA" && key.type === "EC" && (row.curve === "any" || row.curve === key.curve)) {
      return nist[key.curve].sign(hash(row.hash).digest(message), key.scalar, derOfDigest);
    }
    if (key.type !== "EC" && row?.kind === key.type) return edwards[key.type].sign(message, key.seed);
    throw misuse("unfit-key", `a key of type ${this.publicKey.type} does not sign with ${algorithm}`);
  }
}

function publicHalf(key: PrivateMaterial): Uint8Array | undefined {
  try {
    return key.type === "EC"
      ? writeEllipticKey(key.curve, nist[key.curve].getPublicKey(key.scalar, false))
      : writeEllipticKey(key.type, edwards[key.type].getPublicKey(key.seed));
  } catch {
    return undefined; // A scalar out of range.
  }
}
