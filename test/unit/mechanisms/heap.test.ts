import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap, type Heaped } from "../../../src/mechanisms/heap.js";

interface Item extends Heaped {
  readonly value: number;
}

test("a heap gives the least item first, whatever was removed from its middle (seed 1)", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean())), (steps) => {
      const heap = new Heap<Item>((a, b) => a.value < b.value);
      const model: Item[] = [];
      for (const [value, remove] of steps) {
        if (remove && model.length > 0) {
          const [item] = model.splice(value % model.length, 1);
          assert.equal(heap.remove(item!), true);
          assert.equal(heap.remove(item!), false);
        } else {
          const item = { value, place: -1 };
          model.push(item);
          heap.add(item);
        }
        assert.equal(heap.size, model.length);
        assert.equal(heap.top?.value, model.length === 0 ? undefined : Math.min(...model.map((each) => each.value)));
      }
      const out: number[] = [];
      for (let top = heap.top; top !== undefined; top = heap.top) {
        out.push(top.value);
        heap.remove(top);
      }
      assert.deepEqual(
        out,
        model.map(({ value }) => value).sort((a, b) => a - b),
      );
    }),
    { seed: 1, numRuns: 300 },
  );
});
