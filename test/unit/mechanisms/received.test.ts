import assert from "node:assert/strict";
import { test } from "node:test";
import { ReceivedPackets } from "../../../src/mechanisms/recovery/received.js";

test("every second packet is acknowledged at once, a single one after the delay (RFC 9000 §13.2.2)", () => {
  const received = new ReceivedPackets(25);
  received.received(0, true, 0, 1_000);
  assert.equal(received.isDue(1_000), false);
  assert.equal(received.deadline(), 1_025);
  assert.ok(received.isDue(1_025));
  received.received(1, true, 0, 1_010);
  assert.ok(received.isDue(1_010));
  received.told();
  assert.equal(received.deadline(), undefined);
  received.received(2, false, 0, 1_020);
  assert.ok(received.hasUntold && !received.isAsked);
  assert.equal(received.delayMs(1_023), 3);
});

test("a gap, what fills it, and a CE mark are told at once (§13.2.1)", () => {
  const received = new ReceivedPackets(25);
  for (const [number, ecn] of [
    [3, 0],
    [1, 0],
    [4, 3],
  ] as const) {
    received.received(number, true, ecn, 1);
    assert.ok(received.isDue(1), `packet ${number}`);
    received.told();
  }
  received.received(5, true, 2, 2);
  assert.equal(received.isDue(2), false);
  assert.deepEqual(received.ecn, { ect0: 1, ect1: 0, ce: 1 });
  assert.equal(received.largest, 5);
});

test("no number is taken twice, also when the set has forgotten it", () => {
  const received = new ReceivedPackets(25, 4);
  for (let number = 0; number < 40; number += 2) {
    assert.ok(!received.isDuplicate(number));
    received.received(number, true, 0, number);
    assert.ok(received.isDuplicate(number));
  }
  for (let number = 0; number < 32; number++) assert.ok(received.isDuplicate(number), `${number}`);
  assert.ok(!received.isDuplicate(35));
  // Lower than all that is remembered, into a full set.
  received.received(33, true, 0, 99);
  assert.ok(received.isDuplicate(33));
});

test("what the peer knows that we know is not told again, and a late packet is still welcome (§13.2.4)", () => {
  const received = new ReceivedPackets(25);
  for (const number of [0, 1, 3, 4, 8]) received.received(number, true, 0, 1);
  assert.equal(received.firstToTell, 0);
  received.confirmedBelow(5);
  assert.equal(received.firstToTell, 2);
  assert.ok(!received.isDuplicate(2));
  received.received(2, true, 0, 2);
  assert.ok(received.isDuplicate(2));
  received.confirmedBelow(100);
  assert.equal(received.firstToTell, received.ranges.count - 1);
});
