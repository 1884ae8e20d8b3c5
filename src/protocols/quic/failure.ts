import { Failure, type Fault } from "../../contract/index.js";
import { type AlertName, alertName } from "../tls/index.js";

interface Row {
  readonly fault: Fault;
  /** What the peer is told: a transport error code (RFC 9000 §20.1); undefined when there is nobody to tell. */
  readonly code: TransportErrorName | undefined;
}

/** RFC 9000 §20.1, RFC 9368 §10.1. CRYPTO_ERROR is a range of codes: 0x100 and TLS's alert. */
export const transportErrors = {
  NO_ERROR: 0x00,
  INTERNAL_ERROR: 0x01,
  CONNECTION_REFUSED: 0x02,
  FLOW_CONTROL_ERROR: 0x03,
  STREAM_LIMIT_ERROR: 0x04,
  STREAM_STATE_ERROR: 0x05,
  FINAL_SIZE_ERROR: 0x06,
  FRAME_ENCODING_ERROR: 0x07,
  TRANSPORT_PARAMETER_ERROR: 0x08,
  CONNECTION_ID_LIMIT_ERROR: 0x09,
  PROTOCOL_VIOLATION: 0x0a,
  INVALID_TOKEN: 0x0b,
  APPLICATION_ERROR: 0x0c,
  CRYPTO_BUFFER_EXCEEDED: 0x0d,
  KEY_UPDATE_ERROR: 0x0e,
  AEAD_LIMIT_REACHED: 0x0f,
  NO_VIABLE_PATH: 0x10,
  VERSION_NEGOTIATION_ERROR: 0x11,
} as const;

export type TransportErrorName = keyof typeof transportErrors;

/** What stands for an application's code where it could be read by others (RFC 9000 §10.2.3). */
export const applicationError: number = transportErrors.APPLICATION_ERROR;

/** First of the 256 codes that carry a TLS alert (RFC 9001 §4.8). */
export const cryptoError = 0x100;

/** Every reason for which QUIC gives up, whose fault it is, and the code that follows. A reason without a row does not compile. */
export const reasons = {
  // The bytes do not parse.
  "malformed-frame": { fault: "decode", code: "FRAME_ENCODING_ERROR" },
  "malformed-parameters": { fault: "decode", code: "TRANSPORT_PARAMETER_ERROR" },
  // The peer broke the rules.
  "unexpected-frame": { fault: "misbehaviour", code: "PROTOCOL_VIOLATION" },
  "unknown-frame": { fault: "misbehaviour", code: "FRAME_ENCODING_ERROR" },
  "empty-packet": { fault: "misbehaviour", code: "PROTOCOL_VIOLATION" },
  "reserved-bits": { fault: "misbehaviour", code: "PROTOCOL_VIOLATION" },
  "ack-of-unsent": { fault: "misbehaviour", code: "PROTOCOL_VIOLATION" },
  "wrong-connection-id": { fault: "misbehaviour", code: "TRANSPORT_PARAMETER_ERROR" },
  "connection-id-limit": { fault: "misbehaviour", code: "CONNECTION_ID_LIMIT_ERROR" },
  "connection-id-misuse": { fault: "misbehaviour", code: "PROTOCOL_VIOLATION" },
  "flow-control": { fault: "misbehaviour", code: "FLOW_CONTROL_ERROR" },
  "stream-limit": { fault: "misbehaviour", code: "STREAM_LIMIT_ERROR" },
  "stream-state": { fault: "misbehaviour", code: "STREAM_STATE_ERROR" },
  "final-size": { fault: "misbehaviour", code: "FINAL_SIZE_ERROR" },
  "stream-fragmentation": { fault: "misbehaviour", code: "INTERNAL_ERROR" },
  "crypto-buffer": { fault: "misbehaviour", code: "CRYPTO_BUFFER_EXCEEDED" },
  "key-update": { fault: "misbehaviour", code: "KEY_UPDATE_ERROR" },
  "version-negotiation": { fault: "misbehaviour", code: "VERSION_NEGOTIATION_ERROR" },
  // Both are right, but share nothing.
  "no-common-version": { fault: "incompatible", code: "VERSION_NEGOTIATION_ERROR" },
  // TLS gave up: its own failure is the cause, the code is 0x100 and its alert.
  handshake: { fault: "authentication", code: undefined },
  // The peer or a policy said no.
  "closed-by-peer": { fault: "refused", code: undefined },
  "closed-by-application": { fault: "refused", code: undefined },
  // The peer went away, or time ran out.
  "stateless-reset": { fault: "unreachable", code: undefined },
  "idle-timeout": { fault: "unreachable", code: undefined },
  "handshake-timeout": { fault: "unreachable", code: undefined },
  "no-viable-path": { fault: "unreachable", code: "NO_VIABLE_PATH" },
  "connection-lost": { fault: "unreachable", code: undefined },
  "keys-exhausted": { fault: "expired", code: "AEAD_LIMIT_REACHED" },
  // The caller asked for something out of order, or the host could not do it.
  misuse: { fault: "misuse", code: "INTERNAL_ERROR" },
  "internal-error": { fault: "misuse", code: "INTERNAL_ERROR" },
} as const satisfies Record<string, Row>;

export type QuicReason = keyof typeof reasons;
export type QuicFailure = Failure<QuicReason>;

/** A failure of ours, with the transport error that tells the peer as its code. */
export function quicFailure(
  reason: QuicReason,
  at: string,
  message: string,
  more: { readonly hint?: string; readonly cause?: unknown; readonly code?: number; readonly fault?: Fault } = {},
): QuicFailure {
  const { fault, code }: Row = reasons[reason];
  return new Failure({
    protocol: "QUIC",
    fault,
    ...(code === undefined ? {} : { code: transportErrors[code] }),
    ...more,
    reason,
    at,
    message,
  });
}

/** Ends a connection from within a part: thrown there, caught at the connection's edge, and nowhere else. */
export function refuse(reason: QuicReason, at: string, message: string): never {
  throw quicFailure(reason, at, message);
}

const names = new Map<number, string>(Object.entries(transportErrors).map(([name, code]) => [code, name]));

/** A transport error's name in the specification; TLS's alert for a CRYPTO_ERROR. */
export function transportErrorName(code: number): TransportErrorName | AlertName | string {
  if (code >= cryptoError && code < cryptoError + 256) return alertName(code - cryptoError);
  return names.get(code) ?? `error 0x${code.toString(16)}`;
}
