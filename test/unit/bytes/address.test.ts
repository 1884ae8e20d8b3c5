import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { addressFamily, formatAddress, parseAddress } from "../../../src/bytes/index.js";

test("IPv6 text is canonical by RFC 5952", () => {
  for (const [given, canonical] of [
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["::FFFF:192.0.2.1", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["192.0.2.1", "192.0.2.1"],
  ] as const) {
    assert.equal(formatAddress(parseAddress(given)!), canonical);
  }
});

test("what is no address is refused", () => {
  for (const text of [
    "",
    "1.2.3",
    "01.2.3.4",
    "1.2.3.256",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "g::",
    "1.2.3.4::",
    "::1%lo",
  ]) {
    assert.equal(parseAddress(text), undefined, text);
  }
});

test("any 4 or 16 bytes survive being written and read, and Node agrees on random text (seed 5952)", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  );
  fc.assert(
    fc.property(bytes, (each) => assert.deepEqual(parseAddress(formatAddress(each)), each)),
    { seed: 5952, numRuns: 1_000 },
  );
  const text = fc.string({ unit: fc.constantFrom(..."0123456789abcdef:.:."), maxLength: 24 });
  fc.assert(
    fc.property(text, (each) => assert.equal(addressFamily(each) ?? 0, isIP(each))),
    { seed: 5952, numRuns: 5_000 },
  );
});
