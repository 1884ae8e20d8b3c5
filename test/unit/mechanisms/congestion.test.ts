import assert from "node:assert/strict";
import { test } from "node:test";
import { type CongestionController, Cubic, NewReno, RttEstimator } from "../../../src/mechanisms/congestion/index.js";

const packet = 1_000;
const rttMs = 100;

/** Sends full windows, a round trip at a time; answers the window after each. */
function rounds(controller: CongestionController, count: number, from = 0): number[] {
  const rtt = new RttEstimator(rttMs);
  rtt.sample(rttMs);
  const windows: number[] = [];
  for (let round = 0; round < count; round++) {
    const sentAt = from + round * rttMs;
    const inFlight = controller.window;
    for (let acked = 0; acked + packet <= inFlight; acked += packet) {
      controller.acknowledged(packet, sentAt, inFlight - acked, rtt, sentAt + rttMs, false);
    }
    windows.push(controller.window);
  }
  return windows;
}

for (const make of [() => new Cubic(packet), () => new NewReno(packet)]) {
  const { name } = make();

  test(`${name}: slow start doubles the window in a round trip`, () => {
    const controller = make();
    assert.equal(controller.window, 10 * packet);
    assert.deepEqual(rounds(controller, 3), [20_000, 40_000, 80_000]);
  });

  test(`${name}: losses of one round trip count once, and recovery grows nothing`, () => {
    const controller = make();
    rounds(controller, 3);
    const before = controller.window;
    controller.congested(300, before, "loss", 400);
    const after = controller.window;
    controller.congested(301, before, "loss", 410);
    assert.equal(controller.window, after);
    assert.ok(after < before && after >= before / 2);
    const rtt = new RttEstimator(rttMs);
    controller.acknowledged(packet, 350, after, rtt, 450, false);
    assert.equal(controller.window, after, "sent before the loss was known");
  });

  test(`${name}: a spurious loss is undone`, () => {
    const controller = make();
    rounds(controller, 3);
    const before = controller.window;
    controller.congested(300, before, "loss", 400);
    controller.undo();
    assert.equal(controller.window, before);
    controller.undo();
    assert.equal(controller.window, before, "only once");
  });

  test(`${name}: a timeout leaves one packet, and slow start ends where it had been halved`, () => {
    const controller = make();
    rounds(controller, 4);
    const before = controller.window;
    controller.collapsed(before, 1_000);
    assert.equal(controller.window, packet);
    assert.ok(controller.slowStartThreshold < before);
  });

  test(`${name}: a sender without data does not grow the window`, () => {
    const controller = make();
    const rtt = new RttEstimator(rttMs);
    controller.acknowledged(packet, 1, packet, rtt, 101, true);
    assert.equal(controller.window, 10 * packet);
  });
}

test("cubic comes back to where it was in the time of its curve, and then goes beyond", () => {
  const controller = new Cubic(packet);
  rounds(controller, 4);
  const before = controller.window;
  controller.congested(500, before, "loss", 500);
  // RFC 9438 §4.2: K = cbrt(W × (1 − β) / C) seconds.
  const seconds = Math.cbrt(((before / packet) * 0.3) / 0.4);
  const windows = rounds(controller, Math.ceil(2 * seconds * 10), 600);
  const plateau = windows[Math.round(seconds * 10)]!;
  assert.ok(Math.abs(plateau - before) < 0.08 * before, `${plateau} of ${before}`);
  assert.ok(windows.at(-1)! > 1.1 * before);
});

test("the estimator follows RFC 6298's numbers", () => {
  const rtt = new RttEstimator(1_000);
  rtt.sample(100);
  assert.equal(rtt.smoothedMs, 100);
  assert.equal(rtt.variationMs, 50);
  assert.equal(rtt.timeoutMs(), 300);
  rtt.sample(200);
  assert.equal(rtt.variationMs, 50 + (100 - 50) / 4);
  assert.equal(rtt.smoothedMs, 112.5);
  rtt.sample(150, 40);
  assert.equal(rtt.latestMs, 150);
  assert.equal(rtt.minMs, 100);
});
