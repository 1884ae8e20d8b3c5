import { Failure, type Fault } from "../../contract/index.js";
import { type AlertName, alertName, alerts } from "./parameters/alerts.js";

interface Row {
  readonly fault: Fault;
  /** What the peer is told; undefined when there is nobody to tell. */
  readonly alert: AlertName | undefined;
}

/**
 * Every reason for which TLS gives up: whose fault it is and the alert that follows from it (RFC 9846 §6.2). A reason
 * without a row does not compile.
 */
export const reasons = {
  // The bytes do not parse.
  "malformed-message": { fault: "decode", alert: "decode_error" },
  "malformed-record": { fault: "decode", alert: "decode_error" },
  "unknown-record-type": { fault: "decode", alert: "unexpected_message" },
  // The peer broke the rules.
  "unexpected-message": { fault: "misbehaviour", alert: "unexpected_message" },
  "unexpected-record": { fault: "misbehaviour", alert: "unexpected_message" },
  "message-spans-key-change": { fault: "misbehaviour", alert: "unexpected_message" },
  "message-too-large": { fault: "misbehaviour", alert: "illegal_parameter" },
  "record-overflow": { fault: "misbehaviour", alert: "record_overflow" },
  "unsolicited-extension": { fault: "misbehaviour", alert: "unsupported_extension" },
  "misplaced-extension": { fault: "misbehaviour", alert: "illegal_parameter" },
  "duplicate-extension": { fault: "misbehaviour", alert: "illegal_parameter" },
  "missing-extension": { fault: "misbehaviour", alert: "missing_extension" },
  "unoffered-version": { fault: "misbehaviour", alert: "illegal_parameter" },
  "unoffered-suite": { fault: "misbehaviour", alert: "illegal_parameter" },
  "unoffered-group": { fault: "misbehaviour", alert: "illegal_parameter" },
  "unoffered-scheme": { fault: "misbehaviour", alert: "illegal_parameter" },
  "unoffered-psk": { fault: "misbehaviour", alert: "illegal_parameter" },
  "unoffered-application-protocol": { fault: "misbehaviour", alert: "illegal_parameter" },
  "unoffered-compression": { fault: "misbehaviour", alert: "illegal_parameter" },
  "wrong-legacy-version": { fault: "misbehaviour", alert: "protocol_version" },
  "wrong-session-id-echo": { fault: "misbehaviour", alert: "illegal_parameter" },
  "wrong-compression-method": { fault: "misbehaviour", alert: "illegal_parameter" },
  "wrong-request-context": { fault: "misbehaviour", alert: "illegal_parameter" },
  "illegal-parameter": { fault: "misbehaviour", alert: "illegal_parameter" },
  "invalid-key-share": { fault: "misbehaviour", alert: "illegal_parameter" },
  "pointless-retry": { fault: "misbehaviour", alert: "illegal_parameter" },
  "second-retry": { fault: "misbehaviour", alert: "unexpected_message" },
  "changed-hello": { fault: "misbehaviour", alert: "illegal_parameter" },
  "bad-delegated-credential": { fault: "misbehaviour", alert: "illegal_parameter" },
  "downgrade-detected": { fault: "misbehaviour", alert: "illegal_parameter" },
  "inappropriate-fallback": { fault: "misbehaviour", alert: "inappropriate_fallback" },
  "renegotiation-refused": { fault: "misbehaviour", alert: "no_renegotiation" },
  "insecure-renegotiation": { fault: "misbehaviour", alert: "handshake_failure" },
  "missing-certificate": { fault: "misbehaviour", alert: "decode_error" },
  "early-data-too-large": { fault: "misbehaviour", alert: "unexpected_message" },
  "too-many-empty-records": { fault: "misbehaviour", alert: "unexpected_message" },
  "too-many-key-updates": { fault: "misbehaviour", alert: "unexpected_message" },
  "too-many-tickets": { fault: "misbehaviour", alert: "unexpected_message" },
  "too-many-warnings": { fault: "misbehaviour", alert: "unexpected_message" },
  "too-many-requests": { fault: "misbehaviour", alert: "unexpected_message" },
  "too-much-unread": { fault: "misbehaviour", alert: "internal_error" },
  // A proof failed.
  "bad-record": { fault: "authentication", alert: "bad_record_mac" },
  "bad-signature": { fault: "authentication", alert: "decrypt_error" },
  "bad-finished": { fault: "authentication", alert: "decrypt_error" },
  "bad-binder": { fault: "authentication", alert: "decrypt_error" },
  "bad-encrypted-hello": { fault: "authentication", alert: "decrypt_error" },
  "bad-cookie": { fault: "authentication", alert: "illegal_parameter" },
  "bad-certificate": { fault: "authentication", alert: "bad_certificate" },
  "unsupported-certificate": { fault: "authentication", alert: "unsupported_certificate" },
  "certificate-revoked": { fault: "authentication", alert: "certificate_revoked" },
  "certificate-expired": { fault: "expired", alert: "certificate_expired" },
  "certificate-unknown": { fault: "authentication", alert: "certificate_unknown" },
  "unknown-authority": { fault: "authentication", alert: "unknown_ca" },
  "wrong-name": { fault: "authentication", alert: "bad_certificate" },
  "bad-certificate-status": { fault: "authentication", alert: "bad_certificate_status_response" },
  "access-denied": { fault: "refused", alert: "access_denied" },
  // 1.2 has no alert of its own for it (RFC 5246 §7.4.6).
  "no-client-certificate": { fault: "authentication", alert: "handshake_failure" },
  "certificate-required": { fault: "authentication", alert: "certificate_required" },
  // Both are right, but share nothing.
  "no-common-version": { fault: "incompatible", alert: "protocol_version" },
  "no-common-suite": { fault: "incompatible", alert: "handshake_failure" },
  "no-common-group": { fault: "incompatible", alert: "handshake_failure" },
  "no-common-scheme": { fault: "incompatible", alert: "handshake_failure" },
  "no-common-application-protocol": { fault: "incompatible", alert: "no_application_protocol" },
  "no-common-certificate-type": { fault: "incompatible", alert: "unsupported_certificate" },
  "no-extended-main-secret": { fault: "incompatible", alert: "handshake_failure" },
  "no-encrypt-then-mac": { fault: "incompatible", alert: "handshake_failure" },
  "no-identity": { fault: "incompatible", alert: "handshake_failure" },
  "unrecognized-name": { fault: "incompatible", alert: "unrecognized_name" },
  "unknown-psk-identity": { fault: "incompatible", alert: "unknown_psk_identity" },
  "ech-required": { fault: "incompatible", alert: "ech_required" },
  // The peer or a policy said no.
  "alert-received": { fault: "refused", alert: undefined },
  "signer-refused": { fault: "refused", alert: "internal_error" },
  // The network went away, or time ran out.
  "truncated-stream": { fault: "unreachable", alert: undefined },
  "connection-lost": { fault: "unreachable", alert: undefined },
  "handshake-timeout": { fault: "expired", alert: "general_error" },
  "keys-exhausted": { fault: "expired", alert: "internal_error" },
  // The caller asked for something out of order, or the host could not do it.
  misuse: { fault: "misuse", alert: "internal_error" },
  "closed-locally": { fault: "misuse", alert: "user_canceled" },
  "internal-error": { fault: "misuse", alert: "internal_error" },
} as const satisfies Record<string, Row>;

export type TlsReason = keyof typeof reasons;
export type TlsFailure = Failure<TlsReason>;

/** A failure of ours, with the alert that tells the peer as its code. */
export function tlsFailure(
  reason: TlsReason,
  at: string,
  message: string,
  more: { readonly hint?: string; readonly cause?: unknown; readonly protocol?: string } = {},
): TlsFailure {
  const { fault, alert }: Row = reasons[reason];
  return new Failure({
    protocol: "TLS",
    ...more,
    fault,
    reason,
    at,
    message,
    ...(alert === undefined ? {} : { code: alerts[alert] }),
  });
}

/** Ends a handshake from within a state: thrown there, caught at the edge of the handshake, and nowhere else. */
export function refuse(reason: TlsReason, at: string, message: string, hint?: string): never {
  throw tlsFailure(reason, at, message, hint === undefined ? {} : { hint });
}

/** What an error alert of the peer's means (RFC 9846 §6.2). */
export function alertFailure(code: number): TlsFailure {
  const name = alertName(code);
  const hint = hints[name as AlertName];
  return new Failure({
    fault: faults[name as AlertName] ?? "refused",
    reason: "alert-received",
    protocol: "TLS",
    at: name,
    message: `the peer ended the session with ${name}`,
    code,
    byPeer: true,
    ...(hint === undefined ? {} : { hint }),
  });
}

const faults: Partial<Record<AlertName, Fault>> = {
  bad_record_mac: "authentication",
  decrypt_error: "authentication",
  bad_certificate: "authentication",
  unsupported_certificate: "authentication",
  certificate_revoked: "authentication",
  certificate_expired: "expired",
  certificate_unknown: "authentication",
  unknown_ca: "authentication",
  handshake_failure: "incompatible",
  protocol_version: "incompatible",
  insufficient_security: "incompatible",
  no_application_protocol: "incompatible",
  unrecognized_name: "incompatible",
};

const hints: Partial<Record<AlertName, string>> = {
  handshake_failure: "the peer found no suite, group or signature scheme that both sides allow",
  protocol_version: "the peer allows none of our versions",
  unknown_ca: "the peer does not trust the authority that issued our certificate",
  certificate_required: "the peer wants a certificate: configure an identity",
  unrecognized_name: "the peer serves no such name: check the server name",
  no_application_protocol: "the peer speaks none of our application protocols (ALPN)",
  unknown_psk_identity: "the peer does not know our pre-shared key's identity",
};
