import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  fromHex,
  putVarint,
  putVarintIn,
  Reader,
  readVarint,
  toHex,
  varintAt,
  varintMax,
  varintSize,
  varintSpan,
  Writer,
  writeVarint,
} from "../../../src/bytes/index.js";

/** RFC 9000 §A.1; the first is above what a number holds exactly. */
const samples = [
  ["9d7f3e7d", 494_878_333],
  ["7bbd", 15_293],
  ["25", 37],
  ["4025", 37],
] as const;

test("the samples of RFC 9000 §A.1 read as they should", () => {
  for (const [hex, value] of samples) {
    const bytes = fromHex(hex);
    assert.equal(varintAt(bytes, 0, bytes.length), value);
    assert.equal(readVarint(new Reader(bytes)), value);
  }
  assert.equal(varintAt(fromHex("c2197c5eff14e88c"), 0, 8), Number.POSITIVE_INFINITY);
});

test("both ways of writing agree, in the shortest form, and what is cut short is no number", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const into = new Uint8Array(8);
      const size = putVarint(into, 0, value);
      const writer = new Writer();
      writeVarint(writer, value);
      assert.equal(toHex(into.subarray(0, size)), toHex(writer.view()));
      assert.equal(size, varintSize(value));
      assert.equal(size, varintSpan(into[0]!));
      assert.equal(varintAt(into, 0, size), value);
      assert.ok(Number.isNaN(varintAt(into, 0, size - 1)));
      assert.equal(putVarintIn(into, 0, value, 8), 8);
      assert.equal(varintAt(into, 0, 8), value);
    }),
  );
  assert.equal(varintAt(Uint8Array.of(0xc0, 0x1f, 255, 255, 255, 255, 255, 255), 0, 8), varintMax);
});
