import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NumberMap } from "../../../src/mechanisms/number-map.js";

test("it holds what a Map holds, whatever is set and deleted (seed 5)", () => {
  const key = fc.oneof(
    fc.nat(20),
    fc.nat(50).map((index) => 4 * index),
    fc.maxSafeNat(),
  );
  const step = fc.record({ key, isSet: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const map = new NumberMap<string>();
      const model = new Map<number, string>();
      for (const [i, { key, isSet }] of steps.entries()) {
        if (isSet) {
          map.set(key, `${i}`);
          model.set(key, `${i}`);
        } else assert.equal(map.delete(key), model.delete(key));
        assert.equal(map.size, model.size);
        for (const [each, value] of model) assert.equal(map.get(each), value);
        assert.equal(map.get(key), model.get(key));
      }
      assert.deepEqual(map.values().sort(), [...model.values()].sort());
      map.clear();
      assert.equal(map.size, 0);
      assert.equal(map.get(1), undefined);
      assert.equal(map.delete(1), false);
    }),
    { seed: 5 },
  );
});

test("entries that come and go take no more room than there are at a time", () => {
  const map = new NumberMap<object>();
  for (let id = 0; id < 400_000; id += 4) {
    map.set(id, {});
    if (id >= 400) assert.ok(map.delete(id - 400));
  }
  assert.equal(map.size, 100);
});
