import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { FileZrtpCache } from "../../../src/adapters/file-zrtp-cache.js";
import { toHex } from "../../../src/bytes/index.js";
import { Secret } from "../../../src/contract/index.js";
import { seededEntropy } from "../../../src/crypto/index.js";
import type { RetainedSecrets } from "../../../src/protocols/zrtp/index.js";
import { scratch } from "../../interop/peers/certificates.js";

const path = (): string => join(scratch(), "calls.json");
const secret = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));
const entry = (byte: number): RetainedSecrets => ({
  rs1: secret(byte),
  rs2: undefined,
  pbx: secret(9),
  verified: true,
  expiresAt: 1_700_000_000_000,
});

test("secrets and our ZID outlive the process, in a file for its owner alone", async () => {
  const file = path();
  const first = await FileZrtpCache.open(file, seededEntropy("one"));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  await Promise.all([first.set("aa", entry(1)), first.set("bb", entry(2)), first.delete("aa")]);
  const again = await FileZrtpCache.open(file, seededEntropy("another"));
  assert.equal(toHex(again.zid), toHex(first.zid));
  assert.equal(again.get("aa", 0), undefined);
  const { rs1, rs2, pbx, verified, expiresAt } = again.get("bb", 0)!;
  assert.ok(rs1!.equals(secret(2)) && rs2 === undefined && pbx!.equals(secret(9)) && verified);
  assert.equal(expiresAt, 1_700_000_000_000);
  assert.deepEqual(readdirSync(dirname(file)), ["calls.json"], "nothing is left beside it");
});

test("a file that others may read is refused, and so is one that is something else", async () => {
  const file = path();
  await FileZrtpCache.open(file, seededEntropy("one"));
  chmodSync(file, 0o644);
  await assert.rejects(FileZrtpCache.open(file, seededEntropy("one")), {
    fault: "misuse",
    reason: "cache-file-readable",
  });
  for (const text of [
    "",
    "{}",
    '{"format":2,"zid":"000102030405060708090a0b","peers":{}}',
    '{"format":1,"zid":"00","peers":{}}',
  ]) {
    const other = path();
    writeFileSync(other, text, { mode: 0o600 });
    await assert.rejects(FileZrtpCache.open(other, seededEntropy("one")), { reason: "bad-cache-file" });
    assert.equal(readFileSync(other, "utf8"), text, "and left as it is");
    assert.ok(existsSync(other));
  }
});
