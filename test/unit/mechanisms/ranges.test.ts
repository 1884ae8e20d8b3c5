import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ranges } from "../../../src/mechanisms/ranges.js";

const all = (ranges: Ranges): [number, number][] =>
  Array.from({ length: ranges.count }, (_, i) => [ranges.from(i), ranges.to(i)]);

test("ranges are what a set of numbers would be (seed 4)", () => {
  const piece = fc.tuple(fc.nat(60), fc.nat(8));
  const step = fc.oneof(
    fc.record({ add: piece }),
    fc.record({ remove: piece }),
    fc.record({ shift: fc.nat(6) }),
    fc.record({ covers: piece }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const ranges = new Ranges(100);
      const model = new Set<number>();
      for (const each of steps) {
        if ("add" in each) {
          const [from, size] = each.add;
          const before = model.size;
          for (let n = from; n < from + size; n++) model.add(n);
          assert.equal(ranges.add(from, from + size), model.size > before);
        } else if ("remove" in each) {
          const [from, size] = each.remove;
          for (let n = from; n < from + size; n++) model.delete(n);
          ranges.remove(from, from + size);
        } else if ("shift" in each) {
          const taken = ranges.shift(each.shift);
          assert.equal(taken, model.size > 0 && each.shift > 0);
          if (!taken) continue;
          assert.equal(ranges.outFrom, Math.min(...model));
          for (let n = ranges.outFrom; n < ranges.outTo; n++) assert.ok(model.delete(n));
          assert.ok(ranges.outTo - ranges.outFrom <= each.shift);
        } else {
          const [from, size] = each.covers;
          const inside = Array.from({ length: size }, (_, i) => model.has(from + i)).every(Boolean);
          if (size > 0) assert.equal(ranges.covers(from, from + size), inside);
        }
        const numbers = all(ranges).flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));
        assert.deepEqual(
          numbers,
          [...model].sort((a, b) => a - b),
        );
        for (let i = 1; i < ranges.count; i++) assert.ok(ranges.to(i - 1) < ranges.from(i), "neighbours are one range");
        assert.equal(ranges.least, model.size === 0 ? Number.POSITIVE_INFINITY : Math.min(...model));
        assert.equal(ranges.end, model.size === 0 ? 0 : Math.max(...model) + 1);
      }
    }),
    { seed: 4, numRuns: 500 },
  );
});

test("a full set forgets its lowest range", () => {
  const ranges = new Ranges(3);
  for (const n of [1, 3, 5, 7]) ranges.add(n, n + 1);
  assert.deepEqual(all(ranges), [
    [3, 4],
    [5, 6],
    [7, 8],
  ]);
  ranges.add(0, 1);
  assert.equal(ranges.least, 3);
  ranges.clear();
  ranges.add(0, 100);
  for (const n of [10, 20, 30]) ranges.remove(n, n + 1);
  assert.deepEqual(all(ranges), [
    [11, 20],
    [21, 30],
    [31, 100],
  ]);
});
