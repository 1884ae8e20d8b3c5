import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32c, utf8 } from "../../../src/bytes/index.js";

test("CRC-32C of published values (RFC 3720 B.4)", () => {
  const over = (bytes: Uint8Array): string => crc32c(bytes, 0, bytes.length).toString(16).padStart(8, "0");
  assert.equal(over(new Uint8Array(32)), "8a9136aa");
  assert.equal(over(new Uint8Array(32).fill(0xff)), "62a8ab43");
  assert.equal(over(Uint8Array.from({ length: 32 }, (_, i) => i)), "46dd794e");
  assert.equal(over(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), "113fdb5c");
  assert.equal(over(utf8("123456789")), "e3069283");
  assert.equal(over(new Uint8Array()), "00000000");
  const inside = utf8("xx123456789yy");
  assert.equal(crc32c(inside, 2, 11), 0xe3069283);
});
