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
  const reasons: readonly (readonly [Fault, string, number])[] = [
    ["unreachable", "name-not-found", 4],
    ["expired", "timeout", 5],
    ["expired", "handshake-timeout", 5],
    ["incompatible", "no-candidates", 8],
    ["unreachable", "reset", 9],
    ["unreachable", "truncated-stream", 9],
    ["misuse", "address-in-use", 10],
    ["misuse", "internal-error", 1],
  ];
  for (const [fault, reason, code] of reasons)
    assert.equal(exitCodes[exitFor(failure(fault, reason))].code, code, reason);
});

test("a refusal that the peer sent is its closing; a chain that is wrong in any way is a peer not authenticated", () => {
  const said = new Failure({ fault: "refused", reason: "alert-received", protocol: "TLS", message: "x", byPeer: true });
  assert.equal(exitFor(said), "closed");
  assert.equal(
    exitFor(new Failure({ fault: "misbehaviour", reason: "wrong-version", protocol: "pki", message: "x" })),
    "unauthenticated",
  );
});

test("a failure that only says that something below failed gives way to its cause", () => {
  const wrapped = (cause: unknown) =>
    new Failure({ fault: "unreachable", reason: "establishment-failed", protocol: "taps", message: "x", cause });
  assert.equal(exitFor(wrapped(failure("authentication", "bad-signature"))), "unauthenticated");
  assert.equal(exitFor(wrapped(wrapped(failure("unreachable", "name-not-found")))), "unresolved");
  assert.equal(exitFor(wrapped(undefined)), "unreachable");
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
