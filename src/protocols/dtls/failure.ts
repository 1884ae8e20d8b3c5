import { DecodeError } from "../../bytes/index.js";
import { Failure } from "../../contract/index.js";
import { alerts, type TlsFailure, type TlsOptions, type TlsReason, tlsFailure } from "../tls/index.js";
import { identityText } from "../tls/psk.js";

/** DTLS gives up for the reasons for which its handshake does: see the table of the TLS room. */
export type DtlsReason = TlsReason;
export type DtlsFailure = Failure<DtlsReason>;

export const dtlsFailure = (
  reason: DtlsReason,
  at: string,
  message: string,
  more: { readonly hint?: string; readonly cause?: unknown } = {},
): DtlsFailure => tlsFailure(reason, at, message, { ...more, protocol: "DTLS" });

/** A failure of the handshake, said of DTLS, perhaps in better words. */
export function inDtls(failure: TlsFailure, message = failure.message): DtlsFailure {
  const { fault, reason, at, hint, code, byPeer, cause } = failure;
  return new Failure({
    fault,
    reason,
    protocol: "DTLS",
    message,
    byPeer,
    cause,
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
    ...(code === undefined ? {} : { code }),
  });
}

/** Why something that came, or that was to go, was dropped. Each is counted; none ends anything. */
export const dropReasons = [
  /** Not DTLS at all, and nobody listens for other protocols on this port. */
  "foreign",
  "malformed-record",
  "malformed-message",
  /** No keys for it, and no room to wait for them. */
  "no-keys",
  "stale-epoch",
  "replayed",
  "bad-record",
  "unknown-connection-id",
  /** A stranger's record that begins no handshake. */
  "no-association",
  "bad-hello",
  "bad-cookie",
  /** A first ClientHello in pieces had to make room for another, or came too slowly. */
  "partial-hello-evicted",
  "fragment-mismatch",
  "message-too-far-ahead",
  "message-too-large",
  "unauthenticated-alert",
  "unexpected-record",
  "too-many-associations",
  "too-many-answers",
  "early-data",
  /** Application data of ours: longer than a datagram may be, more than may wait, or nobody to send it to. */
  "too-long",
  "queue-full",
  "not-open",
] as const;

export type DropReason = (typeof dropReasons)[number];
export type DropCounts = { [R in DropReason]: number };

const none = Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as DropCounts;

/** Copied, which is much less than made: every association has one. */
export const noDrops = (): DropCounts => ({ ...none });

/** What was thrown while the peer's bytes were read, as a failure. */
export function asFailure(error: unknown, at: string): DtlsFailure {
  if (error instanceof DecodeError) return dtlsFailure("malformed-message", at, `it does not parse: ${error.message}`);
  if (error instanceof Failure) return error as DtlsFailure;
  return dtlsFailure("internal-error", at, "something that cannot happen did", { cause: error });
}

/** An alert of the peer's in better words: whose key was it that it does not know? */
export function explained(failure: TlsFailure, psks: TlsOptions["psks"]): DtlsFailure {
  const isUnknown = failure.code === alerts.unknown_psk_identity;
  if (!isUnknown || psks === undefined || typeof psks === "function") return inDtls(failure);
  const names = psks.map(({ identity }) => identityText(identity)).join(", ");
  return inDtls(failure, `the peer knows no pre-shared key by the name of ${names}`);
}
