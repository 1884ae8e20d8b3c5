import type { CryptoProvider, Entropy, Instant, PrivateKey, SignatureName } from "../../contract/index.js";
import { signatureAlgorithm, usualSignature } from "../algorithm.js";
import { type Certificate, parseCertificate } from "../certificate.js";
import { readOne, write } from "../der/index.js";
import type { KeyUsage } from "../extensions.js";
import { PkiFailure } from "../failure.js";
import { parseIp } from "../ip.js";
import { readPublicKeyInfo } from "../public-key-info.js";
import { type ExtensionSpec, extension, type PurposeName, writeExtensions } from "./extensions.js";
import { type AlternativeNameSpec, makeName, type NameSpec } from "./name.js";

/** A certificate as it is to be written, field by field: what the makers below fill in, and tests bend. */
export interface CertificateTemplate {
  readonly version: 1 | 2 | 3;
  /** Octets of the magnitude. */
  readonly serial: Uint8Array;
  /** DER of the names. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  readonly extensions: readonly ExtensionSpec[];
}

/** Writes and signs exactly what the template says; `inside` and `outside` are AlgorithmIdentifiers to bend. */
export function signCertificate(
  template: CertificateTemplate,
  key: PrivateKey,
  algorithm: SignatureName = usualSignature(key.publicKey),
  { inside = signatureAlgorithm(algorithm), outside = inside }: { inside?: Uint8Array; outside?: Uint8Array } = {},
): Uint8Array {
  const tbs = write.sequence(
    ...(template.version === 1 ? [] : [write.explicit(0, write.integer(template.version - 1))]),
    write.integer(template.serial),
    inside,
    template.issuer,
    write.sequence(write.time(template.notBefore), write.time(template.notAfter)),
    template.subject,
    template.spki,
    ...(template.extensions.length > 0 ? [write.explicit(3, writeExtensions(template.extensions))] : []),
  );
  return write.sequence(tbs, outside, write.bitString(key.sign(algorithm, tbs)));
}

/** Who signs: a certificate and its key. */
export interface Issuer {
  readonly certificate: Certificate;
  readonly privateKey: PrivateKey;
}

export interface CertificateOptions {
  readonly provider: CryptoProvider;
  readonly entropy: Entropy;
  /** The subject's key; only its public half goes into the certificate, unless it is its own issuer. */
  readonly key: PrivateKey;
  /** Default: self-signed. */
  readonly issuer?: Issuer;
  /** Default: the first name of `san` as CN (for a host or address), or the empty name. */
  readonly subject?: NameSpec;
  /** Names that verifiers look at. */
  readonly san?: readonly AlternativeNameSpec[];
  readonly notBefore: Instant;
  readonly notAfter: Instant;
  /** Default for an end entity: server and client. None by default for an authority. */
  readonly purposes?: readonly (PurposeName | string)[];
  /** Default: digitalSignature, and keyEncipherment for RSA; keyCertSign and cRLSign for an authority. */
  readonly keyUsage?: readonly KeyUsage[];
  readonly algorithm?: SignatureName;
  /** Default: 16 octets from `entropy`. */
  readonly serial?: Uint8Array;
  /** Put behind the usual ones; one with the same object identifier takes its place. */
  readonly extensions?: readonly ExtensionSpec[];
  /** Object identifiers of usual extensions to leave out. */
  readonly without?: readonly string[];
}

export interface AuthorityOptions extends CertificateOptions {
  readonly subject: NameSpec;
  /** How many authorities may stand between this one and an end entity. Default: no limit. */
  readonly pathLength?: number;
}

/** An end-entity certificate that both profiles accept. */
export const makeCertificate = (options: CertificateOptions): Certificate => make(options, undefined);

/** A certificate of a certification authority; self-signed without an `issuer`. */
export const makeAuthority = (options: AuthorityOptions): Certificate =>
  make(options, { pathLength: options.pathLength });

/** The template that the makers sign: for those who want to change it first. */
export function certificateTemplate(
  options: CertificateOptions,
  authority: { readonly pathLength?: number | undefined } | undefined,
): CertificateTemplate {
  const { provider, entropy, key, issuer, san = [], serial } = options;
  const { spki, publicKeyBits } = readOne(key.publicKey.spki, readPublicKeyInfo);
  const keyIdentifier = (bits: Uint8Array) => provider.hash("SHA-256").digest(bits).subarray(0, 20); // RFC 7093 §2(1)
  const authorityKey = issuer
    ? (issuer.certificate.extensions.subjectKeyIdentifier ?? keyIdentifier(issuer.certificate.publicKeyBits))
    : keyIdentifier(publicKeyBits);
  const subject = makeName(options.subject ?? defaultSubject(san));
  const isEmpty = subject.length === 2;
  const { type } = key.publicKey;
  const usages: readonly KeyUsage[] = authority
    ? ["keyCertSign", "cRLSign"]
    : ["digitalSignature", ...(type === "RSA" ? (["keyEncipherment"] as const) : [])];
  const purposes = options.purposes ?? (authority ? [] : ["server", "client"]);
  const usual = [
    extension.basicConstraints(authority !== undefined, authority?.pathLength),
    extension.keyUsage(options.keyUsage ?? usages),
    ...(purposes.length > 0 ? [extension.extKeyUsage(purposes)] : []),
    ...(san.length > 0 ? [extension.subjectAltName(san, isEmpty)] : []),
    extension.subjectKeyIdentifier(keyIdentifier(publicKeyBits)),
    extension.authorityKeyIdentifier(authorityKey),
  ];
  const given = options.extensions ?? [];
  const replaced = new Set([...given.map(({ oid }) => oid), ...(options.without ?? [])]);
  return {
    version: 3,
    serial: serial ?? positive(entropy.fill(new Uint8Array(16))),
    issuer: issuer ? issuer.certificate.subject.raw : subject,
    subject,
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    spki,
    extensions: [...usual.filter(({ oid }) => !replaced.has(oid)), ...given],
  };
}

function make(options: CertificateOptions, authority: { pathLength?: number | undefined } | undefined): Certificate {
  const signer = options.issuer?.privateKey ?? options.key;
  const template = certificateTemplate(options, authority);
  const certificate = parseCertificate(signCertificate(template, signer, options.algorithm));
  if (certificate instanceof PkiFailure) throw certificate;
  return certificate;
}

/** CA/Browser Forum BR §7.1.4.3: a common name is a copy of a subject alternative name. */
function defaultSubject(san: readonly AlternativeNameSpec[]): NameSpec {
  const [first] = san;
  const name = typeof first === "string" ? first : first && "dns" in first ? first.dns : "";
  const fits = name.length <= 64 && (parseIp(name) !== undefined || /^[a-z0-9.*-]+$/i.test(name));
  return fits && name !== "" ? [["CN", name]] : "";
}

/** RFC 5280 §4.1.2.2: positive. The first bit also spares an octet. */
function positive(octets: Uint8Array): Uint8Array {
  octets[0] = (octets[0]! & 0x7f) | 0x40;
  return octets;
}
