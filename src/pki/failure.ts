import { Failure, type Fault } from "../contract/index.js";

/** Every way in which this room says no: whose fault, and where it is written. */
const reasons = {
  "malformed-certificate": ["decode", "RFC 5280 §4.1"],
  "malformed-extension": ["decode", "RFC 5280 §4.2"],
  "malformed-crl": ["decode", "RFC 5280 §5.1"],
  "malformed-ocsp": ["decode", "RFC 6960 §4.2"],
  "malformed-pem": ["decode", "RFC 7468 §3"],
  "malformed-key": ["decode", "RFC 5958 §2"],
  "wrong-password": ["refused", "RFC 8018 §6.2"],
  "unsupported-key-encryption": ["incompatible", "RFC 8018 §6.2"],
  "duplicate-extension": ["misbehaviour", "RFC 5280 §4.2"],
  "unknown-critical-extension": ["authentication", "RFC 5280 §4.2"],
  "wrong-criticality": ["misbehaviour", "RFC 5280 §4.2"],
  "wrong-version": ["misbehaviour", "RFC 5280 §4.1.2.1"],
  "wrong-serial": ["misbehaviour", "RFC 5280 §4.1.2.2"],
  "wrong-issuer-name": ["misbehaviour", "RFC 5280 §4.1.2.4"],
  "wrong-subject": ["misbehaviour", "RFC 5280 §4.1.2.6"],
  "wrong-key-identifier": ["misbehaviour", "RFC 5280 §4.2.1.1"],
  "wrong-basic-constraints": ["misbehaviour", "RFC 5280 §4.2.1.9"],
  "wrong-key-usage": ["misbehaviour", "RFC 5280 §4.2.1.3"],
  "wrong-alternative-name": ["misbehaviour", "RFC 5280 §4.2.1.6"],
  "wrong-name-constraints": ["misbehaviour", "RFC 5280 §4.2.1.10"],
  "wrong-extended-key-usage": ["misbehaviour", "RFC 5280 §4.2.1.12"],
  "wrong-policy-constraints": ["misbehaviour", "RFC 5280 §4.2.1.11"],
  "wrong-common-name": ["misbehaviour", "CA/Browser Forum BR §7.1.4.3"],
  "no-certificate": ["authentication", "RFC 5280 §6.1"],
  "too-many-certificates": ["refused", "RFC 5280 §6.1"],
  "unknown-issuer": ["authentication", "RFC 5280 §6.1"],
  "bad-signature": ["authentication", "RFC 5280 §6.1.3(a)(1)"],
  "unsupported-key": ["incompatible", "RFC 5280 §4.1.2.7"],
  "weak-key": ["refused", "RFC 5280 §6.1.1"],
  "forbidden-algorithm": ["refused", "RFC 5280 §6.1.1"],
  "not-yet-valid": ["expired", "RFC 5280 §6.1.3(a)(2)"],
  expired: ["expired", "RFC 5280 §6.1.3(a)(2)"],
  "not-an-authority": ["authentication", "RFC 5280 §6.1.4(k)"],
  "authority-as-end-entity": ["authentication", "CA/Browser Forum BR §7.1.2.7.8"],
  "path-too-long": ["authentication", "RFC 5280 §6.1.4(l)"],
  "no-certificate-signing": ["authentication", "RFC 5280 §6.1.4(n)"],
  "name-not-permitted": ["authentication", "RFC 5280 §6.1.3(b)"],
  "name-excluded": ["authentication", "RFC 5280 §6.1.3(c)"],
  "unsupported-constraint": ["authentication", "RFC 5280 §4.2.1.10"],
  "no-acceptable-policy": ["authentication", "RFC 5280 §6.1.5(g)"],
  "wrong-policy-mapping": ["authentication", "RFC 5280 §6.1.4(a)"],
  "wrong-purpose": ["authentication", "RFC 5280 §4.2.1.12"],
  "wrong-usage": ["authentication", "RFC 5280 §4.2.1.3"],
  "name-mismatch": ["authentication", "RFC 9525 §6"],
  revoked: ["authentication", "RFC 5280 §6.3"],
  "revocation-unknown": ["authentication", "RFC 5280 §6.3.3"],
  "staple-required": ["authentication", "RFC 7633 §4.2.1"],
  "unusable-staple": ["authentication", "RFC 6960 §3.2"],
  "unsupported-crl": ["incompatible", "RFC 5280 §5.2.5"],
  "not-pinned": ["authentication", "RFC 7469 §2.6"],
  "unknown-raw-public-key": ["authentication", "RFC 7250 §6"],
  "limit-reached": ["refused", "RFC 4158 §2.4.2"],
} as const satisfies Record<string, readonly [Fault, string]>;

export type PkiReason = keyof typeof reasons;

export interface PkiFailureDetails {
  /** Which certificate: the end entity's is 0, its issuer's 1, and so on to the anchor. */
  readonly depth?: number;
  /** That certificate's subject, for people. */
  readonly subject?: string;
  /** The field or extension. */
  readonly at?: string;
  readonly hint?: string;
  /** Where the rule is written, if another place than the reason's own says it better. */
  readonly section?: string;
  readonly cause?: unknown;
}

/** A Failure that also names the certificate and the section of the rule. */
export class PkiFailure extends Failure<PkiReason> {
  readonly section: string;
  readonly depth: number | undefined;
  readonly subject: string | undefined;

  constructor(reason: PkiReason, message: string, details: PkiFailureDetails = {}) {
    const [fault, section] = reasons[reason];
    super({
      fault,
      reason,
      protocol: "pki",
      message,
      ...(details.at !== undefined && { at: details.at }),
      ...(details.hint !== undefined && { hint: details.hint }),
      ...(details.cause !== undefined && { cause: details.cause }),
    });
    this.section = details.section ?? section;
    this.depth = details.depth;
    this.subject = details.subject;
  }

  /** The same failure, of the certificate at this depth. */
  of(depth: number, subject: string): PkiFailure {
    const { reason, message, section, at, hint } = this;
    return new PkiFailure(reason, message, {
      depth,
      subject,
      section,
      ...(at !== undefined && { at }),
      ...(hint !== undefined && { hint }),
      cause: this.cause,
    });
  }

  override toJSON(): Record<string, unknown> {
    const { section, depth, subject } = this;
    return { ...super.toJSON(), section, depth, subject };
  }
}

/** Is this one of ours? `instanceof` holds for every Failure, so it cannot tell. */
export const isPkiFailure = (error: unknown): error is PkiFailure =>
  error instanceof Failure && error.protocol === "pki" && "section" in error;
