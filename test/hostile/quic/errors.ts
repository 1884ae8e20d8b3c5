import { concat, fromHex } from "../../../src/bytes/index.js";
import type { QuicReason, TransportErrorName } from "../../../src/protocols/quic/failure.js";
import type { Role } from "./duel.js";
import { frame, type Level, type PacketOptions } from "./forger.js";

/** What a peer may not do after the handshake, and what it is told then. */
export interface Offence {
  readonly name: string;
  /** Who does it; default both in turn. */
  readonly by?: Role;
  readonly level?: Level;
  readonly frames: (by: Role) => Uint8Array | readonly Uint8Array[];
  readonly options?: PacketOptions;
  readonly code: TransportErrorName | number;
  readonly reason: QuicReason;
  /** The victim's last word goes to an id that its honest peer does not have. */
  readonly isUnheard?: boolean;
}

const bytes = (size: number, value = 0): Uint8Array => new Uint8Array(size).fill(value);
/** A stream that the peer of the victim may open: its first, bidirectional or not. */
const bidi = (by: Role): number => (by === "client" ? 0 : 1);
const uni = (by: Role): number => bidi(by) + 2;
const other = (by: Role): Role => (by === "client" ? "server" : "client");
const stream = (id: number, offset: number, data: Uint8Array, fin = 0): Uint8Array =>
  frame(0x0e | fin, id, offset, data.length, data);
const newCid = (sequence: number, prior: number, cid: Uint8Array, token = bytes(16, sequence)): Uint8Array =>
  frame(0x18, sequence, prior, cid.length, cid, token);
const huge = 2 ** 53 - 1;
const eightBytes = (first: number): Uint8Array => concat(Uint8Array.of(first), bytes(7, 0xff));

/** RFC 9000 §20.1, code by code. */
export const offences: readonly Offence[] = [
  // FLOW_CONTROL_ERROR
  {
    name: "STREAM beyond the stream's limit",
    frames: (by) => stream(uni(by), 100_000_000, bytes(1)),
    code: "FLOW_CONTROL_ERROR",
    reason: "flow-control",
  },
  {
    name: "RESET_STREAM with a final size beyond the limit",
    frames: (by) => frame(4, uni(by), 0, 100_000_000),
    code: "FLOW_CONTROL_ERROR",
    reason: "flow-control",
  },
  {
    name: "STREAM frames that together pass the connection's limit",
    frames: (by) => Array.from({ length: 3 }, (_, i) => stream(uni(by) + 4 * i, 524_287, bytes(1))),
    code: "FLOW_CONTROL_ERROR",
    reason: "flow-control",
  },
  // STREAM_LIMIT_ERROR
  {
    name: "a stream beyond the limit",
    frames: (by) => stream(uni(by) + 4 * 128, 0, bytes(1)),
    code: "STREAM_LIMIT_ERROR",
    reason: "stream-limit",
  },
  {
    name: "MAX_STREAM_DATA for a stream beyond the limit",
    frames: (by) => frame(0x11, bidi(by) + 4 * 128, 1),
    code: "STREAM_LIMIT_ERROR",
    reason: "stream-limit",
  },
  {
    name: "the greatest stream id",
    frames: (by) => frame(0x0a, huge - (huge % 4) + uni(by) - 4, 0),
    code: "STREAM_LIMIT_ERROR",
    reason: "stream-limit",
  },
  // STREAM_STATE_ERROR
  {
    name: "STREAM on the victim's one-way stream",
    frames: (by) => stream(uni(other(by)), 0, bytes(1)),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "STREAM on a stream that the victim never opened",
    frames: (by) => stream(bidi(other(by)), 0, bytes(1)),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "RESET_STREAM on the victim's one-way stream",
    frames: (by) => frame(4, uni(other(by)), 0, 0),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "STOP_SENDING of a stream that only the peer writes to",
    frames: (by) => frame(5, uni(by), 0),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "STOP_SENDING of a stream that the victim never opened",
    frames: (by) => frame(5, bidi(other(by)), 0),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "MAX_STREAM_DATA for a stream that only the peer writes to",
    frames: (by) => frame(0x11, uni(by), 9),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "MAX_STREAM_DATA for a stream that the victim never opened",
    frames: (by) => frame(0x11, bidi(other(by)), 9),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  {
    name: "STREAM_DATA_BLOCKED on the victim's one-way stream",
    frames: (by) => frame(0x15, uni(other(by)), 9),
    code: "STREAM_STATE_ERROR",
    reason: "stream-state",
  },
  // FINAL_SIZE_ERROR
  {
    name: "data behind the end",
    frames: (by) => [stream(bidi(by), 0, bytes(4), 1), stream(bidi(by), 4, bytes(1))],
    code: "FINAL_SIZE_ERROR",
    reason: "final-size",
  },
  {
    name: "an end before what has come",
    frames: (by) => [stream(uni(by), 9, bytes(1)), stream(uni(by), 0, bytes(1), 1)],
    code: "FINAL_SIZE_ERROR",
    reason: "final-size",
  },
  {
    name: "two ends",
    frames: (by) => [stream(uni(by), 5, bytes(1), 1), stream(uni(by), 5, bytes(2), 1)],
    code: "FINAL_SIZE_ERROR",
    reason: "final-size",
  },
  {
    name: "RESET_STREAM before what has come",
    frames: (by) => [stream(uni(by), 9, bytes(1)), frame(4, uni(by), 0, 3)],
    code: "FINAL_SIZE_ERROR",
    reason: "final-size",
  },
  // FRAME_ENCODING_ERROR
  {
    name: "a frame of no known type",
    frames: () => frame(0x21),
    code: "FRAME_ENCODING_ERROR",
    reason: "unknown-frame",
  },
  {
    name: "a frame of a type from far away",
    frames: () => frame(0x3fff_ffff),
    code: "FRAME_ENCODING_ERROR",
    reason: "unknown-frame",
  },
  {
    name: "a frame that is cut short",
    frames: () => newCid(9, 0, bytes(8)).subarray(0, 20),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "STREAM longer than its packet",
    frames: (by) => frame(0x0a, uni(by), 500, bytes(20)),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "STREAM that ends beyond 2^62 - 1",
    frames: (by) => concat(frame(0x0e, uni(by)), eightBytes(0xff), frame(5), bytes(5)),
    code: "FLOW_CONTROL_ERROR",
    reason: "flow-control",
  },
  {
    name: "CRYPTO that ends beyond 2^62 - 1",
    frames: () => concat(frame(6), eightBytes(0xff), frame(5), bytes(5)),
    code: "CRYPTO_BUFFER_EXCEEDED",
    reason: "crypto-buffer",
  },
  {
    name: "ACK whose first range reaches below 0",
    frames: () => frame(2, 3, 0, 0, 4),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "ACK whose second range reaches below 0",
    frames: () => frame(2, 9, 0, 1, 3, 5, 0),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "MAX_STREAMS above 2^60",
    frames: () => concat(frame(0x12), eightBytes(0xd0)),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "STREAMS_BLOCKED above 2^60",
    frames: () => concat(frame(0x17), eightBytes(0xd0)),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "NEW_CONNECTION_ID without an id",
    frames: () => newCid(9, 0, bytes(0)),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "NEW_CONNECTION_ID with an id of 21 bytes",
    frames: () => newCid(9, 0, bytes(21)),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "NEW_CONNECTION_ID that retires itself",
    frames: () => newCid(9, 10, bytes(8)),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  {
    name: "NEW_TOKEN without a token",
    by: "server",
    frames: () => frame(7, 0),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  // CONNECTION_ID_LIMIT_ERROR
  {
    name: "more connection ids than the victim keeps",
    frames: () => concat(...Array.from({ length: 8 }, (_, i) => newCid(20 + i, 0, bytes(8, 20 + i)))),
    code: "CONNECTION_ID_LIMIT_ERROR",
    reason: "connection-id-limit",
  },
  {
    name: "connection ids that are retired as soon as they come, without end",
    frames: () => Array.from({ length: 60 }, (_, i) => newCid(20 + i, 20 + i, bytes(8, 20 + i))),
    code: "CONNECTION_ID_LIMIT_ERROR",
    isUnheard: true,
    reason: "connection-id-limit",
  },
  // PROTOCOL_VIOLATION
  {
    name: "a packet without frames",
    frames: () => bytes(0),
    options: { isBare: true },
    code: "PROTOCOL_VIOLATION",
    reason: "empty-packet",
  },
  {
    name: "reserved bits in a short header",
    frames: () => frame(1),
    options: { firstByte: 0x18 },
    code: "PROTOCOL_VIOLATION",
    reason: "reserved-bits",
  },
  {
    name: "ACK of a packet that was never sent",
    frames: () => frame(2, 100_000, 0, 0, 0),
    code: "PROTOCOL_VIOLATION",
    reason: "ack-of-unsent",
  },
  {
    name: "ACK of everything, far beyond",
    frames: () => frame(2, huge, 0, 0, huge),
    code: "PROTOCOL_VIOLATION",
    reason: "ack-of-unsent",
  },
  {
    name: "HANDSHAKE_DONE to a server",
    by: "client",
    frames: () => frame(0x1e),
    code: "PROTOCOL_VIOLATION",
    reason: "unexpected-frame",
  },
  {
    name: "NEW_TOKEN to a server",
    by: "client",
    frames: () => frame(7, 3, bytes(3)),
    code: "PROTOCOL_VIOLATION",
    reason: "unexpected-frame",
  },
  {
    name: "RETIRE_CONNECTION_ID of an id that was never issued",
    frames: () => frame(0x19, 1_000),
    code: "PROTOCOL_VIOLATION",
    reason: "connection-id-misuse",
  },
  {
    name: "RETIRE_CONNECTION_ID of the id that the packet came by",
    frames: () => frame(0x19, 0),
    code: "PROTOCOL_VIOLATION",
    reason: "connection-id-misuse",
  },
  {
    name: "NEW_CONNECTION_ID with another's sequence number",
    frames: () => [newCid(30, 30, bytes(8, 1)), newCid(30, 30, bytes(8, 2))],
    code: "PROTOCOL_VIOLATION",
    isUnheard: true,
    reason: "connection-id-misuse",
  },
  {
    name: "NEW_CONNECTION_ID again, with another token",
    frames: () => [newCid(30, 30, bytes(8, 1)), newCid(30, 30, bytes(8, 1), bytes(16, 9))],
    code: "PROTOCOL_VIOLATION",
    isUnheard: true,
    reason: "connection-id-misuse",
  },
  {
    name: "DATAGRAM to who takes none",
    frames: () => frame(0x31, 4, bytes(4)),
    code: "PROTOCOL_VIOLATION",
    reason: "unexpected-frame",
  },
  {
    name: "a frame type in more bytes than it needs",
    frames: () => fromHex("4001"),
    code: "FRAME_ENCODING_ERROR",
    reason: "malformed-frame",
  },
  // CRYPTO_BUFFER_EXCEEDED, CRYPTO_ERROR
  {
    name: "CRYPTO far ahead",
    frames: () => frame(6, 1_000_000, 5, bytes(5)),
    code: "CRYPTO_BUFFER_EXCEEDED",
    reason: "crypto-buffer",
  },
  {
    name: "a handshake message that has no place",
    frames: () => frame(6, 0, 4, fromHex("14000000")),
    by: "client",
    code: 0x10a,
    reason: "handshake",
  },
];
