import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromBase64, toBase64 } from "../../../src/bytes/index.js";

test("base64 agrees with the platform's, and only canonical text is read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    }),
    { seed: 5 },
  );
  for (const text of ["A", "AA", "AAA", "AB==", "AA=A", "AAAA====", "AA-_", " AAA", "AAAA\n"]) {
    assert.equal(fromBase64(text), undefined, text);
  }
});
