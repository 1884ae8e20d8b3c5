import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPrefix, parseAddress, parsePrefix, prefixHolds } from "../../../src/bytes/index.js";

test("prefixes hold what their bits say", () => {
  const prefix = parsePrefix("10.128.0.0/9")!;
  assert.ok(prefixHolds(prefix, parseAddress("10.200.3.4")!));
  assert.ok(!prefixHolds(prefix, parseAddress("10.100.3.4")!));
  assert.ok(!prefixHolds(parsePrefix("::/0")!, parseAddress("10.100.3.4")!));
  assert.equal(parsePrefix("fd00::1")?.length, 128);
  assert.equal(formatPrefix(parsePrefix("FD00:0::/8")!), "fd00::/8");
});

test("what is not a prefix is refused", () => {
  for (const text of ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/8/8", "/8", "10.0.0.0/-1", "10.0.0/8"]) {
    assert.equal(parsePrefix(text), undefined, text);
  }
});
