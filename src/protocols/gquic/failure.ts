import { Failure, type Fault } from "../../contract/index.js";

/** Error codes that CONNECTION_CLOSE, RST_STREAM and GOAWAY carry; those that are sent here, and those that mean no failure. */
export const errorCodes = {
  QUIC_NO_ERROR: 0,
  QUIC_INTERNAL_ERROR: 1,
  QUIC_STREAM_DATA_AFTER_TERMINATION: 2,
  QUIC_INVALID_FRAME_DATA: 4,
  QUIC_INVALID_ACK_DATA: 9,
  QUIC_PEER_GOING_AWAY: 16,
  QUIC_INVALID_STREAM_ID: 17,
  QUIC_TOO_MANY_OPEN_STREAMS: 18,
  QUIC_INVALID_VERSION: 20,
  QUIC_NETWORK_IDLE_TIMEOUT: 25,
  QUIC_HANDSHAKE_FAILED: 28,
  QUIC_CRYPTO_TAGS_OUT_OF_ORDER: 29,
  QUIC_CRYPTO_TOO_MANY_ENTRIES: 30,
  QUIC_CRYPTO_INVALID_VALUE_LENGTH: 31,
  QUIC_INVALID_CRYPTO_MESSAGE_TYPE: 33,
  QUIC_INVALID_CRYPTO_MESSAGE_PARAMETER: 34,
  QUIC_CRYPTO_MESSAGE_PARAMETER_NOT_FOUND: 35,
  QUIC_CRYPTO_MESSAGE_PARAMETER_NO_OVERLAP: 36,
  QUIC_CRYPTO_TOO_MANY_REJECTS: 41,
  QUIC_PROOF_INVALID: 42,
  QUIC_CRYPTO_DUPLICATE_TAG: 43,
  QUIC_CRYPTO_ENCRYPTION_LEVEL_INCORRECT: 44,
  QUIC_CRYPTO_SERVER_CONFIG_EXPIRED: 45,
  QUIC_INVALID_STREAM_DATA: 46,
  QUIC_MISSING_PAYLOAD: 48,
  QUIC_CRYPTO_SYMMETRIC_KEY_SETUP_FAILED: 53,
  QUIC_VERSION_NEGOTIATION_MISMATCH: 55,
  QUIC_FLOW_CONTROL_RECEIVED_TOO_MUCH_DATA: 59,
  QUIC_UNENCRYPTED_STREAM_DATA: 61,
  QUIC_HANDSHAKE_TIMEOUT: 67,
  QUIC_TOO_MANY_AVAILABLE_STREAMS: 76,
  QUIC_ERROR_MIGRATING_ADDRESS: 26,
} as const;

export type ErrorName = keyof typeof errorCodes;

interface Row {
  readonly fault: Fault;
  /** What the peer is told; undefined when there is nobody to tell. */
  readonly code: ErrorName | undefined;
}

/** Every reason for which Google QUIC gives up, whose fault it is, and the code that follows. */
export const reasons = {
  // The bytes do not parse.
  "malformed-frame": { fault: "decode", code: "QUIC_INVALID_FRAME_DATA" },
  "malformed-message": { fault: "decode", code: "QUIC_CRYPTO_INVALID_VALUE_LENGTH" },
  "tags-out-of-order": { fault: "decode", code: "QUIC_CRYPTO_TAGS_OUT_OF_ORDER" },
  "duplicate-tag": { fault: "decode", code: "QUIC_CRYPTO_DUPLICATE_TAG" },
  "too-many-tags": { fault: "decode", code: "QUIC_CRYPTO_TOO_MANY_ENTRIES" },
  // The peer broke the rules.
  "missing-parameter": { fault: "misbehaviour", code: "QUIC_CRYPTO_MESSAGE_PARAMETER_NOT_FOUND" },
  "wrong-parameter": { fault: "misbehaviour", code: "QUIC_INVALID_CRYPTO_MESSAGE_PARAMETER" },
  "unexpected-message": { fault: "misbehaviour", code: "QUIC_INVALID_CRYPTO_MESSAGE_TYPE" },
  "wrong-level": { fault: "misbehaviour", code: "QUIC_CRYPTO_ENCRYPTION_LEVEL_INCORRECT" },
  "unencrypted-data": { fault: "misbehaviour", code: "QUIC_UNENCRYPTED_STREAM_DATA" },
  "empty-packet": { fault: "misbehaviour", code: "QUIC_MISSING_PAYLOAD" },
  "ack-of-unsent": { fault: "misbehaviour", code: "QUIC_INVALID_ACK_DATA" },
  "flow-control": { fault: "misbehaviour", code: "QUIC_FLOW_CONTROL_RECEIVED_TOO_MUCH_DATA" },
  "stream-limit": { fault: "misbehaviour", code: "QUIC_TOO_MANY_OPEN_STREAMS" },
  "skipped-streams": { fault: "misbehaviour", code: "QUIC_TOO_MANY_AVAILABLE_STREAMS" },
  "stream-id": { fault: "misbehaviour", code: "QUIC_INVALID_STREAM_ID" },
  "final-offset": { fault: "misbehaviour", code: "QUIC_STREAM_DATA_AFTER_TERMINATION" },
  "stream-fragmentation": { fault: "misbehaviour", code: "QUIC_INVALID_STREAM_DATA" },
  "too-many-rejects": { fault: "misbehaviour", code: "QUIC_CRYPTO_TOO_MANY_REJECTS" },
  downgrade: { fault: "misbehaviour", code: "QUIC_VERSION_NEGOTIATION_MISMATCH" },
  // A proof failed.
  "proof-invalid": { fault: "authentication", code: "QUIC_PROOF_INVALID" },
  "invalid-share": { fault: "authentication", code: "QUIC_CRYPTO_SYMMETRIC_KEY_SETUP_FAILED" },
  // Both are right, but share nothing.
  "no-common-version": { fault: "incompatible", code: "QUIC_INVALID_VERSION" },
  "no-common-crypto": { fault: "incompatible", code: "QUIC_CRYPTO_MESSAGE_PARAMETER_NO_OVERLAP" },
  "config-expired": { fault: "expired", code: "QUIC_CRYPTO_SERVER_CONFIG_EXPIRED" },
  // The peer or a policy said no.
  "closed-by-peer": { fault: "refused", code: undefined },
  // The peer went away, or time ran out.
  "public-reset": { fault: "unreachable", code: undefined },
  "stateless-reset": { fault: "unreachable", code: undefined },
  "idle-timeout": { fault: "unreachable", code: "QUIC_NETWORK_IDLE_TIMEOUT" },
  "handshake-timeout": { fault: "unreachable", code: "QUIC_HANDSHAKE_TIMEOUT" },
  "no-viable-path": { fault: "unreachable", code: "QUIC_ERROR_MIGRATING_ADDRESS" },
  "connection-lost": { fault: "unreachable", code: undefined },
  // The caller asked for something out of order, or the host could not do it.
  misuse: { fault: "misuse", code: "QUIC_INTERNAL_ERROR" },
  "internal-error": { fault: "misuse", code: "QUIC_INTERNAL_ERROR" },
} as const satisfies Record<string, Row>;

export type GquicReason = keyof typeof reasons;
export type GquicFailure = Failure<GquicReason>;

/** A failure of ours, with the error code that tells the peer. */
export function gquicFailure(
  reason: GquicReason,
  at: string,
  message: string,
  more: {
    readonly hint?: string;
    readonly cause?: unknown;
    readonly code?: number;
    readonly fault?: Fault;
    readonly byPeer?: boolean;
  } = {},
): GquicFailure {
  const { fault, code }: Row = reasons[reason];
  return new Failure({
    protocol: "gQUIC",
    fault,
    ...(code === undefined ? {} : { code: errorCodes[code] }),
    ...more,
    reason,
    at,
    message,
  });
}

/** Ends a connection from within a part: thrown there, caught at the connection's edge, and nowhere else. */
export function refuse(reason: GquicReason, at: string, message: string): never {
  throw gquicFailure(reason, at, message);
}

const names = new Map<number, string>(Object.entries(errorCodes).map(([name, code]) => [code, name]));

export const errorName = (code: number): string => names.get(code) ?? `error ${code}`;
