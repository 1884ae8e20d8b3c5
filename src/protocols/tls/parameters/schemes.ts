import type { PublicKey, SignatureName } from "../../../contract/index.js";

export interface Scheme {
  readonly name: SchemeName;
  readonly id: number;
  /** The algorithm for TLS 1.3, which binds the curve; and for 1.2, which does not. */
  readonly algorithm: SignatureName;
  readonly algorithm12: SignatureName;
  readonly key: PublicKey["type"];
  /** In TLS 1.3 a scheme for ECDSA names its curve. */
  readonly curve: PublicKey["curve"];
  /** May it sign a TLS 1.3 CertificateVerify? PKCS#1 and SHA-1 may not (RFC 9846 §4.3.3). */
  readonly in13: boolean;
}

const row = <N extends string>(
  name: N,
  id: number,
  algorithm: SignatureName,
  key: PublicKey["type"],
  in13 = true,
  algorithm12 = algorithm,
  curve?: PublicKey["curve"],
): {
  name: N;
  id: number;
  algorithm: SignatureName;
  algorithm12: SignatureName;
  key: PublicKey["type"];
  curve: PublicKey["curve"];
  in13: boolean;
} => ({ name, id, algorithm, algorithm12, key, curve, in13 });

/** SignatureScheme, RFC 9846 §4.3.3, in our order of preference. */
export const schemes = [
  row("ecdsa_secp256r1_sha256", 0x0403, "ECDSA-P-256-SHA-256", "EC", true, "ECDSA-any-SHA-256", "P-256"),
  row("ed25519", 0x0807, "Ed25519", "Ed25519"),
  row("rsa_pss_rsae_sha256", 0x0804, "RSA-PSS-SHA-256", "RSA"),
  row("ecdsa_secp384r1_sha384", 0x0503, "ECDSA-P-384-SHA-384", "EC", true, "ECDSA-any-SHA-384", "P-384"),
  row("rsa_pss_rsae_sha384", 0x0805, "RSA-PSS-SHA-384", "RSA"),
  row("ecdsa_secp521r1_sha512", 0x0603, "ECDSA-P-521-SHA-512", "EC", true, "ECDSA-any-SHA-512", "P-521"),
  row("rsa_pss_rsae_sha512", 0x0806, "RSA-PSS-SHA-512", "RSA"),
  row("ed448", 0x0808, "Ed448", "Ed448"),
  row("rsa_pss_pss_sha256", 0x0809, "RSA-PSS-SHA-256", "RSA-PSS"),
  row("rsa_pss_pss_sha384", 0x080a, "RSA-PSS-SHA-384", "RSA-PSS"),
  row("rsa_pss_pss_sha512", 0x080b, "RSA-PSS-SHA-512", "RSA-PSS"),
  row("rsa_pkcs1_sha256", 0x0401, "RSA-PKCS1-SHA-256", "RSA", false),
  row("rsa_pkcs1_sha384", 0x0501, "RSA-PKCS1-SHA-384", "RSA", false),
  row("rsa_pkcs1_sha512", 0x0601, "RSA-PKCS1-SHA-512", "RSA", false),
  row("ecdsa_sha1", 0x0203, "ECDSA-any-SHA-1", "EC", false),
  row("rsa_pkcs1_sha1", 0x0201, "RSA-PKCS1-SHA-1", "RSA", false),
] as const;

export type SchemeName = (typeof schemes)[number]["name"];

export const schemeById: ReadonlyMap<number, Scheme> = new Map(schemes.map((scheme) => [scheme.id, scheme]));
export const schemeByName: ReadonlyMap<string, Scheme> = new Map(schemes.map((scheme) => [scheme.name, scheme]));

/** Can this key make or check signatures of this scheme? */
export function fits(scheme: Scheme, key: PublicKey, version: "1.3" | "1.2"): boolean {
  if (scheme.key !== key.type) return false;
  if (version === "1.2") return true;
  return scheme.in13 && (scheme.curve === undefined || scheme.curve === key.curve);
}
