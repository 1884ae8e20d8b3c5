import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteQueue } from "../../../src/mechanisms/byte-queue.js";

test("a byte queue gives back what came, however it is taken (seed 2)", () => {
  const step = fc.oneof(
    fc.record({ push: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({ next: fc.nat(30) }),
    fc.record({ take: fc.nat(30) }),
    fc.record({ read: fc.nat(30) }),
    fc.record({ peek: fc.nat(40) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new ByteQueue();
      let model: number[] = [];
      for (const each of steps) {
        if ("push" in each) {
          queue.push(each.push);
          model.push(...each.push);
        } else if ("next" in each) {
          const view = queue.next(each.next);
          assert.ok(view.length <= each.next && (view.length > 0 || each.next === 0 || model.length === 0));
          assert.deepEqual([...view], model.slice(0, view.length));
          model = model.slice(view.length);
        } else if ("take" in each) {
          const bytes = queue.take(each.take);
          if (each.take > model.length) assert.equal(bytes, undefined);
          else {
            assert.deepEqual([...bytes!], model.slice(0, each.take));
            model = model.slice(each.take);
          }
        } else if ("read" in each) {
          const into = new Uint8Array(each.read);
          const count = queue.read(into);
          assert.equal(count, Math.min(each.read, model.length));
          assert.deepEqual([...into.subarray(0, count)], model.slice(0, count));
          model = model.slice(count);
        } else assert.equal(queue.peek(each.peek), model[each.peek]);
        assert.equal(queue.size, model.length);
      }
    }),
    { seed: 2, numRuns: 500 },
  );
});

test("a long queue lets go of what was used up", () => {
  const queue = new ByteQueue();
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 1000; i++) queue.push(Uint8Array.of(i, i >> 8));
    for (let i = 0; i < 999; i++) assert.deepEqual(queue.take(2)!.length, 2);
  }
  assert.equal(queue.size, 20);
  queue.clear();
  assert.equal(queue.size, 0);
  assert.equal(queue.next(5).length, 0);
});

test("bytes that lie together are not copied", () => {
  const queue = new ByteQueue();
  const bytes = new Uint8Array(100);
  queue.push(bytes);
  assert.equal(queue.take(40)!.buffer, bytes.buffer);
  assert.equal(queue.next(100).buffer, bytes.buffer);
});
