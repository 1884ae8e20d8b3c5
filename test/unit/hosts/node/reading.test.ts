import assert from "node:assert/strict";
import { test } from "node:test";
import { readSlabSizes } from "../../../../src/hosts/node/limits.js";
import { ReadSlabs } from "../../../../src/hosts/node/reading.js";

test("reads stand one behind the other in a slab, and none touches what was read before", () => {
  const taken: Uint8Array[] = [];
  const slabs = new ReadSlabs((bytes) => taken.push(bytes));
  for (let value = 1; value <= 9; value++) {
    slabs.buffer().fill(value, 0, 1000);
    slabs.callback(1000);
  }
  assert.deepEqual(
    taken.map((bytes) => bytes.length === 1000 && bytes.every((byte) => byte === bytes[0]) && bytes[0]),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.equal(taken[0]!.buffer, taken[2]!.buffer);
  assert.equal(taken[0]!.byteOffset + 1000, taken[1]!.byteOffset);
});

test("a connection that fills what it is given gets more, and an idle one holds little", () => {
  const slabs = new ReadSlabs(() => undefined);
  assert.equal(slabs.buffer().length, readSlabSizes[0]);
  for (const wanted of [readSlabSizes[1], readSlabSizes[2], readSlabSizes[2]]) {
    slabs.callback(slabs.buffer().length);
    assert.equal(slabs.buffer().length, wanted);
  }
});
