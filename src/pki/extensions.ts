import { DecodeError } from "../bytes/index.js";
import { context, contextConstructed, type DerReader, type Element, inside, readOne, Tag } from "./der/index.js";
import { type Attribute, readRdn } from "./distinguished-name.js";
import { type GeneralName, readGeneralName, readGeneralNames } from "./general-name.js";
import { limits } from "./limits.js";
import { ext } from "./oids.js";

/** Bits of KeyUsage in their order, RFC 5280 §4.2.1.3. */
export const keyUsages = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof keyUsages)[number];

export interface BasicConstraints {
  readonly ca: boolean;
  readonly pathLength: number | undefined;
}

export interface AuthorityKeyIdentifier {
  readonly keyIdentifier: Uint8Array | undefined;
  readonly issuer: readonly GeneralName[] | undefined;
  readonly serial: Uint8Array | undefined;
}

export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

export interface PolicyConstraints {
  readonly requireExplicitPolicy: number | undefined;
  readonly inhibitPolicyMapping: number | undefined;
}

export interface PolicyMapping {
  readonly issuerDomain: string;
  readonly subjectDomain: string;
}

/** Reasons for revocation in the order of ReasonFlags' bits, RFC 5280 §4.2.1.13. Bit 0 is unused. */
export const reasonFlags = [
  "unused",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  "privilegeWithdrawn",
  "aACompromise",
] as const;
export type ReasonFlag = (typeof reasonFlags)[number];

export interface DistributionPointName {
  readonly fullName: readonly GeneralName[] | undefined;
  readonly relativeName: readonly Attribute[] | undefined;
}

export interface DistributionPoint {
  readonly name: DistributionPointName | undefined;
  readonly reasons: ReadonlySet<ReasonFlag> | undefined;
  readonly crlIssuer: readonly GeneralName[] | undefined;
}

export interface AccessDescription {
  readonly method: string;
  readonly location: GeneralName;
}

/** Extensions of certificates that we understand, by their specifications' names. */
export interface CertificateExtensions {
  readonly subjectKeyIdentifier?: Uint8Array;
  readonly authorityKeyIdentifier?: AuthorityKeyIdentifier;
  readonly keyUsage?: ReadonlySet<KeyUsage>;
  readonly basicConstraints?: BasicConstraints;
  readonly subjectAltName?: readonly GeneralName[];
  readonly issuerAltName?: readonly GeneralName[];
  readonly nameConstraints?: NameConstraints;
  readonly cRLDistributionPoints?: readonly DistributionPoint[];
  readonly freshestCRL?: readonly DistributionPoint[];
  /** Object identifiers of policies; qualifiers are not kept, they bind nobody (RFC 9618 §5). */
  readonly certificatePolicies?: readonly string[];
  readonly policyMappings?: readonly PolicyMapping[];
  readonly policyConstraints?: PolicyConstraints;
  /** Certificates that may follow before anyPolicy loses its meaning. */
  readonly inhibitAnyPolicy?: number;
  readonly extKeyUsage?: readonly string[];
  readonly authorityInfoAccess?: readonly AccessDescription[];
  readonly subjectInfoAccess?: readonly AccessDescription[];
  /** TLS extension numbers, RFC 7633; 5 is must-staple. */
  readonly tlsFeature?: readonly number[];
  /** SignedCertificateTimestampList, as TLS carries it (RFC 6962 §3.3). */
  readonly signedCertificateTimestamps?: Uint8Array;
  /** The key may sign delegated credentials, RFC 9345 §4.2. */
  readonly delegationUsage?: true;
  /** A responder's certificate whose own revocation is not checked, RFC 6960 §4.2.2.2.1. */
  readonly ocspNoCheck?: true;
}

export type CertificateExtensionName = keyof CertificateExtensions;

/** One reader a row; a certificate extension that is no row is unknown. */
const readers: {
  readonly [K in CertificateExtensionName]-?: (reader: DerReader) => Required<CertificateExtensions>[K];
} = {
  subjectKeyIdentifier: (r) => r.octets(),
  authorityKeyIdentifier: readAuthorityKeyIdentifier,
  keyUsage: (r) => flags(r.namedBits(Tag.bitString, "tolerant"), keyUsages),
  basicConstraints: readBasicConstraints,
  subjectAltName: (r) => readGeneralNames(r),
  issuerAltName: (r) => readGeneralNames(r),
  nameConstraints: readNameConstraints,
  cRLDistributionPoints: readDistributionPoints,
  freshestCRL: readDistributionPoints,
  certificatePolicies: readPolicies,
  policyMappings: (r) => some(r.sequenceOf(readPolicyMapping, limits.policiesMax)),
  policyConstraints: readPolicyConstraints,
  inhibitAnyPolicy: (r) => r.smallInteger(),
  extKeyUsage: (r) => some(r.sequenceOf((inner) => inner.oid(), limits.policiesMax)),
  authorityInfoAccess: readAccess,
  subjectInfoAccess: readAccess,
  tlsFeature: (r) => r.sequenceOf((inner) => inner.smallInteger(), limits.extensionsMax),
  signedCertificateTimestamps: (r) => r.octets(),
  delegationUsage: present,
  ocspNoCheck: present,
};

const nameOf = new Map<string, CertificateExtensionName>(
  (Object.keys(readers) as CertificateExtensionName[]).map((name) => [ext[name], name]),
);

/** One extension as it stands: RFC 5280 §4.2. */
export interface RawExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** `Extensions`: at least one, none twice (that is the caller's to judge), criticality FALSE never written. */
export function readExtensions(reader: DerReader): RawExtension[] {
  const extensions = reader.sequenceOf((list) => {
    const inner = list.sequence();
    const oid = inner.oid();
    const critical = inner.defaultFalse();
    const value = inner.octets();
    inner.end();
    return { oid, critical, value };
  }, limits.extensionsMax);
  return some(extensions);
}

/** The name of a certificate extension that we understand. */
export const extensionName = (oid: string): CertificateExtensionName | undefined => nameOf.get(oid);

export function readExtension<K extends CertificateExtensionName>(
  name: K,
  value: Uint8Array,
): Required<CertificateExtensions>[K] {
  // the table's row has the type of its name, which the compiler does not follow through a generic index
  const read = readers[name] as (reader: DerReader) => Required<CertificateExtensions>[K];
  return readOne(value, read, 1);
}

/** The names of the bits that are set; a bit without a name is ignored, as later versions may name it. */
export function flags<Name extends string>(bits: readonly boolean[], names: readonly Name[]): ReadonlySet<Name> {
  return new Set(names.filter((_, i) => bits[i]));
}

export function readDistributionPointName(reader: DerReader): DistributionPointName {
  if (reader.peek === contextConstructed(0)) {
    return { fullName: readGeneralNames(reader, contextConstructed(0)), relativeName: undefined };
  }
  return { fullName: undefined, relativeName: readRdn(reader.setOf(limits.rdnsMax, contextConstructed(1))) };
}

export const readReasons = (reader: DerReader, tag: number): ReadonlySet<ReasonFlag> | undefined =>
  reader.peek === tag ? flags(reader.namedBits(tag), reasonFlags) : undefined;

export function readAuthorityKeyIdentifier(reader: DerReader): AuthorityKeyIdentifier {
  const inner = reader.sequence();
  const keyIdentifier = inner.maybe(context(0))?.content;
  const issuer = inner.peek === contextConstructed(1) ? readGeneralNames(inner, contextConstructed(1)) : undefined;
  const serial = inner.peek === context(2) ? inner.integer(context(2)) : undefined;
  inner.end();
  return { keyIdentifier, issuer, serial };
}

export function readDistributionPoints(reader: DerReader): readonly DistributionPoint[] {
  return some(
    reader.sequenceOf((list) => {
      const inner = list.sequence();
      const name = inner.maybeExplicit(0, readDistributionPointName);
      const reasons = readReasons(inner, context(1));
      const crlIssuer =
        inner.peek === contextConstructed(2) ? readGeneralNames(inner, contextConstructed(2)) : undefined;
      inner.end();
      // RFC 5280 §4.2.1.13: reasons alone say nothing
      if (!name && !crlIssuer) throw new DecodeError("a distribution point without a name");
      return { name, reasons, crlIssuer };
    }, limits.extensionsMax),
  );
}

function readBasicConstraints(reader: DerReader): BasicConstraints {
  const inner = reader.sequence();
  const ca = inner.defaultFalse();
  const pathLength = inner.maybeSmallInteger(Tag.integer);
  inner.end();
  return { ca, pathLength };
}

function readNameConstraints(reader: DerReader): NameConstraints {
  const inner = reader.sequence();
  const permitted = readSubtrees(inner, contextConstructed(0));
  const excluded = readSubtrees(inner, contextConstructed(1));
  inner.end();
  // RFC 5280 §4.2.1.10: "MUST NOT issue certificates where name constraints is an empty sequence"
  if (!permitted && !excluded) throw new DecodeError("name constraints that constrain nothing");
  return { permitted: permitted ?? [], excluded: excluded ?? [] };
}

function readSubtrees(reader: DerReader, tag: number): GeneralName[] | undefined {
  if (reader.peek !== tag) return undefined;
  return some(
    reader.sequenceOf(
      (list) => {
        const inner = list.sequence();
        const base = readGeneralName(inner);
        // RFC 5280 §4.2.1.10: minimum is zero, which is the DEFAULT and not written; maximum is absent
        inner.end();
        return base;
      },
      limits.subtreesMax,
      tag,
    ),
  );
}

function readPolicies(reader: DerReader): readonly string[] {
  const policies = some(
    reader.sequenceOf((list) => {
      const inner = list.sequence();
      const policy = inner.oid();
      if (inner.more) {
        const qualifiers = inner.sequenceOf((each) => readQualifier(each.take(Tag.sequence)), limits.policiesMax);
        some(qualifiers);
      }
      inner.end();
      return policy;
    }, limits.policiesMax),
  );
  // RFC 5280 §4.2.1.4: no policy twice
  if (new Set(policies).size !== policies.length) throw new DecodeError("a policy that stands twice");
  return policies;
}

function readQualifier(element: Element): string {
  const reader = inside(element);
  const id = reader.oid();
  reader.next();
  reader.end();
  return id;
}

function readPolicyMapping(reader: DerReader): PolicyMapping {
  const inner = reader.sequence();
  const issuerDomain = inner.oid();
  const subjectDomain = inner.oid();
  inner.end();
  return { issuerDomain, subjectDomain };
}

function readPolicyConstraints(reader: DerReader): PolicyConstraints {
  const inner = reader.sequence();
  const requireExplicitPolicy = inner.maybeSmallInteger(context(0));
  const inhibitPolicyMapping = inner.maybeSmallInteger(context(1));
  inner.end();
  // RFC 5280 §4.2.1.11: never an empty sequence
  if (requireExplicitPolicy === undefined && inhibitPolicyMapping === undefined) {
    throw new DecodeError("policy constraints that constrain nothing");
  }
  return { requireExplicitPolicy, inhibitPolicyMapping };
}

function readAccess(reader: DerReader): readonly AccessDescription[] {
  return some(
    reader.sequenceOf((list) => {
      const inner = list.sequence();
      const method = inner.oid();
      const location = readGeneralName(inner);
      inner.end();
      return { method, location };
    }, limits.extensionsMax),
  );
}

function present(reader: DerReader): true {
  reader.null();
  return true;
}

/** `SIZE (1..MAX)`. */
function some<T>(values: T[]): T[] {
  if (values.length === 0) throw new DecodeError("a list that must not be empty");
  return values;
}
