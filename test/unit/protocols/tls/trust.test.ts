import assert from "node:assert/strict";
import { test } from "node:test";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  createVerifier,
  type KeyUsage,
  makeAuthority,
  makeCertificate,
  makePrivateKey,
} from "../../../../src/pki/index.js";
import { trust } from "../../../../src/protocols/tls/trust.js";
import { provider } from "../../../support/provider.js";

const entropy = seededEntropy("trust");
const [notBefore, notAfter] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 6, 1)];
const newKey = () => provider.privateKey(makePrivateKey("P-256", entropy).expose())!;
const rootKey = newKey();
const root = makeAuthority({ provider, entropy, key: rootKey, subject: "CN=root", notBefore, notAfter });
const verify = trust(createVerifier({ provider, anchors: [root.raw] }));

const ask = (keyUsage: readonly KeyUsage[], serverName: string | undefined = "a.example") => {
  const leaf = makeCertificate({
    provider,
    entropy,
    key: newKey(),
    issuer: { certificate: root, privateKey: rootKey },
    san: [{ dns: "a.example" }],
    keyUsage,
    notBefore,
    notAfter,
  });
  return verify({
    role: "client",
    version: "1.3",
    certificates: [leaf.raw],
    rawPublicKey: undefined,
    serverName,
    ocspResponse: undefined,
    signedCertificateTimestamps: undefined,
    schemes: [],
    at: Date.UTC(2026, 3, 1),
  });
};

test("a certificate whose key may sign is trusted under its name", async () => {
  assert.equal((await ask(["digitalSignature"])).trusted, true);
});

test("a certificate whose key may not sign is refused, for every key exchange here has it sign", async () => {
  const verdict = await ask(["keyEncipherment", "keyAgreement"]);
  assert.ok(!verdict.trusted);
  assert.equal(verdict.failure.reason, "unsupported-certificate");
});

test("another name, or none to look for, is refused", async () => {
  const other = await ask(["digitalSignature"], "b.example");
  assert.ok(!other.trusted);
  assert.equal(other.failure.reason, "wrong-name");
  const none = await verify({
    role: "client",
    version: "1.3",
    certificates: [root.raw],
    rawPublicKey: undefined,
    serverName: undefined,
    ocspResponse: undefined,
    signedCertificateTimestamps: undefined,
    schemes: [],
    at: notBefore,
  });
  assert.ok(!none.trusted);
});
