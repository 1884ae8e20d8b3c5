import assert from "node:assert/strict";
import { test } from "node:test";
import { Reduction } from "../../../src/stack/tcp/reduction.js";

const segment = 1_000;

/** A hundred segments are on their way, some of them lost; each that arrives is acknowledged, and all that may go goes. */
function recover(lost: number, target: number): { readonly bursts: readonly number[]; readonly inFlight: number } {
  const reduction = new Reduction();
  let inFlight = (100 - lost) * segment;
  const bursts: number[] = [];
  reduction.begin(100 * segment);
  for (let arrives = 100 - lost; arrives > 0; arrives--) {
    inFlight -= segment;
    reduction.acknowledged(segment, inFlight, target * segment, segment);
    let burst = 0;
    for (; inFlight + segment <= reduction.window; inFlight += segment) {
      reduction.sent(segment);
      burst++;
    }
    bursts.push(burst);
  }
  return { bursts, inFlight };
}

test("RFC 6937: in recovery the window is reached by sending less than arrives, evenly", () => {
  const { bursts, inFlight } = recover(1, 70);
  assert.equal(inFlight, 70 * segment);
  assert.ok(Math.max(...bursts) <= 1, "never a burst");
  // Never three acknowledgements in a row without a segment, as 70 of 100 have it.
  assert.doesNotMatch(bursts.join(""), /000/);
});

test("RFC 6937 §3: where losses left less than the window, it is reached in slow start", () => {
  const { bursts, inFlight } = recover(60, 70);
  assert.ok(Math.max(...bursts) <= 2, "one more than arrives");
  assert.equal(inFlight, 70 * segment);
  const few = recover(90, 70);
  assert.equal(few.inFlight, 20 * segment, "ten arrived, so ten more than that are on their way");
});

test("the first segment is repeated at once, and a recovery with nothing on its way is none", () => {
  const reduction = new Reduction();
  reduction.begin(100 * segment);
  reduction.acknowledged(0, 99 * segment, 70 * segment, segment);
  assert.equal(reduction.window, 100 * segment);
  reduction.begin(0);
  assert.equal(reduction.isOn, false);
});
