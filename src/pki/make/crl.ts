import type { Instant, SignatureName } from "../../contract/index.js";
import { signatureAlgorithm, usualSignature } from "../algorithm.js";
import { write } from "../der/index.js";
import type { Issuer } from "./certificate.js";
import { type ExtensionSpec, extension, writeExtensions } from "./extensions.js";

export interface RevokedSpec {
  /** As `Certificate.serial` has it. */
  readonly serial: Uint8Array;
  readonly at: Instant;
  /** CRLReason, RFC 5280 §5.3.1; unspecified is not written. */
  readonly reason?: number;
  readonly extensions?: readonly ExtensionSpec[];
}

export interface RevocationListOptions {
  readonly issuer: Issuer;
  readonly thisUpdate: Instant;
  readonly nextUpdate: Instant;
  readonly revoked?: readonly RevokedSpec[];
  /** Default 1. */
  readonly number?: number;
  /** Written besides the number; one with its object identifier takes its place. */
  readonly extensions?: readonly ExtensionSpec[];
  /** Object identifiers of usual extensions to leave out. */
  readonly without?: readonly string[];
  readonly algorithm?: SignatureName;
}

/** A signed revocation list in DER, RFC 5280 §5. */
export function makeRevocationList(options: RevocationListOptions): Uint8Array {
  const { issuer, revoked = [], extensions = [], without = [] } = options;
  const algorithm = options.algorithm ?? usualSignature(issuer.privateKey.publicKey);
  const number = extension.cRLNumber(options.number ?? 1);
  const usual = [number].filter(({ oid }) => !without.includes(oid) && extensions.every((each) => each.oid !== oid));
  const all = [...usual, ...extensions];
  const tbs = write.sequence(
    write.integer(1),
    signatureAlgorithm(algorithm),
    issuer.certificate.subject.raw,
    write.time(options.thisUpdate),
    write.time(options.nextUpdate),
    ...(revoked.length > 0 ? [write.sequence(...revoked.map(entry))] : []),
    ...(all.length > 0 ? [write.explicit(0, writeExtensions(all))] : []),
  );
  return write.sequence(tbs, signatureAlgorithm(algorithm), write.bitString(issuer.privateKey.sign(algorithm, tbs)));
}

function entry({ serial, at, reason = 0, extensions = [] }: RevokedSpec): Uint8Array {
  const all = [...(reason === 0 ? [] : [extension.reasonCode(reason)]), ...extensions];
  return write.sequence(write.integer(serial), write.time(at), ...(all.length > 0 ? [writeExtensions(all)] : []));
}
