import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Backoff } from "../../../src/mechanisms/backoff.js";
import { BoundedStore } from "../../../src/mechanisms/bounded-store.js";
import { TokenBucket } from "../../../src/mechanisms/token-bucket.js";

test("a store drives out what was not used for longest, and tells of it", () => {
  const left: string[] = [];
  const store = new BoundedStore<string, number>({
    entriesMax: 3,
    left: (value, key) => void left.push(`${key}${value}`),
  });
  for (const [i, key] of ["a", "b", "c"].entries()) store.set(key, i, 0);
  assert.equal(store.get("a", 0), 0);
  store.set("d", 3, 0);
  assert.deepEqual(left, ["b1"]);
  store.set("a", 9, 0);
  assert.deepEqual(left, ["b1", "a0"]);
  assert.equal(store.take("c", 0), 2);
  assert.equal(store.get("c", 0), undefined);
  store.clear();
  assert.deepEqual(left.slice(2).sort(), ["a9", "d3"]);
  assert.throws(() => new BoundedStore({ entriesMax: 0 }), RangeError);
});

test("a store forgets what is too old", () => {
  const store = new BoundedStore<string, number>({ entriesMax: 10, lifetimeMs: 100 });
  store.set("a", 1, 1000);
  store.set("b", 2, 1000, 500);
  assert.equal(store.get("a", 1099), 1);
  assert.equal(store.get("a", 1100), undefined);
  store.set("c", 3, 1000);
  store.expire(1200);
  assert.equal(store.size, 1);
  assert.equal(store.get("b", 1499), 2);
});

test("a store behaves like its model and never outgrows its limit (seed 3)", () => {
  const step = fc.tuple(fc.constantFrom("set", "get", "delete"), fc.nat(8), fc.nat(20));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let now = 0;
      const store = new BoundedStore<number, object>({ entriesMax: 5, lifetimeMs: 60 });
      let model: { key: number; value: object; until: number }[] = [];
      for (const [what, key, ms] of steps) {
        now += ms;
        const found = model.find((each) => each.key === key);
        const without = model.filter((each) => each !== found);
        if (what === "set") {
          const value = {};
          store.set(key, value, now);
          model = [...without, { key, value, until: now + 60 }];
          if (model.length > 5) model.shift();
        } else if (what === "get") {
          const isFresh = found !== undefined && found.until > now;
          assert.equal(store.get(key, now), isFresh ? found.value : undefined);
          model = isFresh ? [...without, found] : without;
        } else {
          assert.equal(store.delete(key), found !== undefined);
          model = without;
        }
        assert.equal(store.size, model.length);
        assert.ok(store.size <= 5);
      }
    }),
    { seed: 3, numRuns: 300 },
  );
});

test("a token bucket lets through its burst, then its rate, whatever the steps (seed 4)", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 200 }), (waits) => {
      const bucket = new TokenBucket(10, 5, 1000);
      let now = 1000;
      let taken = 0;
      for (const wait of waits) {
        now += wait;
        while (bucket.take(now)) taken++;
        assert.ok(taken <= 5 + ((now - 1000) * 10) / 1000 + 1e-6);
        assert.ok(bucket.readyAt(now) > now && bucket.readyAt(now) <= now + 100 + 1e-6);
      }
    }),
    { seed: 4, numRuns: 200 },
  );
  const bucket = new TokenBucket(10, 5, 0);
  assert.equal(bucket.isFull(0), true);
  assert.equal(bucket.take(0, 6), false);
  assert.equal(bucket.readyAt(0, 6), Number.POSITIVE_INFINITY);
  assert.equal(bucket.take(0, 5), true);
  assert.equal(bucket.readyAt(0, 5), 500);
  assert.equal(bucket.isFull(499), false);
  assert.equal(bucket.take(500, 5), true);
});

test("a backoff doubles its waits up to a maximum and then gives up", () => {
  const backoff = new Backoff({ firstMs: 1000, waitMsMax: 5000, repeatsMax: 4 });
  assert.equal(backoff.deadline, undefined);
  assert.equal(backoff.due(1e9), "waiting");
  backoff.start(0, 10);
  const waits: number[] = [];
  let now = 0;
  let answer: string;
  do {
    waits.push(backoff.deadline! - now);
    assert.equal(backoff.due(backoff.deadline! - 1), "waiting");
    now = backoff.deadline!;
    answer = backoff.due(now);
  } while (answer === "again");
  assert.equal(answer, "exhausted");
  assert.deepEqual(waits, [1010, 2000, 4000, 5000, 5000]);
  assert.equal(backoff.deadline, undefined);
  backoff.start(now);
  assert.equal(backoff.repeats, 0);
  backoff.stop();
  assert.equal(backoff.due(now + 1e6), "waiting");
});
