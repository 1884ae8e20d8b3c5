import assert from "node:assert/strict";
import { test } from "node:test";
import { EcnValidator, testPacketsMax } from "../../../src/mechanisms/ecn.js";

function marked(count: number): EcnValidator {
  const ecn = new EcnValidator(true);
  for (let i = 0; i < count; i++) {
    assert.equal(ecn.codepoint(), 2);
    ecn.sent();
  }
  return ecn;
}

test("a few packets are marked; counts that fit make the path capable (RFC 9000 §13.4.2)", () => {
  const ecn = marked(testPacketsMax);
  assert.equal(ecn.codepoint(), 0);
  assert.equal(ecn.acknowledged(2, 4, { ect0: 4, ect1: 0, ce: 0 }, true), "ok");
  assert.equal(ecn.status, "capable");
  assert.equal(ecn.codepoint(), 2);
  assert.equal(ecn.acknowledged(2, 3, { ect0: 5, ect1: 0, ce: 2 }, true), "congested");
  assert.equal(ecn.acknowledged(2, 1, { ect0: 6, ect1: 0, ce: 2 }, true), "ok");
  assert.equal(ecn.acknowledged(1, 1, { ect0: 1, ect1: 0, ce: 0 }, true), "ok", "each space counts by itself");
});

test("every way in which counts can be wrong ends marking", () => {
  const wrong: Readonly<
    Record<string, { readonly ect0: number; readonly ect1: number; readonly ce: number } | undefined>
  > = {
    "no counts at all": undefined,
    "fewer than were marked": { ect0: 2, ect1: 0, ce: 0 },
    "the other mark": { ect0: 3, ect1: 1, ce: 0 },
    "more than ever were marked": { ect0: 9, ect1: 0, ce: 0 },
  };
  for (const [what, counts] of Object.entries(wrong)) {
    const ecn = marked(5);
    assert.equal(ecn.acknowledged(2, 3, counts, true), "failed", what);
    assert.equal(ecn.codepoint(), 0, what);
    assert.equal(ecn.acknowledged(2, 1, { ect0: 4, ect1: 0, ce: 1 }, true), "ok", `${what}: for good`);
  }
  const shrinking = marked(5);
  shrinking.acknowledged(2, 3, { ect0: 3, ect1: 0, ce: 0 }, true);
  assert.equal(shrinking.acknowledged(2, 0, { ect0: 2, ect1: 0, ce: 0 }, false), "ok", "overtaken, and out of date");
  assert.equal(shrinking.acknowledged(2, 0, { ect0: 2, ect1: 0, ce: 0 }, true), "failed");
});

test("marks that nobody answers are taken for the reason, and what is off stays off", () => {
  const ecn = marked(3);
  ecn.timedOut();
  assert.equal(ecn.status, "testing");
  ecn.timedOut();
  assert.equal(ecn.status, "failed");
  const off = new EcnValidator(false);
  off.sent();
  off.timedOut();
  assert.equal(off.acknowledged(2, 0, { ect0: 0, ect1: 0, ce: 9 }, true), "ok");
  assert.equal(off.status, "off");
});
