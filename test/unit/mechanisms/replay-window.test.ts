import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ReplayWindow } from "../../../src/mechanisms/replay-window.js";

test("a counter is accepted once, within reach and above", () => {
  const window = new ReplayWindow(128);
  assert.equal(window.size, 96);
  assert.equal(window.greatest, -1);
  for (const [counter, fresh] of [
    [0, true],
    [0, false],
    [1, true],
    [9, true],
    [8, true],
    [7, true],
    [7, false],
    [95, true],
    [96, true],
    [0, false],
    [2, true],
    [200, true],
    [104, false],
    [105, true],
    [2 ** 40, true],
    [2 ** 40, false],
    [2 ** 40 - 95, true],
    [2 ** 40 - 96, false],
    [Number.MAX_SAFE_INTEGER, true],
    [Number.MAX_SAFE_INTEGER, false],
  ] as const) {
    assert.equal(window.mayAccept(counter), fresh, `mayAccept ${counter}`);
    assert.equal(window.accept(counter), fresh, `accept ${counter}`);
  }
});

test("it answers as a set of all counters would", () => {
  const base = fc.constantFrom(0, 2 ** 31 - 100, 2 ** 32 - 100, 2 ** 37 - 100, 2 ** 53 - 1_000);
  const jumps = fc.array(fc.oneof(fc.integer({ min: -140, max: 140 }), fc.integer({ min: -2, max: 3 })), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(fc.constantFrom(64, 128, 1024), base, jumps, (bits, from, steps) => {
      const window = new ReplayWindow(bits);
      const seen = new Set<number>();
      let greatest = -1;
      let counter = from;
      for (const step of steps) {
        counter = Math.min(Math.max(counter + step, 0), Number.MAX_SAFE_INTEGER);
        const fresh = !seen.has(counter) && counter > greatest - window.size;
        assert.equal(window.mayAccept(counter), fresh);
        assert.equal(window.accept(counter), fresh);
        seen.add(counter);
        greatest = Math.max(greatest, counter);
      }
    }),
    { seed: 11, numRuns: 1_000 },
  );
});

test("sizes that are no power of two are refused", () => {
  for (const bits of [0, 32, 65, 100]) assert.throws(() => new ReplayWindow(bits), RangeError);
});
