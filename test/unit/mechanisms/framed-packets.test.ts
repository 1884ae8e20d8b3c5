import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat } from "../../../src/bytes/index.js";
import { FramedPackets, putFrameHeader } from "../../../src/mechanisms/framed-packets.js";

const framed = (packet: Uint8Array): Uint8Array => {
  const frame = new Uint8Array(2 + packet.length);
  putFrameHeader(frame, 0, packet.length);
  frame.set(packet, 2);
  return frame;
};

test("packets come out as they went in, however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 40 }),
      (packets, cuts) => {
        const found: Uint8Array[] = [];
        const reader = new FramedPackets((packet) => void found.push(packet.slice()));
        const stream = concat(...packets.map(framed));
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          reader.push(stream.slice(at, at + size));
          at += size;
        }
        assert.deepEqual(
          found,
          packets.filter(({ length }) => length > 0),
        );
        assert.equal(reader.isPartial, false);
      },
    ),
  );
});

test("a cut packet is noticed, and the greatest one fits", () => {
  const found: number[] = [];
  const reader = new FramedPackets(({ length }) => void found.push(length));
  const frame = framed(new Uint8Array(65_535));
  reader.push(frame.subarray(0, 1));
  assert.equal(reader.isPartial, true);
  reader.push(frame.subarray(1, 60_000));
  reader.push(frame.subarray(60_000));
  assert.deepEqual(found, [65_535]);
  assert.equal(reader.isPartial, false);
});
