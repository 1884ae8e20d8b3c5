import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { PkiFailure, readCertificates, readPem, readPrivateKey, writePem } from "../../src/pki/index.js";
import { fromBase64, toBase64 } from "../../src/pki/pem.js";
import { provider, world } from "./fixtures.js";

const message = utf8("message");
const algorithms = { rsa: "RSA-PKCS1-SHA-256", ec: "ECDSA-any-SHA-256", ed25519: "Ed25519", ed448: "Ed448" } as const;

/** The key that was read signs what the key that was made verifies. */
function same(read: Secret | PkiFailure, made: KeyObject): void {
  assert.ok(read instanceof Secret, String(read));
  const key = provider.privateKey(read.expose());
  assert.ok(key);
  const algorithm = algorithms[made.asymmetricKeyType as keyof typeof algorithms];
  const spki = new Uint8Array(made.export({ format: "der", type: "spki" }));
  assert.ok(provider.publicKey(spki)?.verify(algorithm, message, key.sign(algorithm, message)));
}

const pairs = {
  RSA: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  "P-256": generateKeyPairSync("ec", { namedCurve: "P-256" }),
  "P-384": generateKeyPairSync("ec", { namedCurve: "P-384" }),
  "P-521": generateKeyPairSync("ec", { namedCurve: "P-521" }),
  Ed25519: generateKeyPairSync("ed25519"),
  Ed448: generateKeyPairSync("ed448"),
};

for (const [name, { privateKey, publicKey }] of Object.entries(pairs)) {
  test(`a ${name} key is read from PKCS#8, as PEM and as DER`, () => {
    same(readPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" })), publicKey);
    same(readPrivateKey(new Uint8Array(privateKey.export({ format: "der", type: "pkcs8" }))), publicKey);
  });
  for (const cipher of ["aes-128-cbc", "aes-192-cbc", "aes-256-cbc"]) {
    test(`a ${name} key is read from PKCS#8 encrypted with ${cipher}`, () => {
      const passphrase = "correct horse ä";
      const pem = privateKey.export({ format: "pem", type: "pkcs8", cipher, passphrase });
      same(readPrivateKey(pem, { provider, password: passphrase }), publicKey);
      const wrong = readPrivateKey(pem, { provider, password: "wrong" });
      assert.equal(wrong instanceof PkiFailure && wrong.reason, "wrong-password");
      const none = readPrivateKey(pem);
      assert.equal(none instanceof PkiFailure && none.reason, "wrong-password");
    });
  }
}

test("an EC key is read from SEC 1, with the parameters that OpenSSL writes before it", () => {
  const { privateKey, publicKey } = pairs["P-384"];
  const sec1 = privateKey.export({ format: "pem", type: "sec1" }).toString();
  same(readPrivateKey(sec1), publicKey);
  same(readPrivateKey(`-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n${sec1}`), publicKey);
  same(readPrivateKey(new Uint8Array(privateKey.export({ format: "der", type: "sec1" }))), publicKey);
});

test("an RSA key is read from PKCS#1", () => {
  const { privateKey, publicKey } = pairs.RSA;
  same(readPrivateKey(privateKey.export({ format: "pem", type: "pkcs1" })), publicKey);
  same(readPrivateKey(new Uint8Array(privateKey.export({ format: "der", type: "pkcs1" }))), publicKey);
});

test("a key encrypted in the old way of OpenSSL is refused with a way out", () => {
  const pem = pairs.RSA.privateKey.export({ format: "pem", type: "pkcs1", cipher: "aes-128-cbc", passphrase: "x" });
  const read = readPrivateKey(pem, { provider, password: "x" });
  assert.ok(read instanceof PkiFailure);
  assert.equal(read.reason, "unsupported-key-encryption");
  assert.match(read.hint ?? "", /openssl pkcs8/);
});

test("a text without a key says what is wanted", () => {
  const read = readPrivateKey("hello");
  assert.ok(read instanceof PkiFailure);
  assert.equal(read.reason, "malformed-key");
  assert.match(read.hint ?? "", /EC PRIVATE KEY/);
});

test("keys made here are taken by OpenSSL", () => {
  const { newKey, entropy } = world("made keys");
  assert.ok(entropy);
  for (const kind of ["P-256", "P-384", "P-521", "Ed25519", "Ed448"] as const) {
    const key = newKey(kind);
    const pem = writePem("PUBLIC KEY", key.publicKey.spki);
    const said = execFileSync("openssl", ["pkey", "-pubin", "-pubcheck", "-noout"], { input: pem, encoding: "utf8" });
    assert.match(said, /valid/, kind);
  }
});

test("random bytes are no key, and never make us throw", () => {
  const der = new Uint8Array(pairs["P-256"].privateKey.export({ format: "der", type: "pkcs8" }));
  const mutated = fc.tuple(fc.nat(der.length - 1), fc.nat(255)).map(([index, octet]) => {
    const copy = der.slice();
    copy[index] = octet;
    return copy;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), (bytes) => {
      const read = readPrivateKey(bytes, { provider, password: "x" });
      assert.ok(read instanceof Secret || read instanceof PkiFailure);
    }),
    { seed: 5958, numRuns: 1000 },
  );
  for (let size = 0; size < der.length; size++) assert.ok(readPrivateKey(der.subarray(0, size)) instanceof PkiFailure);
});

test("PEM: text between blocks is ignored, within a block nothing is", () => {
  const block = writePem("CERTIFICATE", Uint8Array.of(1, 2, 3));
  const text = `Subject: somebody\n${block}\r\nmore\n${block.replaceAll("\n", "\r\n")}`;
  assert.deepEqual(readPem(text), [
    { label: "CERTIFICATE", bytes: Uint8Array.of(1, 2, 3) },
    { label: "CERTIFICATE", bytes: Uint8Array.of(1, 2, 3) },
  ]);
  assert.deepEqual(readPem(""), []);
  for (const wrong of [
    block.replace("END CERTIFICATE", "END KEY"),
    block.replace(/-----END.*/, ""),
    block.replace("AQID", "AQI"),
    block.replace("AQID", "AQ*D"),
    block.replace("AQID", "AQJ="),
    block.replace("AQID", "A=ID"),
    block.replace("AQID", "Header: x\n\nAQID"),
  ]) {
    const read = readPem(wrong);
    assert.equal(read instanceof PkiFailure && read.reason, "malformed-pem", wrong);
  }
});

test("PEM: lines are 64 characters long, and what is written is read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = writePem("X", bytes);
      assert.ok(text.split("\n").every((line) => line.length <= 64));
      assert.deepEqual(readPem(text), [{ label: "X", bytes }]);
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString("base64"));
      assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
    }),
    { seed: 7468 },
  );
});

test("PEM: certificates are picked out of a bundle, and DER is taken as it is", () => {
  const bundle = [
    writePem("PRIVATE KEY", Uint8Array.of(9)),
    writePem("CERTIFICATE", Uint8Array.of(0x30, 0)),
    writePem("X509 CERTIFICATE", Uint8Array.of(0x30, 0)),
  ].join("");
  assert.equal((readCertificates(bundle) as readonly Uint8Array[]).length, 2);
  assert.deepEqual(readCertificates(Uint8Array.of(0x30, 0)), [Uint8Array.of(0x30, 0)]);
  assert.equal((readCertificates(utf8(bundle)) as readonly Uint8Array[]).length, 2);
});
