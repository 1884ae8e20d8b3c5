import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Failure } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { makeCertificate, makePrivateKey } from "../../../../src/pki/index.js";
import {
  acceptDelegatedCredential,
  type DelegationContext,
  type DelegationOptions,
  delegationUsage,
  makeDelegatedCredential,
} from "../../../../src/protocols/tls/delegated.js";
import { schemes } from "../../../../src/protocols/tls/parameters/schemes.js";
import { provider as crypto } from "../../../support/provider.js";

const hour = 3_600_000;
const now = Date.UTC(2026, 6, 1);
const keyOf = (kind: "P-256" | "Ed25519", seed: string) =>
  crypto.privateKey(makePrivateKey(kind, seededEntropy(seed)).expose())!;
const owner = keyOf("P-256", "owner");
const delegate = keyOf("Ed25519", "delegate");
const usage = { oid: delegationUsage, critical: false, value: Uint8Array.of(5, 0) };
const certificateWith = (extensions: readonly (typeof usage)[]) =>
  makeCertificate({
    provider: crypto,
    entropy: seededEntropy(1),
    key: owner,
    san: ["server.test"],
    notBefore: now - 24 * hour,
    notAfter: now + 90 * 24 * hour,
    extensions,
  }).raw;
const certificate = certificateWith([usage]);

const make = (more: Partial<DelegationOptions> = {}): Promise<Uint8Array> =>
  makeDelegatedCredential({
    certificate,
    sign: (algorithm, message) => owner.sign(algorithm, message),
    algorithm: "ecdsa_secp256r1_sha256",
    role: "server",
    publicKey: delegate.publicKey,
    scheme: "ed25519",
    notAfter: now + 24 * hour,
    ...more,
  });
const context: DelegationContext = {
  crypto,
  role: "server",
  certificate,
  certificateKey: owner.publicKey,
  schemes,
  delegatedSchemes: schemes,
  now,
};
const refused = (credential: Uint8Array, more: Partial<DelegationContext> = {}): void =>
  assert.throws(
    () => acceptDelegatedCredential(credential, { ...context, ...more }),
    (error) => error instanceof Failure && error.reason === "bad-delegated-credential" && error.code === 47,
  );

test("a delegated credential gives the key that signs in the certificate's place", async () => {
  const accepted = acceptDelegatedCredential(await make(), context);
  assert.deepEqual(accepted.publicKey.spki, delegate.publicKey.spki);
  assert.equal(accepted.scheme.name, "ed25519");
});

test("it is good for its role, its certificate, its time and the offered schemes alone", async () => {
  const credential = await make();
  refused(credential, { role: "client" });
  refused(credential, { certificate: certificateWith([]) });
  refused(credential, { certificate: certificateWith([{ ...usage, critical: true }]) });
  refused(credential, { certificateKey: delegate.publicKey });
  refused(credential, { now: now + 24 * hour + 1 });
  refused(await make({ notAfter: now + 8 * 24 * hour }));
  refused(credential, { delegatedSchemes: [] });
  refused(credential, { schemes: [] });
});

test("no bit of it can be turned", async () => {
  const credential = await make();
  for (let bit = 0; bit < 8 * credential.length; bit++) {
    const turned = credential.slice();
    turned[bit >> 3]! ^= 1 << (bit & 7);
    assert.throws(() => acceptDelegatedCredential(turned, context), Error, `bit ${bit}`);
  }
});

test("whatever comes as a credential is refused or does not parse", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.throws(
        () => acceptDelegatedCredential(bytes, context),
        (error) => error instanceof Error && (error.name === "DecodeError" || error instanceof Failure),
      );
    }),
    { seed: 20260704, numRuns: 300 },
  );
});

test("what could not be accepted is not made", async () => {
  const misuse = { fault: "misuse" };
  await assert.rejects(make({ certificate: certificateWith([]) }), misuse);
  await assert.rejects(make({ notAfter: now + 365 * 24 * hour }), misuse);
  await assert.rejects(make({ scheme: "ecdsa_secp256r1_sha256" }), misuse);
  await assert.rejects(make({ scheme: "rsa_pss_rsae_sha256" }), misuse);
  await assert.rejects(make({ sign: () => undefined }), misuse);
});
