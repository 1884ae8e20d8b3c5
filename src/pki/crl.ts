import { DecodeError, equal, toHex } from "../bytes/index.js";
import type { Instant, SignatureName } from "../contract/index.js";
import { readAlgorithm, sameAlgorithm, signatureName } from "./algorithm.js";
import { context, type DerReader, inside, readOne, Tag } from "./der/index.js";
import { type DistinguishedName, isEmpty, readName } from "./distinguished-name.js";
import {
  type DistributionPointName,
  type RawExtension,
  type ReasonFlag,
  readDistributionPointName,
  readExtensions,
  readReasons,
} from "./extensions.js";
import { isPkiFailure, PkiFailure } from "./failure.js";
import { limits } from "./limits.js";
import { ext } from "./oids.js";

/** IssuingDistributionPoint, RFC 5280 §5.2.5: what a list is about. */
export interface IssuingDistributionPoint {
  readonly name: DistributionPointName | undefined;
  readonly onlyUserCerts: boolean;
  readonly onlyCaCerts: boolean;
  readonly onlyAttributeCerts: boolean;
  readonly onlySomeReasons: ReadonlySet<ReasonFlag> | undefined;
  readonly indirect: boolean;
  readonly raw: Uint8Array;
}

export interface RevokedEntry {
  readonly revokedAt: Instant;
  /** CRLReason, RFC 5280 §5.3.1: 0 is unspecified, 8 takes an entry of the base list back. */
  readonly reason: number;
  /** An object identifier that we had to know and do not. */
  readonly unknownCritical: string | undefined;
}

/** A certificate revocation list of version 2, RFC 5280 §5. */
export interface RevocationList {
  readonly tbs: Uint8Array;
  readonly signature: Uint8Array;
  readonly signatureName: SignatureName | undefined;
  readonly issuer: DistinguishedName;
  readonly thisUpdate: Instant;
  readonly nextUpdate: Instant;
  /** By the serial number's content octets in hexadecimal. */
  readonly entries: ReadonlyMap<string, RevokedEntry>;
  readonly number: Uint8Array | undefined;
  /** A delta list adds to the complete list of this number (§5.2.4). */
  readonly deltaOf: Uint8Array | undefined;
  readonly scope: IssuingDistributionPoint | undefined;
  /** Why the list says nothing of any certificate; it has a form, but one that must not be used. */
  readonly unusable: PkiFailure | undefined;
}

export const reasonRemoveFromCrl = 8;

/** Reads one list strictly. `malformed-crl` for anything that is none. */
export function parseRevocationList(der: Uint8Array): RevocationList | PkiFailure {
  try {
    if (der.length > limits.crlBytesMax)
      return new PkiFailure("malformed-crl", `larger than ${limits.crlBytesMax} bytes`);
    return readOne(der, readList);
  } catch (error) {
    if (isPkiFailure(error)) return error;
    if (!(error instanceof DecodeError)) throw error;
    return new PkiFailure("malformed-crl", `not a revocation list: ${error.message}`, { cause: error });
  }
}

function readList(reader: DerReader): RevocationList {
  const outer = reader.sequence();
  const tbs = outer.take(Tag.sequence);
  const outside = readAlgorithm(outer);
  const signature = outer.wholeBits();
  outer.end();

  const inner = inside(tbs);
  // version 1 has no extensions, so no number, so nothing that RFC 5280 would let us use
  if (inner.smallInteger() !== 1) throw new DecodeError("not version 2");
  if (!sameAlgorithm(readAlgorithm(inner), outside)) throw new DecodeError("the algorithms inside and outside differ");
  const issuer = readName(inner);
  if (isEmpty(issuer)) throw new DecodeError("an issuer without a name");
  const thisUpdate = inner.time();
  const nextUpdate = inner.time();
  const { entries, duplicate } = inner.peek === Tag.sequence ? readEntries(inner.sequence()) : noEntries;
  const extensions = inner.maybeExplicit(0, readExtensions) ?? [];
  inner.end();
  return {
    tbs: tbs.raw,
    signature,
    signatureName: signatureName(outside),
    issuer,
    thisUpdate,
    nextUpdate,
    entries,
    ...understood(extensions, duplicate),
  };
}

const noEntries: { entries: ReadonlyMap<string, RevokedEntry>; duplicate: boolean } = {
  entries: new Map(),
  duplicate: false,
};

function readEntries(list: DerReader): { entries: ReadonlyMap<string, RevokedEntry>; duplicate: boolean } {
  const entries = new Map<string, RevokedEntry>();
  let duplicate = false;
  while (list.more) {
    const entry = list.sequence();
    const serial = toHex(entry.integer());
    const revokedAt = entry.time();
    const extensions = entry.more ? readExtensions(entry) : [];
    entry.end();
    duplicate ||= entries.has(serial);
    entries.set(serial, { revokedAt, ...readEntryExtensions(extensions) });
  }
  // RFC 5280 §5.1.2.6: with no revoked certificates the list is absent
  if (entries.size === 0) throw new DecodeError("a list of revoked certificates that is empty");
  return { entries, duplicate };
}

function readEntryExtensions(extensions: readonly RawExtension[]): Omit<RevokedEntry, "revokedAt"> {
  let reason = 0;
  let unknownCritical: string | undefined;
  for (const { oid, critical, value } of extensions) {
    if (oid === ext.reasonCode) reason = readOne(value, (reader) => reader.smallInteger(Tag.enumerated), 1);
    // certificateIssuer is in no direct list, and we use no others
    else if (critical && oid !== ext.invalidityDate) unknownCritical = oid;
  }
  return { reason, unknownCritical };
}

function understood(
  extensions: readonly RawExtension[],
  duplicate: boolean,
): Pick<RevocationList, "number" | "deltaOf" | "scope" | "unusable"> {
  let number: Uint8Array | undefined;
  let deltaOf: Uint8Array | undefined;
  let scope: IssuingDistributionPoint | undefined;
  let unusable = duplicate ? wrong("a certificate stands in it twice", "revokedCertificates") : undefined;
  const seen = new Set<string>();
  for (const { oid, critical, value } of extensions) {
    if (seen.has(oid)) throw new DecodeError(`extension ${oid} stands twice`);
    seen.add(oid);
    if (oid === ext.cRLNumber) {
      number = readOne(value, (reader) => reader.integer(), 1);
      if (critical) unusable ??= wrong("a critical number", "cRLNumber");
      if (number.length > limits.serialOctetsMax || number[0]! >= 0x80)
        unusable ??= wrong("a number out of range", "cRLNumber");
    } else if (oid === ext.deltaCRLIndicator) {
      deltaOf = readOne(value, (reader) => reader.integer(), 1);
      if (!critical) unusable ??= wrong("a delta indicator that is not critical", "deltaCRLIndicator");
    } else if (oid === ext.issuingDistributionPoint) {
      scope = readOne(value, readScope, 1);
      if (!critical) unusable ??= wrong("a scope that is not critical", "issuingDistributionPoint");
      unusable ??= unsupportedScope(scope);
    } else if (critical && oid !== ext.authorityKeyIdentifier) {
      unusable ??= new PkiFailure(
        "unknown-critical-extension",
        `extension ${oid} of the list is critical and unknown to us`,
        {
          at: oid,
          section: "RFC 5280 §5.2",
        },
      );
    }
  }
  // §5.2.3: every list has a number
  if (!number) unusable ??= wrong("no number", "cRLNumber");
  return { number, deltaOf, scope, unusable };
}

function readScope(reader: DerReader): IssuingDistributionPoint {
  const outer = reader.take(Tag.sequence);
  const inner = inside(outer);
  const name = inner.maybeExplicit(0, readDistributionPointName);
  const onlyUserCerts = inner.defaultFalse(context(1));
  const onlyCaCerts = inner.defaultFalse(context(2));
  const onlySomeReasons = readReasons(inner, context(3));
  const indirect = inner.defaultFalse(context(4));
  const onlyAttributeCerts = inner.defaultFalse(context(5));
  inner.end();
  if (outer.content.length === 0) throw new DecodeError("a scope that says nothing");
  return { name, onlyUserCerts, onlyCaCerts, onlyAttributeCerts, onlySomeReasons, indirect, raw: outer.raw };
}

function unsupportedScope(scope: IssuingDistributionPoint): PkiFailure | undefined {
  const unsupported = (message: string) =>
    new PkiFailure("unsupported-crl", message, { at: "issuingDistributionPoint" });
  if (scope.indirect) return unsupported("an indirect list, which speaks for other issuers");
  if (scope.name?.relativeName) return unsupported("a distribution point named relative to its issuer");
  const only = [scope.onlyUserCerts, scope.onlyCaCerts, scope.onlyAttributeCerts].filter(Boolean).length;
  return only > 1 ? wrong("a scope that contradicts itself", "issuingDistributionPoint") : undefined;
}

const wrong = (message: string, at: string): PkiFailure => new PkiFailure("malformed-crl", message, { at });

/** Content octets of two non-negative integers compared by their values. */
export function compareNumbers(a: Uint8Array, b: Uint8Array): number {
  const [x, y] = [a, b].map((octets) => (octets[0] === 0 ? octets.subarray(1) : octets)) as [Uint8Array, Uint8Array];
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return x[i]! - y[i]!;
  return 0;
}

/** Do two lists have the same scope? Then one can complete the other (RFC 5280 §5.2.4). */
export const sameScope = (a: RevocationList, b: RevocationList): boolean =>
  a.issuer.key === b.issuer.key &&
  (a.scope ? b.scope !== undefined && equal(a.scope.raw, b.scope.raw) : b.scope === undefined);
