import { fromHex } from "../../bytes/index.js";
import { type CryptoProvider, type Entropy, type MlDsaName, Secret } from "../../contract/index.js";
import { write } from "../der/index.js";
import { curves, keys } from "../oids.js";

/** Kinds of keys that can be made from entropy alone. RSA keys come from a host: finding primes is no fun here. */
export type MakableKey = "Ed25519" | "Ed448" | "P-256" | "P-384" | "P-521" | MlDsaName;

/**
 * A new private key as DER PKCS#8 (RFC 5958), for `provider.privateKey`. The caller wipes it. With a provider, a key on a
 * curve of NIST's carries its public half too, as RFC 5915 §3 wishes and GnuTLS insists.
 */
export function makePrivateKey(kind: MakableKey, entropy: Entropy, provider?: CryptoProvider): Secret {
  const row = kinds[kind];
  const octets = new Uint8Array(row.size);
  do {
    entropy.fill(octets);
    octets[0]! &= row.mask;
    // FIPS 186-5 §A.2.2: until the number is in 1 … n-1
  } while (row.order !== undefined && !inRange(octets, fromHex(row.order)));
  const encode = (point?: Uint8Array): Uint8Array =>
    write.sequence(write.integer(0), row.algorithm, write.octetString(row.wrap(octets, point)));
  let der = encode();
  if (provider !== undefined && row.order !== undefined) {
    const spki = provider.privateKey(der)?.publicKey.spki;
    der.fill(0);
    // The uncompressed point ends the SubjectPublicKeyInfo (RFC 5480 §2.2).
    der = encode(spki?.subarray(-(1 + 2 * row.size)));
  }
  octets.fill(0);
  return new Secret(der);
}

interface Kind {
  readonly size: number;
  /** Of the first octet. */
  readonly mask: number;
  readonly order?: string;
  readonly algorithm: Uint8Array;
  wrap(octets: Uint8Array, point?: Uint8Array): Uint8Array;
}

/** RFC 8410 §7 */
const edwards = (oid: string, size: number): Kind => ({
  size,
  mask: 0xff,
  algorithm: write.sequence(write.oid(oid)),
  wrap: (octets) => write.octetString(octets),
});

/** RFC 9881 §6: the seed alone. */
const mlDsa = (oid: string): Kind => ({
  size: 32,
  mask: 0xff,
  algorithm: write.sequence(write.oid(oid)),
  wrap: (octets) => write.implicit(0, octets),
});

/** RFC 5915 §3 */
const weierstrass = (curve: keyof typeof curves, size: number, mask: number, order: string): Kind => ({
  size,
  mask,
  order,
  algorithm: write.sequence(write.oid(keys.ecPublicKey), write.oid(curves[curve])),
  wrap: (octets, point) =>
    write.sequence(
      write.integer(1),
      write.octetString(octets),
      ...(point === undefined ? [] : [write.explicit(1, write.bitString(point))]),
    ),
});

const kinds: Readonly<Record<MakableKey, Kind>> = {
  Ed25519: edwards(keys.ed25519, 32),
  Ed448: edwards(keys.ed448, 57),
  "ML-DSA-44": mlDsa(keys.mlDsa44),
  "ML-DSA-65": mlDsa(keys.mlDsa65),
  "ML-DSA-87": mlDsa(keys.mlDsa87),
  "P-256": weierstrass("P-256", 32, 0xff, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
  "P-384": weierstrass(
    "P-384",
    48,
    0xff,
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
  ),
  "P-521": weierstrass(
    "P-521",
    66,
    0x01,
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  ),
};

/** Is 0 < a < n? Which candidate was thrown away tells nothing of the one that is kept. */
function inRange(a: Uint8Array, n: Uint8Array): boolean {
  if (a.every((octet) => octet === 0)) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== n[i]) return a[i]! < n[i]!;
  return false;
}
