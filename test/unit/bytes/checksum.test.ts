import assert from "node:assert/strict";
import { test } from "node:test";
import { copySum, finish, fold, sum } from "../../../src/bytes/checksum.js";

const pattern = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 3) * seed) & 0xff);

test("the checksum is RFC 1071's wherever the bytes lie, whatever their number, in either of several buffers", () => {
  const plain = (bytes: Uint8Array): number => {
    let total = 0;
    for (let i = 0; i < bytes.length; i++) total += i % 2 === 0 ? bytes[i]! << 8 : bytes[i]!;
    while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x1_0000);
    return ~total & 0xffff;
  };
  const buffers = [
    pattern(70_001, 1),
    pattern(5_000, 2).subarray(3),
    new Uint8Array(4_000).fill(0xff),
    new Uint8Array(4_000),
  ];
  for (let round = 0; round < 3_000; round++) {
    const bytes = buffers[round % buffers.length]!;
    const at = (round * 13) % 501;
    const size = (round * 7) % 3_000;
    assert.equal(finish(sum(bytes, at, size)), plain(bytes.subarray(at, at + size)), `${size} at ${at}`);
  }
  for (const size of [65_535, 65_600, 65_604, 70_001]) {
    const bytes = buffers[0]!.subarray(0, size);
    assert.equal(finish(sum(bytes, 0, size)), plain(bytes));
    assert.equal(finish(sum(new Uint8Array(size).fill(0xff), 0, size)), plain(new Uint8Array(size).fill(0xff)));
  }
});

test("copying sums what it copies, wherever it lies", () => {
  const from = pattern(5_000, 3);
  const into = new Uint8Array(5_000);
  for (let round = 0; round < 1_000; round++) {
    const at = round % 9;
    const to = (round >> 3) % 7;
    const size = (round * 17) % 1_500;
    into.fill(0xee);
    assert.equal(fold(copySum(from, at, into, to, size)), fold(sum(from, at, size)), `${size} from ${at} to ${to}`);
    assert.deepEqual(into.subarray(to, to + size), from.subarray(at, at + size));
    assert.equal(into[to + size], 0xee, "and nothing more");
  }
  assert.throws(() => copySum(from, 4_900, into, 0, 101), RangeError);
  assert.throws(() => copySum(from, 0, into, 4_900, 101), RangeError);
});
