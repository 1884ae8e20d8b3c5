import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, exitCodes, exitFor, UsageError } from "../../src/cli/exit.js";
import { topics } from "../../src/cli/topics.js";
import { Failure, type Fault } from "../../src/contract/index.js";

const failure = (fault: Fault, reason: string): Failure =>
  new Failure({ fault, reason, protocol: "test", message: "made for this test" });

test("each fault has its exit code", () => {
  const expected: Record<Fault, number> = {
    decode: 9,
    authentication: 7,
    misbehaviour: 9,
    incompatible: 6,
    expired: 7,
    unreachable: 5,
    misuse: 2,
    refused: 8,
  };
  for (const [fault, code] of Object.entries(expected)) {
    assert.equal(exitCodes[exitFor(failure(fault as Fault, "no-reason-of-its-own"))].code, code, fault);
  }
});

test("a reason that says more than its fault decides", () => {
  assert.equal(exitCodes[exitFor(failure("unreachable", "name-not-found"))].code, 4);
  assert.equal(exitCodes[exitFor(failure("unreachable", "reset"))].code, 9);
  assert.equal(exitCodes[exitFor(failure("expired", "timeout"))].code, 5);
});

test("errors that are no failures have codes too: usage, configuration, the operating system, defects", () => {
  assert.equal(exitFor(new UsageError("x")), "usage");
  assert.equal(exitFor(new ConfigError("x")), "config");
  assert.equal(exitFor(Object.assign(new Error("x"), { code: "EACCES" })), "permission");
  assert.equal(exitFor(Object.assign(new Error("x"), { code: "ENOENT" })), "config");
  assert.equal(exitFor(new TypeError("x")), "internal");
  assert.equal(exitFor("thrown text"), "internal");
});

test("the documented numbers are distinct and those of the table", () => {
  const codes = Object.values(exitCodes).map(({ code }) => code);
  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130]);
  assert.deepEqual(
    topics["exit-codes"]!.rows.map(([code]) => Number(code)),
    codes,
  );
});
