import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../src/contract/index.js";

for (const [what, bytes] of [
  ["a Uint8Array", Uint8Array.of(1, 2, 3)],
  ["a Buffer, whose slices are views", Buffer.from([1, 2, 3])],
  ["a part of a larger Buffer", Buffer.from([0, 1, 2, 3, 4]).subarray(1, 4)],
] as const) {
  test(`a copy of ${what} has bytes of its own: neither's end touches the other`, () => {
    const [one, other] = [Secret.copy(bytes), Secret.copy(bytes)];
    one.wipe();
    assert.deepEqual([...bytes], [1, 2, 3]);
    assert.deepEqual([...other.expose()], [1, 2, 3]);
    bytes.fill(9);
    assert.deepEqual([...other.expose()], [1, 2, 3]);
  });
}
