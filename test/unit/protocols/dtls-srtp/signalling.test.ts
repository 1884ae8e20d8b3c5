import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure, type Instant } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  answerSetup,
  exportedSize,
  fingerprintOf,
  formatFingerprint,
  parseFingerprint,
  roleOf,
  sessionIdentity,
  splitKeys,
  verifyFingerprint,
} from "../../../../src/protocols/dtls-srtp/index.js";
import { profiles, type SrtpProfileName } from "../../../../src/protocols/srtp/index.js";
import type { PeerAsk } from "../../../../src/protocols/tls/index.js";
import { provider as crypto } from "../../../support/provider.js";

const at: Instant = Date.UTC(2026, 0, 3);
const identity = sessionIdentity(crypto, seededEntropy("a session"), at);
const [certificate] = identity.certificates;
const ask = (certificates: readonly Uint8Array[]): PeerAsk => ({
  role: "client",
  version: "1.3",
  certificates,
  rawPublicKey: undefined,
  serverName: undefined,
  ocspResponse: undefined,
  signedCertificateTimestamps: undefined,
  schemes: [],
  at,
});

test("who is active is the DTLS client; an answer to actpass may choose", () => {
  assert.deepEqual(
    [
      answerSetup("actpass"),
      answerSetup("actpass", "passive"),
      answerSetup("active"),
      answerSetup("passive", "passive"),
    ],
    ["active", "passive", "passive", "active"],
  );
  assert.deepEqual([roleOf("active"), roleOf("passive")], ["client", "server"]);
});

test("fingerprints are written and read, in either case; unknown hash functions are passed over", () => {
  for (const hash of ["sha-224", "sha-256", "sha-384", "sha-512"] as const) {
    const print = fingerprintOf(crypto, certificate!, hash);
    assert.deepEqual(parseFingerprint(formatFingerprint(print)), print);
    assert.deepEqual(parseFingerprint(formatFingerprint(print).toLowerCase()), print);
  }
  assert.equal(parseFingerprint("sha-1 AB:CD"), undefined);
  assert.equal(parseFingerprint("constructor AB:CD"), undefined);
  for (const text of [
    "",
    "sha-256",
    "sha-256 AB",
    "sha-256 AB:",
    "sha-256 XY:ZZ",
    "sha-256  AB:CD",
    `sha-256 ${"AB:".repeat(200)}AB`,
  ]) {
    assert.throws(
      () => parseFingerprint(text),
      (error) => error instanceof Failure && error.reason === "bad-fingerprint",
    );
  }
});

test("the strongest promised hash decides, and one of its fingerprints must fit", async () => {
  const right = (hash: "sha-256" | "sha-512") => fingerprintOf(crypto, certificate!, hash);
  const wrong = (hash: "sha-256" | "sha-512") => ({ hash, digest: right(hash).digest.map((byte) => byte ^ 1) });
  const judged = async (...promised: Parameters<typeof verifyFingerprint>[1][number][]) =>
    (await verifyFingerprint(crypto, promised)(ask([certificate!]))).trusted;
  assert.equal(await judged(right("sha-256")), true);
  assert.equal(await judged(wrong("sha-256"), right("sha-256")), true);
  assert.equal(await judged(wrong("sha-256")), false);
  assert.equal(await judged(right("sha-256"), wrong("sha-512")), false, "a weaker one does not make up for it");
  assert.equal((await verifyFingerprint(crypto, [right("sha-256")])(ask([]))).trusted, false);
  assert.throws(() => verifyFingerprint(crypto, []), /no fingerprint/);
});

test("what the exporter gives is cut as RFC 5764 §4.2 says, the other way round on the other side, and wiped", () => {
  for (const profile of Object.keys(profiles) as SrtpProfileName[]) {
    const { keySize, saltSize } = profiles[profile];
    const size = exportedSize(profile);
    assert.equal(size, 2 * (keySize + saltSize));
    const exported = () => Uint8Array.from({ length: size }, (_, i) => i + 1);
    const whole = exported();
    const mki = Uint8Array.of(7);
    const client = splitKeys(profile, whole, "client", mki);
    const server = splitKeys(profile, exported(), "server", mki);
    assert.ok(whole.every((byte) => byte === 0));
    assert.deepEqual(client.sendKey.key.expose(), exported().subarray(0, keySize));
    assert.deepEqual(client.sendKey.salt, exported().subarray(2 * keySize, 2 * keySize + saltSize));
    assert.deepEqual(client.receiveKey.salt, exported().subarray(2 * keySize + saltSize));
    assert.deepEqual(server.receiveKey.key.expose(), client.sendKey.key.expose());
    assert.deepEqual(server.sendKey.key.expose(), client.receiveKey.key.expose());
    assert.deepEqual(server.sendKey.mki, mki);
  }
});
