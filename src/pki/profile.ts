import { equal } from "../bytes/index.js";
import type { PublicKey, SignatureName } from "../contract/index.js";
import { type Certificate, isSelfIssued } from "./certificate.js";
import { checkCommonName } from "./common-name.js";
import { isEmpty } from "./distinguished-name.js";
import type { CertificateExtensionName } from "./extensions.js";
import { PkiFailure, type PkiReason } from "./failure.js";
import { malformedSubtree } from "./name-constraints.js";
import { isPresentedDomain, parseMailbox } from "./names.js";
import { anyExtendedKeyUsage, keys, purposes } from "./oids.js";

/**
 * What certificates must look like, beyond being part of a valid path (RFC 5280 §6):
 * - `path`: nothing more. For private authorities whose certificates are older than their standards.
 * - `rfc5280`: what RFC 5280 §4 says that conforming authorities MUST do.
 * - `webpki`: that, and what the CA/Browser Forum's Baseline Requirements say of TLS server certificates.
 */
export type ProfileName = "path" | "rfc5280" | "webpki";

/** A certificate's place in the path. */
export type Role = "end-entity" | "intermediate" | "anchor";

/** What the peer's key is to be used for; other purposes by their object identifier. */
export type Purpose = "server" | "client" | "email" | "ike" | "ocspSigning" | "any" | `${number}.${string}`;

export const purposeOf = (purpose: Purpose): string | undefined =>
  purpose === "any" ? undefined : purpose in purposes ? purposes[purpose as keyof typeof purposes] : purpose;

interface Subject {
  readonly certificate: Certificate;
  readonly role: Role;
  readonly purpose: Purpose;
  readonly authority: boolean;
}

interface Rule {
  readonly profiles: readonly ProfileName[];
  readonly roles: readonly Role[];
  readonly reason: PkiReason;
  readonly at: string;
  readonly section?: string;
  /** What is wrong, for people; undefined if nothing is. */
  readonly broken: (subject: Subject) => string | undefined | false;
}

const strict = ["rfc5280", "webpki"] as const;
const all = ["end-entity", "intermediate", "anchor"] as const;
const below = ["end-entity", "intermediate"] as const;
const authorities = ["intermediate", "anchor"] as const;

/** The first rule that a certificate breaks. */
export function checkProfile(
  profile: ProfileName,
  certificate: Certificate,
  role: Role,
  purpose: Purpose,
): PkiFailure | undefined {
  const subject: Subject = { certificate, role, purpose, authority: isAuthority(certificate) };
  for (const { profiles, roles, reason, at, section, broken } of rules) {
    if (!profiles.includes(profile) || !roles.includes(role)) continue;
    const message = broken(subject);
    if (message) return new PkiFailure(reason, message, { at, ...(section !== undefined && { section }) });
  }
  return undefined;
}

export const isAuthority = ({ extensions }: Certificate): boolean => extensions.basicConstraints?.ca === true;

const critical =
  (name: CertificateExtensionName) =>
  ({ certificate }: Subject) =>
    certificate.critical.has(name) && `${name} is critical, which it must not be`;

const notCritical =
  (name: CertificateExtensionName) =>
  ({ certificate }: Subject) =>
    certificate.extensions[name] !== undefined && !certificate.critical.has(name) && `${name} must be critical`;

const criticality = (
  name: CertificateExtensionName,
  broken: Rule["broken"],
  section: string,
  roles: readonly Role[] = all,
  profiles: readonly ProfileName[] = strict,
): Rule => ({ profiles, roles, reason: "wrong-criticality", at: name, section, broken });

const rules: readonly Rule[] = [
  criticality("authorityKeyIdentifier", critical("authorityKeyIdentifier"), "RFC 5280 §4.2.1.1"),
  criticality("subjectKeyIdentifier", critical("subjectKeyIdentifier"), "RFC 5280 §4.2.1.2"),
  criticality("authorityInfoAccess", critical("authorityInfoAccess"), "RFC 5280 §4.2.2.1"),
  criticality("subjectInfoAccess", critical("subjectInfoAccess"), "RFC 5280 §4.2.2.2"),
  criticality("basicConstraints", notCritical("basicConstraints"), "RFC 5280 §4.2.1.9", authorities),
  // the Baseline Requirements, §7.1.2.5.2, except this one for the sake of old programs
  criticality("nameConstraints", notCritical("nameConstraints"), "RFC 5280 §4.2.1.10", all, ["rfc5280"]),
  criticality("policyConstraints", notCritical("policyConstraints"), "RFC 5280 §4.2.1.11"),
  criticality("inhibitAnyPolicy", notCritical("inhibitAnyPolicy"), "RFC 5280 §4.2.1.14"),
  {
    profiles: strict,
    roles: authorities,
    reason: "not-an-authority",
    at: "basicConstraints",
    section: "RFC 5280 §4.2.1.9",
    broken: ({ authority }) => !authority && "not the certificate of an authority",
  },
  {
    profiles: strict,
    roles: authorities,
    reason: "wrong-subject",
    at: "subject",
    broken: ({ certificate }) => isEmpty(certificate.subject) && "an authority without a name",
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-key-identifier",
    at: "subjectKeyIdentifier",
    section: "RFC 5280 §4.2.1.2",
    broken: ({ certificate, authority }) =>
      authority && !certificate.extensions.subjectKeyIdentifier && "an authority without a key identifier",
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-key-identifier",
    at: "authorityKeyIdentifier",
    section: "RFC 5280 §4.2.1.1",
    broken: ({ certificate }) =>
      !certificate.extensions.authorityKeyIdentifier?.keyIdentifier &&
      !isSelfIssued(certificate) &&
      "the issuer's key is not identified",
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-key-usage",
    at: "keyUsage",
    broken: ({ certificate }) => certificate.extensions.keyUsage?.size === 0 && "a key usage without usages",
  },
  {
    profiles: strict,
    roles: below,
    reason: "wrong-key-usage",
    at: "keyUsage",
    section: "RFC 9881 §5, RFC 9295 §3",
    broken: ({ certificate: { keyAlgorithm, extensions } }) =>
      signingOnly.has(keyAlgorithm) &&
      encryptingUsages.some((usage) => extensions.keyUsage?.has(usage)) &&
      "a key that can only sign, and is to encrypt",
  },
  {
    profiles: strict,
    roles: authorities,
    reason: "no-certificate-signing",
    at: "keyUsage",
    broken: ({ certificate }) => !maySign(certificate) && "an authority that may not sign certificates",
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-key-usage",
    at: "keyUsage",
    section: "RFC 5280 §4.2.1.9",
    broken: ({ certificate, authority }) =>
      !authority && certificate.extensions.keyUsage?.has("keyCertSign") && "signs certificates and is no authority",
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-basic-constraints",
    at: "basicConstraints",
    broken: ({ certificate, authority }) =>
      certificate.extensions.basicConstraints?.pathLength !== undefined &&
      !(authority && maySign(certificate)) &&
      "a path length without an authority that signs",
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-name-constraints",
    at: "nameConstraints",
    broken: ({ certificate, authority }) =>
      !authority && certificate.extensions.nameConstraints && "name constraints outside an authority's certificate",
  },
  {
    profiles: ["path", ...strict],
    roles: all,
    reason: "wrong-name-constraints",
    at: "nameConstraints",
    broken: ({ certificate: { extensions } }) =>
      extensions.nameConstraints && malformedSubtree(extensions.nameConstraints),
  },
  {
    profiles: strict,
    // some roots in wide use are number 0
    roles: below,
    reason: "wrong-serial",
    at: "serialNumber",
    broken: ({ certificate }) => certificate.serial.every((octet) => octet === 0) && "the serial number is zero",
  },
  {
    profiles: strict,
    roles: below,
    reason: "wrong-alternative-name",
    at: "subjectAltName",
    broken: ({ certificate }) => malformedAlternativeName(certificate),
  },
  {
    profiles: strict,
    roles: all,
    reason: "wrong-alternative-name",
    at: "subjectAltName",
    broken: ({ certificate: { subject, extensions, critical: isCritical } }) =>
      isEmpty(subject) &&
      !(extensions.subjectAltName && isCritical.has("subjectAltName")) &&
      "no subject, and no critical alternative name in its place",
  },
  {
    profiles: ["webpki"],
    roles: all,
    reason: "wrong-version",
    at: "version",
    section: "CA/Browser Forum BR §7.1.1",
    broken: ({ certificate }) => certificate.version !== 3 && `version ${certificate.version}`,
  },
  {
    profiles: ["webpki"],
    roles: ["anchor"],
    reason: "wrong-extended-key-usage",
    at: "extKeyUsage",
    section: "CA/Browser Forum BR §7.1.2.1.2",
    broken: ({ certificate }) => certificate.extensions.extKeyUsage && "a root whose purposes are limited",
  },
  {
    profiles: ["webpki"],
    roles: ["anchor"],
    reason: "wrong-key-identifier",
    at: "authorityKeyIdentifier",
    section: "CA/Browser Forum BR §7.1.2.1.3",
    broken: ({ certificate }) => wrongRootKeyIdentifier(certificate),
  },
  {
    profiles: ["webpki"],
    roles: ["end-entity"],
    reason: "authority-as-end-entity",
    at: "basicConstraints",
    broken: ({ authority }) => authority && "an authority's certificate for an end entity",
  },
  {
    profiles: ["webpki"],
    roles: ["end-entity"],
    reason: "wrong-alternative-name",
    at: "subjectAltName",
    section: "CA/Browser Forum BR §7.1.2.7.12",
    broken: ({ certificate: { subject, extensions, critical: isCritical } }) =>
      !extensions.subjectAltName
        ? "no alternative name"
        : isCritical.has("subjectAltName") && !isEmpty(subject) && "a critical alternative name beside a subject",
  },
  {
    profiles: ["webpki"],
    roles: ["end-entity"],
    reason: "wrong-extended-key-usage",
    at: "extKeyUsage",
    section: "CA/Browser Forum BR §7.1.2.7.10",
    broken: ({ certificate, purpose }) => purpose === "server" && wrongServerPurposes(certificate),
  },
  {
    profiles: ["webpki"],
    roles: ["end-entity"],
    reason: "wrong-common-name",
    at: "subject",
    broken: ({ certificate, purpose }) => purpose === "server" && checkCommonName(certificate),
  },
];

export const maySign = ({ extensions: { keyUsage } }: Certificate): boolean => !keyUsage || keyUsage.has("keyCertSign");

/** RFC 5280 §4.2.1.6: DNS names in preferred syntax, addresses of four or sixteen octets, mailboxes that are ones. */
function malformedAlternativeName({ extensions }: Certificate): string | undefined {
  for (const name of extensions.subjectAltName ?? []) {
    if (name.form === "dNSName" && !isPresentedDomain(name.text)) {
      return `${JSON.stringify(name.text.slice(0, 80))} is no DNS name`;
    }
    if (name.form === "iPAddress" && name.bytes.length !== 4 && name.bytes.length !== 16) {
      return `an address of ${name.bytes.length} octets`;
    }
    if (name.form === "rfc822Name" && !parseMailbox(name.text)) {
      return `${JSON.stringify(name.text.slice(0, 80))} is no mailbox`;
    }
  }
  return undefined;
}

function wrongRootKeyIdentifier(certificate: Certificate): string | undefined {
  const { authorityKeyIdentifier: issuer, subjectKeyIdentifier } = certificate.extensions;
  if (!issuer || !isSelfIssued(certificate)) return undefined;
  if (issuer.issuer || issuer.serial) return "a root that names its issuer by more than its key";
  const own = issuer.keyIdentifier && subjectKeyIdentifier && equal(issuer.keyIdentifier, subjectKeyIdentifier);
  return own ? undefined : "a root that was issued by another key";
}

const signingOnly: ReadonlySet<string> = new Set([keys.ed25519, keys.ed448, keys.mlDsa44, keys.mlDsa65, keys.mlDsa87]);
const encryptingUsages = [
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "encipherOnly",
  "decipherOnly",
] as const;

const notForServers: readonly string[] = [
  anyExtendedKeyUsage,
  purposes.codeSigning,
  purposes.email,
  purposes.timeStamping,
  purposes.ocspSigning,
  purposes.precertificateSigning,
];

function wrongServerPurposes({ extensions: { extKeyUsage }, critical: isCritical }: Certificate): string | undefined {
  if (!extKeyUsage) return "no purposes";
  if (isCritical.has("extKeyUsage")) return "critical purposes";
  if (!extKeyUsage.includes(purposes.server)) return "not for TLS servers";
  const wrong = extKeyUsage.find((each) => notForServers.includes(each));
  return wrong && `purpose ${wrong}, which a TLS server's certificate must not have`;
}

/** Which keys and signatures are good enough. */
export interface AlgorithmPolicy {
  readonly rsaBitsMin: number;
  /** Modulus in whole octets, as the Baseline Requirements want (§6.1.5). */
  readonly rsaWholeOctets: boolean;
  readonly curves: readonly NonNullable<PublicKey["curve"]>[];
  readonly signatures: readonly SignatureName[];
}

export const usualAlgorithms: AlgorithmPolicy = {
  rsaBitsMin: 2048,
  rsaWholeOctets: true,
  curves: ["P-256", "P-384", "P-521"],
  signatures: [
    "ECDSA-any-SHA-256",
    "ECDSA-any-SHA-384",
    "ECDSA-any-SHA-512",
    "Ed25519",
    "Ed448",
    "ML-DSA-44",
    "ML-DSA-65",
    "ML-DSA-87",
    "RSA-PKCS1-SHA-256",
    "RSA-PKCS1-SHA-384",
    "RSA-PKCS1-SHA-512",
    "RSA-PSS-SHA-256",
    "RSA-PSS-SHA-384",
    "RSA-PSS-SHA-512",
  ],
};

export function checkKey(policy: AlgorithmPolicy, key: PublicKey): PkiFailure | undefined {
  const weak = (message: string) => new PkiFailure("weak-key", message, { at: "subjectPublicKeyInfo" });
  if (key.type === "RSA" || key.type === "RSA-PSS") {
    if (key.bits < policy.rsaBitsMin) return weak(`an RSA key of ${key.bits} bits`);
    if (policy.rsaWholeOctets && key.bits % 8 !== 0) return weak(`an RSA key of ${key.bits} bits, not whole octets`);
  }
  if (key.type === "EC" && !(key.curve && policy.curves.includes(key.curve))) return weak(`a key on ${key.curve}`);
  return undefined;
}

export function checkSignatureName(
  policy: AlgorithmPolicy,
  { signatureName, signatureAlgorithm }: Certificate,
): PkiFailure | undefined {
  if (signatureName && policy.signatures.includes(signatureName)) return undefined;
  const name = signatureName ?? signatureAlgorithm.oid;
  return new PkiFailure("forbidden-algorithm", `signed with ${name}`, { at: "signatureAlgorithm" });
}
