import { Failure, type Fault } from "../../contract/index.js";

/** Error codes of HTTP/3 (RFC 9114 §8.1) and QPACK (RFC 9204 §6). */
export const http3Errors = {
  H3_NO_ERROR: 0x100,
  H3_GENERAL_PROTOCOL_ERROR: 0x101,
  H3_INTERNAL_ERROR: 0x102,
  H3_STREAM_CREATION_ERROR: 0x103,
  H3_CLOSED_CRITICAL_STREAM: 0x104,
  H3_FRAME_UNEXPECTED: 0x105,
  H3_FRAME_ERROR: 0x106,
  H3_EXCESSIVE_LOAD: 0x107,
  H3_ID_ERROR: 0x108,
  H3_SETTINGS_ERROR: 0x109,
  H3_MISSING_SETTINGS: 0x10a,
  H3_REQUEST_REJECTED: 0x10b,
  H3_REQUEST_CANCELLED: 0x10c,
  H3_REQUEST_INCOMPLETE: 0x10d,
  H3_MESSAGE_ERROR: 0x10e,
  H3_CONNECT_ERROR: 0x10f,
  H3_VERSION_FALLBACK: 0x110,
  QPACK_DECOMPRESSION_FAILED: 0x200,
  QPACK_ENCODER_STREAM_ERROR: 0x201,
  QPACK_DECODER_STREAM_ERROR: 0x202,
} as const;

export type Http3ErrorName = keyof typeof http3Errors;

interface Row {
  readonly fault: Fault;
  readonly code: Http3ErrorName;
}

/** Every reason for which HTTP/3 gives up a request or the connection: whose fault it is, and what the peer is told. */
export const http3Reasons = {
  // The bytes do not parse.
  "malformed-frame": { fault: "decode", code: "H3_FRAME_ERROR" },
  "malformed-settings": { fault: "decode", code: "H3_SETTINGS_ERROR" },
  "malformed-field-section": { fault: "decode", code: "QPACK_DECOMPRESSION_FAILED" },
  "malformed-encoder-stream": { fault: "decode", code: "QPACK_ENCODER_STREAM_ERROR" },
  "malformed-decoder-stream": { fault: "decode", code: "QPACK_DECODER_STREAM_ERROR" },
  // The peer broke the rules.
  "unexpected-frame": { fault: "misbehaviour", code: "H3_FRAME_UNEXPECTED" },
  "missing-settings": { fault: "misbehaviour", code: "H3_MISSING_SETTINGS" },
  "unexpected-stream": { fault: "misbehaviour", code: "H3_STREAM_CREATION_ERROR" },
  "closed-critical-stream": { fault: "misbehaviour", code: "H3_CLOSED_CRITICAL_STREAM" },
  "wrong-id": { fault: "misbehaviour", code: "H3_ID_ERROR" },
  "malformed-message": { fault: "misbehaviour", code: "H3_MESSAGE_ERROR" },
  "incomplete-request": { fault: "misbehaviour", code: "H3_REQUEST_INCOMPLETE" },
  "incomplete-response": { fault: "misbehaviour", code: "H3_REQUEST_CANCELLED" },
  "excessive-load": { fault: "misbehaviour", code: "H3_EXCESSIVE_LOAD" },
  "field-section-too-large": { fault: "misbehaviour", code: "H3_EXCESSIVE_LOAD" },
  "body-too-large": { fault: "misbehaviour", code: "H3_EXCESSIVE_LOAD" },
  // The peer said no.
  "stream-reset": { fault: "refused", code: "H3_REQUEST_CANCELLED" },
  "request-rejected": { fault: "refused", code: "H3_REQUEST_REJECTED" },
  "going-away": { fault: "refused", code: "H3_REQUEST_REJECTED" },
  "connection-closed": { fault: "refused", code: "H3_NO_ERROR" },
  // The network went away.
  "connection-lost": { fault: "unreachable", code: "H3_NO_ERROR" },
  // The caller.
  misuse: { fault: "misuse", code: "H3_INTERNAL_ERROR" },
  cancelled: { fault: "misuse", code: "H3_REQUEST_CANCELLED" },
  "handler-failed": { fault: "misuse", code: "H3_INTERNAL_ERROR" },
} as const satisfies Record<string, Row>;

export type Http3Reason = keyof typeof http3Reasons;
export type Http3Failure = Failure<Http3Reason>;

interface More {
  readonly at?: string;
  readonly hint?: string;
  readonly cause?: unknown;
  readonly byPeer?: boolean;
  /** In place of the reason's own: what the peer said. */
  readonly code?: number;
}

/** A failure, with the error code that tells the peer. */
export function http3Failure(reason: Http3Reason, message: string, more: More = {}): Http3Failure {
  const { fault, code } = http3Reasons[reason];
  return new Failure({ protocol: "HTTP/3", fault, reason, message, code: http3Errors[code], ...more });
}

const names = new Map<number, string>(Object.entries(http3Errors).map(([name, code]) => [code, name]));

/** The name of an error code of the peer's, or its number. */
export const http3ErrorName = (code: number): string => names.get(code) ?? `0x${code.toString(16)}`;

/** What a stream's end by the peer means for a request: RESET_STREAM or STOP_SENDING with `code` (RFC 9114 §4.1.1). */
export function resetFailure(code: number): Http3Failure {
  const rejected = code === http3Errors.H3_REQUEST_REJECTED;
  return http3Failure(rejected ? "request-rejected" : "stream-reset", `the peer gave up with ${http3ErrorName(code)}`, {
    at: http3ErrorName(code),
    code,
    byPeer: true,
    ...(rejected && { hint: "nothing was done with the request: it may be sent again" }),
  });
}

/** Did the session end well: by our own close, or by the peer's with H3_NO_ERROR? */
export const isGoodEnd = (failure: Failure | undefined): boolean =>
  failure === undefined || (failure.reason === "closed-by-application" && failure.code === http3Errors.H3_NO_ERROR);

/** What the session's end means for a request that was open, in HTTP/3's words; what QUIC itself failed of stays that. */
export function closeFailure(failure: Failure | undefined): Failure {
  if (failure !== undefined && failure.reason !== "closed-by-application") return failure;
  const code = failure?.code ?? http3Errors.H3_NO_ERROR;
  const who = failure === undefined ? "the connection was closed" : "the peer closed the connection";
  const why = failure === undefined || failure.message === "" ? "" : `: ${failure.message}`;
  return http3Failure("connection-closed", `${who} with ${http3ErrorName(code)}${why}`, {
    at: http3ErrorName(code),
    code,
    byPeer: failure !== undefined,
    ...(failure !== undefined && { cause: failure }),
  });
}
