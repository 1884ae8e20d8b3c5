import assert from "node:assert/strict";
import { test } from "node:test";
import { PathMtu } from "../../../src/mechanisms/pmtu/index.js";

/** Sends probes over a path that carries so much, until nothing is looked for; answers the sizes that left. */
function search(mtu: PathMtu, carries: number, now = 0): number[] {
  const sizes: number[] = [];
  for (let size = mtu.probe(now); size !== undefined; size = mtu.probe(now)) {
    assert.ok(sizes.push(size) < 100, "the search ends");
    mtu.probeSent(size);
    assert.equal(mtu.probe(now), undefined, "one at a time");
    if (size <= carries) mtu.acknowledged(size);
    else mtu.probeLost(size);
  }
  return sizes;
}

test("the largest size is tried first", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_452 });
  assert.deepEqual(search(mtu, 1_500), [1_452]);
  assert.equal(mtu.current, 1_452);
  assert.ok(mtu.isComplete);
  assert.equal(mtu.deadline(), undefined);
});

test("else it is searched for by halves, each size tried three times", () => {
  for (let carries = 1_200; carries <= 9_000; carries += 77) {
    const mtu = new PathMtu({ base: 1_200, max: 9_000 });
    const sizes = search(mtu, carries);
    assert.ok(mtu.current <= carries && mtu.current >= carries - 16, `${mtu.current} of ${carries}`);
    assert.ok(sizes.length <= 3 * 12);
    for (const size of sizes) {
      if (size > carries) assert.equal(sizes.filter((other) => other === size).length, 3);
    }
  }
});

test("a lost probe may be chance", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_400 });
  for (let i = 0; i < 2; i++) {
    mtu.probeSent(mtu.probe(0)!);
    mtu.probeLost(1_400);
  }
  mtu.probeSent(mtu.probe(0)!);
  mtu.acknowledged(1_400);
  assert.equal(mtu.current, 1_400);
});

test("after ten minutes it looks again (RFC 8899 §5.1.1)", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_452 });
  search(mtu, 1_300, 1_000);
  assert.equal(mtu.deadline(), 601_000);
  assert.equal(mtu.probe(600_999), undefined);
  assert.deepEqual(search(mtu, 1_452, 601_000), [1_452]);
});

test("a black hole: large packets vanish while small ones pass (§4.3)", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_452 });
  search(mtu, 1_452);
  for (let i = 1; i <= 3; i++) {
    assert.equal(mtu.missed(1_452, i), false);
    assert.equal(mtu.missed(1_452, i), false, "the same moment is the same loss");
    mtu.heard(100);
  }
  mtu.heard(1_452);
  for (let i = 5; i <= 7; i++) assert.equal(mtu.missed(1_452, i), false, "one that passed clears them all");
  assert.equal(mtu.missed(1_452, 8), true);
  assert.equal(mtu.current, 1_200);
  search(mtu, 1_300, 9);
  assert.ok(mtu.current > 1_280 && mtu.current <= 1_300);
});

test("losses of packets that every path carries say nothing", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_452 });
  for (let i = 0; i < 100; i++) assert.equal(mtu.missed(1_200, i), false);
});

/** Over a path that carries so much, by somebody who sends much. */
function searchBusily(mtu: PathMtu, carries: number, now = 0): number[] {
  const sizes: number[] = [];
  for (let size = mtu.probe(now, true); size !== undefined; size = mtu.probe(now, true)) {
    assert.ok(sizes.push(size) < 100, "the search ends");
    mtu.probeSent(size);
    if (size <= carries) mtu.acknowledged(size);
    else mtu.probeLost(size);
  }
  return sizes;
}

const wide = { base: 1_200, max: 1_452, wideMax: 8_952 };

test("jumbo frames are found by those who send much", () => {
  const mtu = new PathMtu(wide);
  assert.deepEqual(search(mtu, 9_000), [1_452], "not by others");
  assert.ok(mtu.isComplete);
  assert.deepEqual(searchBusily(mtu, 9_000), [8_952]);
  assert.equal(mtu.current, 8_952);
  assert.equal(mtu.deadline(), undefined);
});

test("where they do not pass, three probes is all that it costs, in ten minutes", () => {
  const mtu = new PathMtu(wide);
  assert.deepEqual(searchBusily(mtu, 8_951, 1_000), [1_452, 8_952, 8_952, 8_952]);
  assert.equal(mtu.current, 1_452);
  assert.deepEqual(searchBusily(mtu, 9_000, 600_999), []);
  assert.deepEqual(searchBusily(mtu, 9_000, 601_000), [8_952]);
  const narrow = new PathMtu(wide);
  assert.deepEqual(new Set(searchBusily(narrow, 1_300)).has(8_952), false, "nor where even Ethernet's size does not");
});

test("a path that carries them no more is a black hole like another", () => {
  const mtu = new PathMtu(wide);
  searchBusily(mtu, 9_000);
  for (let i = 1; i <= 3; i++) assert.equal(mtu.missed(8_952, i), false);
  assert.equal(mtu.missed(8_952, 4), true);
  assert.equal(mtu.current, 1_200);
  assert.deepEqual(searchBusily(mtu, 1_472, 5), [1_452], "they are not tried again at once");
  assert.equal(mtu.current, 1_452);
});

test("a router's word makes packets smaller at most, and never below the base", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_452 });
  search(mtu, 1_452);
  mtu.tooBig(9_000);
  mtu.tooBig(68);
  assert.equal(mtu.current, 1_452);
  mtu.tooBig(1_400);
  assert.equal(mtu.current, 1_400);
});

test("a path that does not even carry the base falls to the least, and is searched from there (§5.2, ERROR)", () => {
  const mtu = new PathMtu({ base: 548, max: 1_452, min: 256, start: 1_200 });
  assert.equal(mtu.current, 1_200);
  mtu.fall(1);
  assert.equal(mtu.current, 548);
  for (let i = 2; i <= 5; i++) assert.equal(mtu.missed(548, i), i === 5);
  assert.equal(mtu.current, 256);
  assert.equal(mtu.missed(256, 9), false, "there is nothing less");
  search(mtu, 400);
  assert.ok(mtu.current <= 400 && mtu.current > 384, `${mtu.current}`);
});

test("what the host refuses to send is not tried again", () => {
  const mtu = new PathMtu({ base: 1_200, max: 1_400 });
  mtu.probeSent(mtu.probe(0)!);
  mtu.refused(1_400);
  assert.equal(mtu.probe(0), 1_300);
});
