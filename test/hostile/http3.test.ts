import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Http3Client, type Http3ErrorName, http3Errors, http3Server } from "../../src/adapters/http3/index.js";
import { encodeSection } from "../../src/adapters/http3/qpack/field-section.js";
import type { Field } from "../../src/adapters/http3/qpack/static-table.js";
import { concat, fromHex, Writer, writeVarint } from "../../src/bytes/index.js";
import type { Failure } from "../../src/contract/index.js";
import type { OpenQuicStreamOptions } from "../../src/protocols/quic/index.js";
import { type MemorySession, type MemoryStream, sessionPair } from "../support/stream-pair.js";

/** The other end, of which we know only that it speaks QUIC: streams with any bytes on them. */
interface Attack {
  readonly name: string;
  /** Against which end; both if absent. */
  readonly against?: "client" | "server";
  readonly run: (attacker: Attacker) => unknown;
  /** The connection's error code. */
  readonly connection?: Http3ErrorName;
  /** The code with which the request's stream is given up: by the server a reset, by the client STOP_SENDING. */
  readonly stream?: Http3ErrorName;
}

const varint = (value: number): Uint8Array => {
  const to = new Writer();
  writeVarint(to, value);
  return to.take();
};
const frame = (type: number, payload: Uint8Array = new Uint8Array()): Uint8Array =>
  concat(varint(type), varint(payload.length), payload);
const headers = (...fields: Field[]): Uint8Array => frame(0x01, encodeSection(fields));
const data = (size: number): Uint8Array => frame(0x00, new Uint8Array(size));
const settings = frame(0x04);
const request: Field[] = [
  [":method", "POST"],
  [":scheme", "https"],
  [":authority", "a"],
  [":path", "/"],
];
const response: Field[] = [[":status", "200"]];

/** Heads that are right for the side that gets them. */
class Attacker {
  readonly session: MemorySession;
  readonly head: Field[];
  readonly #message: () => MemoryStream;

  constructor(session: MemorySession, message: () => MemoryStream) {
    this.session = session;
    this.head = session.role === "client" ? request : response;
    this.#message = message;
  }

  open(bytes: Uint8Array, options: OpenQuicStreamOptions = { direction: "unidirectional" }): MemoryStream {
    const stream = this.session.openStream(silent, options) as MemoryStream;
    stream.write(bytes);
    return stream;
  }

  control(...frames: Uint8Array[]): MemoryStream {
    return this.open(concat(Uint8Array.of(0), ...frames));
  }

  /** The stream of a request: of ours to a server, of the client's where we are the server. */
  message(...frames: Uint8Array[]): MemoryStream {
    const stream = this.#message();
    stream.write(concat(...frames));
    return stream;
  }
}

const silent = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  peerReset: () => undefined,
  peerStopped: () => undefined,
  closed: () => undefined,
};

const field = (name: string, value = "x"): Field => [name, value];
const malformed = (name: string, fields: readonly Field[], against: "client" | "server"): Attack => ({
  name: `${against}: ${name}`,
  against,
  run: (a) => a.message(headers(...fields)),
  stream: "H3_MESSAGE_ERROR",
});
const without = (name: string) => request.filter(([each]) => each !== name);
const instead = (name: string, value: string) => request.map((each) => (each[0] === name ? field(name, value) : each));

const attacks: readonly Attack[] = [
  // RFC 9114 §6.2.1, §7.2.4: the control stream.
  {
    name: "another frame before SETTINGS",
    run: (a) => a.control(frame(0x07, varint(0))),
    connection: "H3_MISSING_SETTINGS",
  },
  { name: "an unknown frame before SETTINGS", run: (a) => a.control(frame(0x21)), connection: "H3_MISSING_SETTINGS" },
  { name: "SETTINGS twice", run: (a) => a.control(settings, settings), connection: "H3_FRAME_UNEXPECTED" },
  { name: "DATA on the control stream", run: (a) => a.control(settings, data(1)), connection: "H3_FRAME_UNEXPECTED" },
  {
    name: "HEADERS on the control stream",
    run: (a) => a.control(settings, headers()),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "PUSH_PROMISE on the control stream",
    run: (a) => a.control(settings, frame(5, varint(0))),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "a frame of HTTP/2",
    run: (a) => a.control(settings, frame(0x06, new Uint8Array(8))),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "a setting of HTTP/2",
    run: (a) => a.control(frame(4, concat(varint(4), varint(1)))),
    connection: "H3_SETTINGS_ERROR",
  },
  { name: "a setting twice", run: (a) => a.control(frame(4, fromHex("06010601"))), connection: "H3_SETTINGS_ERROR" },
  { name: "a setting cut short", run: (a) => a.control(frame(4, fromHex("06"))), connection: "H3_FRAME_ERROR" },
  {
    name: "SETTINGS of 5,000 bytes",
    run: (a) => a.control(frame(4, new Uint8Array(5_000))),
    connection: "H3_SETTINGS_ERROR",
  },
  {
    name: "the control stream ends",
    run: (a) => a.control(settings).finish(),
    connection: "H3_CLOSED_CRITICAL_STREAM",
  },
  {
    name: "the control stream is reset",
    run: (a) =>
      later(
        () => a.control(settings),
        (s) => s.reset(1),
      ),
    connection: "H3_CLOSED_CRITICAL_STREAM",
  },
  {
    name: "our control stream is stopped",
    run: (a) => a.session.streams.get(a.session.role === "client" ? 3 : 2)!.stopSending(1),
    connection: "H3_CLOSED_CRITICAL_STREAM",
  },
  {
    name: "two control streams",
    run: (a) => [a.control(settings), a.control(settings)],
    connection: "H3_STREAM_CREATION_ERROR",
  },
  {
    name: "GOAWAY with two integers",
    run: (a) => a.control(settings, frame(7, fromHex("0000"))),
    connection: "H3_FRAME_ERROR",
  },
  { name: "GOAWAY with none", run: (a) => a.control(settings, frame(7)), connection: "H3_FRAME_ERROR" },
  {
    name: "GOAWAY of 100 bytes",
    run: (a) => a.control(settings, frame(7, new Uint8Array(100))),
    connection: "H3_FRAME_ERROR",
  },
  {
    name: "GOAWAY that grows",
    run: (a) => a.control(settings, frame(7, varint(0)), frame(7, varint(4))),
    connection: "H3_ID_ERROR",
  },
  {
    name: "GOAWAY with no request's ID",
    against: "client",
    run: (a) => a.control(settings, frame(7, varint(1))),
    connection: "H3_ID_ERROR",
  },
  {
    name: "MAX_PUSH_ID of a server",
    against: "client",
    run: (a) => a.control(settings, frame(0x0d, varint(1))),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "MAX_PUSH_ID that falls",
    against: "server",
    run: (a) => a.control(settings, frame(0x0d, varint(2)), frame(0x0d, varint(1))),
    connection: "H3_ID_ERROR",
  },
  { name: "CANCEL_PUSH of no push", run: (a) => a.control(settings, frame(3, varint(0))), connection: "H3_ID_ERROR" },
  // §6.2.2, §7.2.5: pushes.
  {
    name: "a push stream of a client",
    against: "server",
    run: (a) => a.open(Uint8Array.of(1, 0)),
    connection: "H3_STREAM_CREATION_ERROR",
  },
  {
    name: "a push stream that was not allowed",
    against: "client",
    run: (a) => a.open(Uint8Array.of(1, 0)),
    connection: "H3_ID_ERROR",
  },
  {
    name: "PUSH_PROMISE of a client",
    against: "server",
    run: (a) => a.message(frame(5, varint(0))),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "PUSH_PROMISE that was not allowed",
    against: "client",
    run: (a) => a.message(frame(5, varint(0))),
    connection: "H3_ID_ERROR",
  },
  {
    name: "a bidirectional stream of a server",
    against: "client",
    run: (a) => a.open(headers(), {}),
    connection: "H3_STREAM_CREATION_ERROR",
  },
  // QPACK's streams, RFC 9204 §6.
  {
    name: "an insertion into a table of no capacity",
    run: (a) => a.open(fromHex("02c00f7777")),
    connection: "QPACK_ENCODER_STREAM_ERROR",
  },
  { name: "a capacity above none", run: (a) => a.open(fromHex("023fbd01")), connection: "QPACK_ENCODER_STREAM_ERROR" },
  {
    name: "an acknowledgment of nothing",
    run: (a) => a.open(fromHex("0384")),
    connection: "QPACK_DECODER_STREAM_ERROR",
  },
  { name: "an increment of nothing", run: (a) => a.open(fromHex("0301")), connection: "QPACK_DECODER_STREAM_ERROR" },
  {
    name: "two encoder streams",
    run: (a) => [a.open(fromHex("02")), a.open(fromHex("02"))],
    connection: "H3_STREAM_CREATION_ERROR",
  },
  {
    name: "the encoder stream ends",
    run: (a) => a.open(fromHex("0220")).finish(),
    connection: "H3_CLOSED_CRITICAL_STREAM",
  },
  {
    name: "a reference to the dynamic table",
    run: (a) => a.message(frame(1, fromHex("038110"))),
    connection: "QPACK_DECOMPRESSION_FAILED",
  },
  { name: "a field section of nothing", run: (a) => a.message(frame(1)), connection: "QPACK_DECOMPRESSION_FAILED" },
  {
    name: "a string that is no Huffman code",
    run: (a) => a.message(frame(1, fromHex("00005184ffffffff"))),
    connection: "QPACK_DECOMPRESSION_FAILED",
  },
  // §4.1: the order of frames on a request's stream.
  { name: "DATA before HEADERS", run: (a) => a.message(data(1)), connection: "H3_FRAME_UNEXPECTED" },
  { name: "SETTINGS on a request's stream", run: (a) => a.message(settings), connection: "H3_FRAME_UNEXPECTED" },
  {
    name: "GOAWAY on a request's stream",
    run: (a) => a.message(frame(7, varint(0))),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "a frame of HTTP/2 on a request's stream",
    run: (a) => a.message(frame(0x09)),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "HEADERS behind trailers",
    run: (a) => a.message(headers(...a.head), headers(), headers()),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "DATA behind trailers",
    run: (a) => a.message(headers(...a.head), headers(), data(1)),
    connection: "H3_FRAME_UNEXPECTED",
  },
  {
    name: "a stream that ends within a frame",
    run: (a) => a.message(headers(...a.head), fromHex("000a00")).finish(),
    connection: "H3_FRAME_ERROR",
  },
  {
    name: "a stream that ends within a frame's length",
    run: (a) => a.message(fromHex("0140")).finish(),
    connection: "H3_FRAME_ERROR",
  },
  {
    name: "2,000 empty DATA frames",
    run: (a) => a.message(headers(...a.head), ...Array.from({ length: 2_000 }, () => data(0))),
    connection: "H3_EXCESSIVE_LOAD",
  },
  {
    name: "2,000 unknown frames",
    run: (a) => a.control(settings, ...Array.from({ length: 2_000 }, () => frame(0x21))),
    connection: "H3_EXCESSIVE_LOAD",
  },
  {
    name: "100 streams of unknown types",
    run: (a) => {
      for (let i = 0; i < 100; i++) a.open(varint(0x21 + 0x1f * i));
    },
    connection: "H3_EXCESSIVE_LOAD",
  },
  // §4.1.2: malformed messages end their stream alone.
  {
    name: "a request without an end of its head",
    against: "server",
    run: (a) => a.message().finish(),
    stream: "H3_REQUEST_INCOMPLETE",
  },
  {
    name: "a response without a head",
    against: "client",
    run: (a) => a.message().finish(),
    stream: "H3_REQUEST_CANCELLED",
  },
  {
    name: "more content than content-length",
    run: (a) => a.message(headers(...a.head, field("content-length", "3")), data(4)),
    stream: "H3_MESSAGE_ERROR",
  },
  {
    name: "less content than content-length",
    run: (a) => a.message(headers(...a.head, field("content-length", "3")), data(2)).finish(),
    stream: "H3_MESSAGE_ERROR",
  },
  {
    name: "two content-lengths",
    run: (a) => a.message(headers(...a.head, field("content-length", "3"), field("content-length", "4"))),
    stream: "H3_MESSAGE_ERROR",
  },
  {
    name: "a negative content-length",
    run: (a) => a.message(headers(...a.head, field("content-length", "-3"))),
    stream: "H3_MESSAGE_ERROR",
  },
  {
    name: "pseudo-header fields in trailers",
    run: (a) => a.message(headers(...a.head), headers(...response)),
    stream: "H3_MESSAGE_ERROR",
  },
  {
    name: "trailers larger than we take",
    run: (a) => a.message(headers(...a.head), headers(field("x", "v".repeat(70_000)))),
    stream: "H3_EXCESSIVE_LOAD",
  },
  ...[":method", ":scheme", ":path", ":authority"].map((name) => malformed(`no ${name}`, without(name), "server")),
  malformed("an empty path", instead(":path", ""), "server"),
  malformed("a path without a slash", instead(":path", "a"), "server"),
  malformed("a path with a space", instead(":path", "/ HTTP/1.1"), "server"),
  malformed("a method that is no token", instead(":method", "GET /"), "server"),
  malformed("a scheme that is none", instead(":scheme", "ht tp"), "server"),
  malformed("a user name in :authority", instead(":authority", "me@a"), "server"),
  malformed(":path twice", [...request, field(":path", "/")], "server"),
  malformed("a pseudo-header field behind a field", [...request.slice(1), field("a"), request[0]!], "server"),
  malformed("an unknown pseudo-header field", [...request, field(":x")], "server"),
  malformed(":status in a request", [...request, field(":status", "200")], "server"),
  malformed("host that is not :authority", [...request, field("host", "b")], "server"),
  malformed(
    "CONNECT with a path",
    [field(":method", "CONNECT"), field(":authority", "a"), field(":path", "/")],
    "server",
  ),
  malformed("CONNECT without an authority", [field(":method", "CONNECT")], "server"),
  malformed("an upper-case name", [...request, field("A")], "server"),
  malformed("a name with a space", [...request, field("a b")], "server"),
  malformed("an empty name", [...request, field("")], "server"),
  malformed("a line feed in a value", [...request, field("a", "b\nc: d")], "server"),
  malformed("a zero in a value", [...request, field("a", "b\0")], "server"),
  malformed("a value that begins with a space", [...request, field("a", " b")], "server"),
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map((name) =>
    malformed(name, [...request, field(name)], "server"),
  ),
  malformed("te of gzip", [...request, field("te", "gzip")], "server"),
  malformed("no :status", [], "client"),
  malformed("a status of two digits", [field(":status", "20")], "client"),
  malformed("status 101", [field(":status", "101")], "client"),
  malformed(":method in a response", [...response, field(":method", "GET")], "client"),
  malformed("transfer-encoding in a response", [...response, field("transfer-encoding", "chunked")], "client"),
  {
    name: "a hundred interim responses",
    against: "client",
    run: (a) => a.message(...Array.from({ length: 100 }, () => headers([":status", "103"]))),
    stream: "H3_MESSAGE_ERROR",
  },
];

/** Does the second thing when the first has arrived. */
function later<T>(first: () => T, second: (of: T) => void): void {
  const made = first();
  setImmediate(() => second(made));
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise<void>((go) => setImmediate(go));
};

interface Outcome {
  readonly target: MemorySession;
  readonly stream: MemoryStream | undefined;
  readonly requestFailure: unknown;
}

async function attack(against: "client" | "server", run: Attack["run"], pieceMax: number): Promise<Outcome> {
  const pair = sessionPair({ pieceMax });
  const target = pair[against];
  let stream: MemoryStream | undefined;
  let requestFailure: unknown;
  if (against === "server") {
    pair.client.sink = { stream: () => silent, closed: () => undefined };
    pair.server.sink = http3Server(async ({ body }) => ({ body: await body.bytes() }))(pair.server);
    await turns(2);
    run(
      new Attacker(pair.client, () => {
        stream = pair.client.openStream(silent) as MemoryStream;
        return stream;
      }),
    );
    stream = stream?.other;
  } else {
    const client = new Http3Client({ authority: "a" });
    pair.client.sink = client;
    pair.server.sink = { stream: () => silent, closed: () => undefined };
    client.attach(pair.client);
    const asked = client.request({ method: "POST", body: new ReadableStream<Uint8Array>() }).then(
      (answer) => answer.bytes().catch((error: unknown) => void (requestFailure = error)),
      (error: unknown) => void (requestFailure = error),
    );
    await turns(2);
    stream = pair.client.streams.get(0);
    run(new Attacker(pair.server, () => stream!.other));
    void asked;
  }
  for (let i = 0; i < 40 && target.closedWith === undefined; i++) await turns(5);
  return { target, stream, requestFailure };
}

for (const { name, against, run, connection, stream: streamCode } of attacks) {
  for (const side of against === undefined ? (["client", "server"] as const) : [against]) {
    test(`${side}: ${name.replace(/^(client|server): /, "")}: ${connection ?? streamCode}`, async () => {
      for (const pieceMax of [1_000_000, 1]) {
        if (pieceMax === 1 && name.includes("larger")) continue;
        const { target, stream, requestFailure } = await attack(side, run, pieceMax);
        if (connection !== undefined) {
          assert.equal(target.closedWith?.code, http3Errors[connection]);
          if (side === "client") assert.ok(requestFailure instanceof Error);
          continue;
        }
        assert.equal(target.closedWith, undefined);
        const code = side === "server" ? stream?.resetWith : (stream?.stoppedWith ?? stream?.resetWith);
        assert.equal(code, http3Errors[streamCode!]);
        if (side === "client") assert.equal((requestFailure as Failure).protocol, "HTTP/3");
      }
    });
  }
}

test("an answered request leaves nothing open, whatever unknown frames and streams came beside it", async () => {
  const grease = frame(0x21 + 0x1f * 7, new Uint8Array(100));
  const { target, stream } = await attack(
    "server",
    (a) => {
      a.control(settings, grease, grease);
      a.open(concat(varint(0x21 + 0x1f * 3), new Uint8Array(1_000)));
      a.message(grease, headers(...request), grease, data(3), grease, headers(field("x-end")), grease).finish();
    },
    3,
  );
  assert.equal(target.closedWith, undefined);
  assert.equal(stream?.resetWith, undefined);
  assert.ok(stream?.isOutOver && stream.isInOver);
});

test("a request whose head is larger than we take is answered with 431, however it is packed", async () => {
  for (const fields of [
    [...request, field("x", "v".repeat(70_000))],
    [...request, ...Array.from({ length: 1_100 }, () => field("a", ""))],
    // Packed it is small: 3,000 references to an entry of the static table.
    [...request, ...Array.from({ length: 3_000 }, () => field("accept-encoding", "gzip, deflate, br"))],
  ] as Field[][]) {
    const { target, stream } = await attack("server", (a) => a.message(headers(...fields)), 1_000_000);
    assert.equal(target.closedWith, undefined);
    assert.equal(stream?.resetWith, undefined);
    assert.ok(stream?.isOutOver);
  }
});

test("streams of any bytes: neither end throws, and each ends or waits", async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.constantFrom(settings, data(5), headers(...request), headers(...response), headers(), frame(7, varint(0))),
    fc
      .tuple(fc.integer({ min: 0, max: 0x21 }), fc.uint8Array({ maxLength: 40 }))
      .map(([type, body]) => frame(type, body)),
  );
  const stream = fc.record({
    uni: fc.boolean(),
    type: fc.integer({ min: 0, max: 5 }),
    pieces: fc.array(piece, { maxLength: 5 }),
    end: fc.constantFrom("open", "finish", "reset"),
  });
  let closed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("client" as const, "server" as const),
      fc.array(stream, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(1, 5, 1_000),
      async (side, streams, pieceMax) => {
        const { target } = await attack(
          side,
          (a) => {
            for (const { uni, type, pieces, end } of streams) {
              const made = uni ? a.open(concat(Uint8Array.of(type), ...pieces)) : a.message(...pieces);
              if (end === "finish") made.finish();
              else if (end === "reset") made.reset(7);
            }
          },
          pieceMax,
        );
        if (target.closedWith !== undefined) {
          closed++;
          assert.ok(Object.values(http3Errors).some((code) => code === target.closedWith!.code));
        }
      },
    ),
    { seed: 9_114, numRuns: 150 },
  );
  assert.ok(closed > 20, `only ${closed} connections ended`);
});
