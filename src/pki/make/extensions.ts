import { write } from "../der/index.js";
import { type KeyUsage, keyUsages, type ReasonFlag, reasonFlags } from "../extensions.js";
import { ext, purposes } from "../oids.js";
import { type AlternativeNameSpec, makeGeneralName, makeSubtree } from "./name.js";

/** An extension to be written. */
export interface ExtensionSpec {
  readonly oid: string;
  readonly critical: boolean;
  /** DER of the extension's value. */
  readonly value: Uint8Array;
}

const spec = (oid: string, critical: boolean, value: Uint8Array): ExtensionSpec => ({ oid, critical, value });

export type PurposeName = keyof typeof purposes;

/** Builders of extensions, each with the criticality that RFC 5280 wants of it. */
export const extension = {
  basicConstraints: (ca: boolean, pathLength?: number): ExtensionSpec =>
    spec(
      ext.basicConstraints,
      true,
      write.sequence(
        ...(ca ? [write.boolean(true)] : []),
        ...(pathLength === undefined ? [] : [write.integer(pathLength)]),
      ),
    ),
  keyUsage: (usages: readonly KeyUsage[]): ExtensionSpec =>
    spec(ext.keyUsage, true, write.namedBits(usages.map((usage) => keyUsages.indexOf(usage)))),
  extKeyUsage: (ids: readonly (PurposeName | string)[]): ExtensionSpec =>
    spec(ext.extKeyUsage, false, write.sequence(...ids.map((id) => write.oid(purposeOid(id))))),
  subjectAltName: (names: readonly AlternativeNameSpec[], critical = false): ExtensionSpec =>
    spec(ext.subjectAltName, critical, write.sequence(...names.map(makeGeneralName))),
  subjectKeyIdentifier: (id: Uint8Array): ExtensionSpec => spec(ext.subjectKeyIdentifier, false, write.octetString(id)),
  authorityKeyIdentifier: (id?: Uint8Array, issuer?: AlternativeNameSpec, serial?: number): ExtensionSpec =>
    spec(
      ext.authorityKeyIdentifier,
      false,
      write.sequence(
        ...(id ? [write.implicit(0, id)] : []),
        ...(issuer ? [write.explicit(1, makeGeneralName(issuer))] : []),
        ...(serial === undefined ? [] : [write.integer(serial, 0x82)]),
      ),
    ),
  nameConstraints: (of: {
    readonly permitted?: readonly AlternativeNameSpec[];
    readonly excluded?: readonly AlternativeNameSpec[];
  }): ExtensionSpec =>
    spec(
      ext.nameConstraints,
      true,
      write.sequence(
        ...(of.permitted ? [write.explicit(0, ...of.permitted.map(makeSubtree))] : []),
        ...(of.excluded ? [write.explicit(1, ...of.excluded.map(makeSubtree))] : []),
      ),
    ),
  certificatePolicies: (policies: readonly string[]): ExtensionSpec =>
    spec(ext.certificatePolicies, false, write.sequence(...policies.map((each) => write.sequence(write.oid(each))))),
  policyMappings: (pairs: readonly (readonly [issuerDomain: string, subjectDomain: string])[]): ExtensionSpec =>
    spec(
      ext.policyMappings,
      true,
      write.sequence(...pairs.map(([from, to]) => write.sequence(write.oid(from), write.oid(to)))),
    ),
  policyConstraints: (of: {
    readonly requireExplicitPolicy?: number;
    readonly inhibitPolicyMapping?: number;
  }): ExtensionSpec =>
    spec(
      ext.policyConstraints,
      true,
      write.sequence(
        ...(of.requireExplicitPolicy === undefined ? [] : [write.integer(of.requireExplicitPolicy, 0x80)]),
        ...(of.inhibitPolicyMapping === undefined ? [] : [write.integer(of.inhibitPolicyMapping, 0x81)]),
      ),
    ),
  inhibitAnyPolicy: (skip: number): ExtensionSpec => spec(ext.inhibitAnyPolicy, true, write.integer(skip)),
  cRLDistributionPoints: (
    points: readonly { readonly names?: readonly AlternativeNameSpec[]; readonly reasons?: readonly ReasonFlag[] }[],
  ): ExtensionSpec =>
    spec(
      ext.cRLDistributionPoints,
      false,
      write.sequence(
        ...points.map(({ names, reasons }) =>
          write.sequence(
            ...(names ? [write.explicit(0, write.explicit(0, ...names.map(makeGeneralName)))] : []),
            ...reasonBits(reasons, 0x81),
          ),
        ),
      ),
    ),
  authorityInfoAccess: (of: { readonly ocsp?: string; readonly caIssuers?: string }): ExtensionSpec =>
    spec(
      ext.authorityInfoAccess,
      false,
      write.sequence(
        ...(of.ocsp ? [access("1.3.6.1.5.5.7.48.1", of.ocsp)] : []),
        ...(of.caIssuers ? [access("1.3.6.1.5.5.7.48.2", of.caIssuers)] : []),
      ),
    ),
  /** RFC 7633; feature 5 is must-staple. */
  tlsFeature: (features: readonly number[]): ExtensionSpec =>
    spec(ext.tlsFeature, false, write.sequence(...features.map((each) => write.integer(each)))),
  /** RFC 9345 §4.2. */
  delegationUsage: (): ExtensionSpec => spec(ext.delegationUsage, false, write.nothing()),
  ocspNoCheck: (): ExtensionSpec => spec(ext.ocspNoCheck, false, write.nothing()),
  cRLNumber: (value: number): ExtensionSpec => spec(ext.cRLNumber, false, write.integer(value)),
  deltaCRLIndicator: (base: number): ExtensionSpec => spec(ext.deltaCRLIndicator, true, write.integer(base)),
  issuingDistributionPoint: (of: {
    readonly names?: readonly AlternativeNameSpec[];
    readonly only?: "userCerts" | "cACerts" | "attributeCerts";
    readonly reasons?: readonly ReasonFlag[];
    readonly indirect?: boolean;
  }): ExtensionSpec =>
    spec(
      ext.issuingDistributionPoint,
      true,
      write.sequence(
        ...(of.names ? [write.explicit(0, write.explicit(0, ...of.names.map(makeGeneralName)))] : []),
        ...(of.only === "userCerts" ? [write.boolean(true, 0x81)] : []),
        ...(of.only === "cACerts" ? [write.boolean(true, 0x82)] : []),
        ...reasonBits(of.reasons, 0x83),
        ...(of.indirect ? [write.boolean(true, 0x84)] : []),
        ...(of.only === "attributeCerts" ? [write.boolean(true, 0x85)] : []),
      ),
    ),
  reasonCode: (reason: number): ExtensionSpec => spec(ext.reasonCode, false, write.integer(reason, 0x0a)),
} as const;

/** Writes `Extensions`. */
export const writeExtensions = (extensions: readonly ExtensionSpec[]): Uint8Array =>
  write.sequence(
    ...extensions.map(({ oid, critical, value }) =>
      write.sequence(write.oid(oid), ...(critical ? [write.boolean(true)] : []), write.octetString(value)),
    ),
  );

export const purposeOid = (id: PurposeName | string): string => (id in purposes ? purposes[id as PurposeName] : id);

const access = (method: string, uri: string): Uint8Array => write.sequence(write.oid(method), makeGeneralName({ uri }));

const reasonBits = (reasons: readonly ReasonFlag[] | undefined, tag: number): Uint8Array[] =>
  reasons
    ? [
        write.namedBits(
          reasons.map((each) => reasonFlags.indexOf(each)),
          tag,
        ),
      ]
    : [];
