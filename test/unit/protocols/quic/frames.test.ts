import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../../../src/bytes/index.js";
import { Ranges } from "../../../../src/mechanisms/ranges.js";
import { PacketType } from "../../../../src/protocols/quic/protection/versions.js";
import {
  FrameType,
  frameName,
  isAckEliciting,
  isKnownFrame,
  isProbing,
  mayStandIn,
} from "../../../../src/protocols/quic/wire/frame-types.js";
import { FrameView } from "../../../../src/protocols/quic/wire/frame-view.js";
import {
  putAck,
  putClose,
  putCryptoHead,
  putNewToken,
  putPath,
} from "../../../../src/protocols/quic/wire/frame-writers.js";

const read = (bytes: Uint8Array): FrameView | undefined => {
  const view = new FrameView();
  return view.read(bytes, 0, bytes.length) ? view : undefined;
};

/** Each frame of RFC 9000 §19 and RFC 9221 by hand, with what it must say. */
const samples: readonly [name: string, hex: string, fields: Partial<Record<keyof FrameView, number | boolean>>][] = [
  ["PADDING", "000000", { type: 0, next: 3 }],
  ["PING", "01", { type: 1, next: 1 }],
  ["ACK", "02 4064 10 01 03 02 05", { ackDelay: 16, rangeCount: 2 }],
  ["ACK with ECN", "03 05 00 00 05 07 08 09", { rangeCount: 1, ect0: 7, ect1: 8, ce: 9 }],
  ["RESET_STREAM", "04 08 4155 52ff", { id: 8, code: 0x155, finalSize: 0x12ff }],
  ["STOP_SENDING", "05 0b 07", { id: 11, code: 7 }],
  ["CRYPTO", "06 05 03 aabbcc", { offset: 5, dataAt: 3, dataSize: 3 }],
  ["NEW_TOKEN", "07 02 aabb", { dataAt: 2, dataSize: 2 }],
  ["STREAM to the end", "08 04 aabb", { id: 4, offset: 0, dataSize: 2, fin: false }],
  ["STREAM with all", "0f 04 10 01 aa", { id: 4, offset: 16, dataSize: 1, fin: true }],
  ["MAX_DATA", "10 40ff", { maximum: 255 }],
  ["MAX_STREAM_DATA", "11 04 40ff", { id: 4, maximum: 255 }],
  ["MAX_STREAMS", "13 05", { maximum: 5 }],
  ["DATA_BLOCKED", "14 05", { maximum: 5 }],
  ["STREAM_DATA_BLOCKED", "15 04 05", { id: 4, maximum: 5 }],
  ["STREAMS_BLOCKED", "16 05", { maximum: 5 }],
  [
    "NEW_CONNECTION_ID",
    "18 02 01 04 01020304 000102030405060708090a0b0c0d0e0f",
    { id: 2, retirePriorTo: 1, dataAt: 4, dataSize: 4, tokenAt: 8 },
  ],
  ["RETIRE_CONNECTION_ID", "19 03", { id: 3 }],
  ["PATH_CHALLENGE", "1a 0102030405060708", { dataAt: 1, dataSize: 8 }],
  ["PATH_RESPONSE", "1b 0102030405060708", { dataAt: 1, dataSize: 8 }],
  ["CONNECTION_CLOSE", "1c 0a 08 02 6f6b", { code: 10, about: 8, dataSize: 2 }],
  ["CONNECTION_CLOSE of an application", "1d 4100 00", { code: 0x100, dataSize: 0 }],
  ["HANDSHAKE_DONE", "1e", { type: 0x1e }],
  ["DATAGRAM", "30 aabb", { dataAt: 1, dataSize: 2 }],
  ["DATAGRAM with length", "31 01 aa", { dataAt: 2, dataSize: 1 }],
];

for (const [name, hex, fields] of samples) {
  const bytes = fromHex(hex);

  test(`${name} reads as it stands`, () => {
    const view = read(bytes);
    assert.ok(view);
    assert.equal(view.next, bytes.length);
    for (const [field, value] of Object.entries(fields)) assert.equal(view[field as keyof FrameView], value, field);
  });

  // These end where the packet does, or are nothing but zeros.
  if (!["PADDING", "STREAM to the end", "DATAGRAM"].includes(name)) {
    test(`${name} cut short does not read`, () => {
      for (let size = 0; size < bytes.length; size++)
        assert.equal(read(bytes.slice(0, size)), undefined, `${size} bytes`);
    });
  }
}

test("what frames may not say does not read", () => {
  for (const [why, hex] of [
    ["a first range below zero", "02 03 00 00 04"],
    ["a range below zero", "02 05 00 01 00 04 00"],
    ["a gap below zero", "02 05 00 01 05 00 00"],
    ["an empty NEW_TOKEN", "07 00"],
    ["a connection id without bytes", "18 02 01 00 000102030405060708090a0b0c0d0e0f"],
    ["a connection id of 21 bytes", `18 02 01 15 ${"00".repeat(21 + 16)}`],
    ["an id that retires itself", "18 01 02 04 01020304 000102030405060708090a0b0c0d0e0f"],
    ["a type in more bytes than it needs", "4001"],
    ["an unknown type", "2f"],
  ] as const) {
    assert.equal(read(fromHex(hex)), undefined, why);
  }
});

test("whatever bytes come, reading ends within them", () => {
  const view = new FrameView();
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (bytes) => {
      let at = 0;
      for (let frames = 0; at < bytes.length && view.read(bytes, at, bytes.length); frames++) {
        assert.ok(view.next > at && view.next <= bytes.length);
        assert.ok(frames <= bytes.length);
        if (view.dataSize > 0 && view.type === FrameType.crypto) assert.ok(view.dataAt + view.dataSize <= bytes.length);
        at = view.next;
      }
    }),
    { numRuns: 2_000 },
  );
});

test("an ACK says the ranges that it was made of, as many as have room", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gap: fc.integer({ min: 1, max: 500 }), length: fc.integer({ min: 1, max: 500 }) }), {
        minLength: 1,
        maxLength: 80,
      }),
      fc.integer({ min: 20, max: 400 }),
      fc.option(fc.record({ ect0: fc.nat(), ect1: fc.nat(), ce: fc.nat() })),
      (parts, room, ecn) => {
        const ranges = new Ranges(100);
        let number = 0;
        for (const { gap, length } of parts) {
          ranges.add(number + gap, number + gap + length);
          number += gap + length;
        }
        const into = new Uint8Array(500);
        const end = putAck(into, 0, room, ranges, 0, 77, ecn ?? undefined);
        assert.ok(end <= room);
        if (end === 0) return;
        const view = new FrameView();
        assert.ok(view.read(into, 0, end));
        assert.equal(view.next, end);
        assert.equal(view.ackDelay, 77);
        for (let i = 0; i < view.rangeCount; i++) {
          const index = ranges.count - 1 - i;
          assert.deepEqual([view.bounds[2 * i], view.bounds[2 * i + 1]], [ranges.from(index), ranges.to(index) - 1]);
        }
        if (ecn !== null) assert.deepEqual([view.ect0, view.ect1, view.ce], [ecn.ect0, ecn.ect1, ecn.ce]);
        if (room > 300) assert.equal(view.rangeCount, Math.min(ranges.count, 64));
      },
    ),
  );
});

test("the other writers write what the view reads", () => {
  const into = new Uint8Array(100);
  const view = new FrameView();
  const data = fromHex("0102030405060708");
  assert.ok(view.read(into, 0, putPath(into, 0, FrameType.pathChallenge, data)));
  assert.equal(toHex(into.subarray(view.dataAt, view.dataAt + 8)), toHex(data));
  assert.ok(view.read(into, 0, putNewToken(into, 0, data)));
  assert.equal(view.dataSize, 8);
  const head = putCryptoHead(into, 0, 1_000, 8);
  into.set(data, head);
  assert.ok(view.read(into, 0, head + 8));
  assert.deepEqual([view.offset, view.dataSize], [1_000, 8]);
  // A reason that does not fit is cut.
  const end = putClose(into, 0, 20, 0x0a, 8, new Uint8Array(50));
  assert.ok(end <= 20 && view.read(into, 0, end));
  assert.deepEqual([view.type, view.code, view.about], [FrameType.connectionClose, 10, 8]);
  assert.ok(view.read(into, 0, putClose(into, 0, 99, 300, undefined, data)));
  assert.deepEqual([view.type, view.code, view.dataSize], [FrameType.applicationClose, 300, 8]);
});

test("frames stand where RFC 9000's Table 3 lets them", () => {
  const { initial, zeroRtt, handshake, oneRtt } = PacketType;
  const where: Readonly<Record<string, readonly number[]>> = {
    ack: [initial, handshake, oneRtt],
    crypto: [initial, handshake, oneRtt],
    stream: [zeroRtt, oneRtt],
    newToken: [oneRtt],
    retireConnectionId: [oneRtt],
    newConnectionId: [zeroRtt, oneRtt],
    pathChallenge: [zeroRtt, oneRtt],
    pathResponse: [oneRtt],
    connectionClose: [initial, zeroRtt, handshake, oneRtt],
    applicationClose: [zeroRtt, oneRtt],
    handshakeDone: [oneRtt],
    datagram: [zeroRtt, oneRtt],
    ping: [initial, zeroRtt, handshake, oneRtt],
  };
  for (const [name, allowed] of Object.entries(where)) {
    for (const packet of [initial, zeroRtt, handshake, oneRtt]) {
      assert.equal(mayStandIn(FrameType[name as keyof typeof FrameType], packet), allowed.includes(packet), name);
    }
  }
  const quiet = [
    FrameType.padding,
    FrameType.ack,
    FrameType.ackEcn,
    FrameType.connectionClose,
    FrameType.applicationClose,
  ];
  const probing = [FrameType.padding, FrameType.newConnectionId, FrameType.pathChallenge, FrameType.pathResponse];
  for (const type of Object.values(FrameType)) {
    assert.ok(isKnownFrame(type));
    assert.equal(isAckEliciting(type), !(quiet as number[]).includes(type), frameName(type));
    assert.equal(isProbing(type), (probing as number[]).includes(type), frameName(type));
  }
  assert.ok(!isKnownFrame(0x1f) && !isKnownFrame(0x32) && !isKnownFrame(0x4000));
  assert.equal(frameName(0x0f), "stream");
});
