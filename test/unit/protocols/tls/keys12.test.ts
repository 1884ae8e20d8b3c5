import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../../../src/bytes/index.js";
import { Failure, Secret } from "../../../../src/contract/index.js";
import { suites12 } from "../../../../src/protocols/tls/index.js";
import {
  agreedPremaster,
  exportKeyingMaterial,
  keyBlock,
  mainSecret,
  pskPremaster,
  verifyData,
} from "../../../../src/protocols/tls/keys12.js";
import { suite12ByName } from "../../../../src/protocols/tls/parameters/suites12.js";
import { provider as crypto } from "../../../support/provider.js";

const sha256 = crypto.hash("SHA-256");
const randoms = { client: new Uint8Array(32).fill(1), server: new Uint8Array(32).fill(2) };
const main = new Secret(new Uint8Array(48).fill(3));

test("a pre-shared key alone stands behind as many zeros, RFC 4279 §2", () => {
  assert.equal(toHex(pskPremaster(Secret.copy(fromHex("aabbcc"))).expose()), "00030000000003aabbcc");
});

test("a pre-shared key with an agreement stands behind the agreed secret, RFC 5489 §2", () => {
  const premaster = pskPremaster(Secret.copy(fromHex("aabbcc")), Secret.copy(fromHex("0102")));
  assert.equal(toHex(premaster.expose()), "000201020003aabbcc");
});

test("finite-field secrets lose their leading zeros, curves' keep them", () => {
  const agreed = Secret.copy(fromHex("00000102"));
  assert.equal(toHex(agreedPremaster(agreed, true).expose()), "0102");
  assert.equal(toHex(agreedPremaster(agreed, false).expose()), "00000102");
});

test("the key block is as long as the suite needs, its parts all different", () => {
  for (const suite of suites12) {
    const { client, server, wipe } = keyBlock(crypto, suite, main, randoms);
    const parts = [client.macKey, server.macKey, client.key, server.key, client.iv, server.iv];
    const filled = parts.filter(({ length }) => length > 0).map(toHex);
    assert.equal(new Set(filled).size, filled.length, suite.name);
    assert.equal(client.macKey.length > 0, suite.protection.kind === "cbc");
    assert.equal(client.key.length, suite.name.includes("AES_128") ? 16 : 32);
    wipe();
    assert.ok(client.key.every((byte) => byte === 0));
  }
});

test("both bindings give 48 bytes, and the extended one depends on the session hash alone", () => {
  const premaster = Secret.copy(fromHex("00"));
  const plain = mainSecret(sha256, premaster, { randoms });
  const extended = mainSecret(sha256, premaster, { sessionHash: new Uint8Array(32) });
  assert.equal(plain.size, 48);
  assert.equal(extended.size, 48);
  assert.ok(!plain.equals(extended));
});

test("the two sides' Finished differ", () => {
  const transcript = sha256.digest();
  const client = verifyData(sha256, main, "client", transcript);
  assert.equal(client.length, 12);
  assert.notDeepEqual(client, verifyData(sha256, main, "server", transcript));
});

test("an exporter tells no context from an empty one, and knows which labels are not its own", () => {
  const suite = suite12ByName.get("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")!;
  const hash = crypto.hash(suite.hash);
  const without = exportKeyingMaterial(hash, main, randoms, "EXPERIMENTAL", 40);
  assert.equal(without.length, 40);
  assert.notDeepEqual(without, exportKeyingMaterial(hash, main, randoms, "EXPERIMENTAL", 40, new Uint8Array()));
  assert.deepEqual(without.slice(0, 8), exportKeyingMaterial(hash, main, randoms, "EXPERIMENTAL", 8));
  assert.throws(
    () => exportKeyingMaterial(hash, main, randoms, "key expansion", 32),
    (error) => error instanceof Failure && error.fault === "misuse",
  );
});
