import assert from "node:assert/strict";
import { test } from "node:test";
import type { CryptoProvider } from "../../src/contract/index.js";
import { createVerifier, type Verdict, type VerifyAsk } from "../../src/pki/index.js";
import { limits } from "../../src/pki/limits.js";
import { at, day, Forge } from "./chains/builder.js";
import { provider } from "./fixtures.js";

/** A provider that counts what a remembered path saves. */
function counting() {
  const done = { imports: 0, verifications: 0 };
  const counted: CryptoProvider = {
    ...provider,
    publicKey(spki) {
      const key = provider.publicKey(spki);
      done.imports++;
      return (
        key && {
          ...key,
          spki: key.spki,
          type: key.type,
          bits: key.bits,
          ...(key.curve !== undefined && { curve: key.curve }),
          verify(algorithm, message, signature) {
            done.verifications++;
            return key.verify(algorithm, message, signature);
          },
        }
      );
    },
  };
  return { done, provider: counted };
}

const reasonOf = (verdict: Verdict): string => (verdict.trusted ? "accepted" : verdict.failure.reason);

function setting(seed: string) {
  const forge = new Forge(seed);
  const root = forge.root();
  const authority = forge.authority(root);
  const leaf = forge.leaf(authority);
  const { done, provider: counted } = counting();
  const verifier = createVerifier({ provider: counted, anchors: [root.der] });
  const chain = [leaf.der, authority.der];
  const ask = (change: Partial<VerifyAsk> = {}): Verdict =>
    verifier.verify({ chain, referenceIds: ["example.com"], purpose: "server", at, ...change });
  return { forge, root, authority, leaf, chain, done, ask };
}

test("a path that was valid costs no signature and no import the next time, and the same is counted against the limits", () => {
  const { done, ask, chain } = setting("known again");
  const first = ask();
  assert.equal(reasonOf(first), "accepted");
  assert.deepEqual(done, { imports: 3, verifications: 2 });
  const again = ask({ chain: chain.map((der) => der.slice()) });
  assert.equal(reasonOf(again), "accepted");
  assert.deepEqual(done, { imports: 3, verifications: 2 });
  assert.deepEqual(again.cost, first.cost);
});

test("what does not follow from the bytes is judged anew: dates, names, purposes, what was sent with it", () => {
  const { ask, leaf } = setting("judged anew");
  assert.equal(reasonOf(ask()), "accepted");
  assert.equal(reasonOf(ask({ at: at + 365 * day })), "expired");
  assert.equal(reasonOf(ask({ at: at - 365 * day })), "not-yet-valid");
  assert.equal(reasonOf(ask({ referenceIds: ["example.org"] })), "name-mismatch");
  assert.equal(reasonOf(ask({ purpose: "email" })), "wrong-purpose");
  assert.equal(reasonOf(ask({ chain: [leaf.der] })), "unknown-issuer");
  assert.equal(reasonOf(ask()), "accepted");
});

test("one other byte, anywhere, is another certificate", () => {
  const { ask, chain, leaf } = setting("other bytes");
  assert.equal(reasonOf(ask()), "accepted");
  for (let i = 0; i < leaf.der.length; i += 7) {
    const forged = leaf.der.slice();
    forged[i]! ^= 1;
    assert.notEqual(reasonOf(ask({ chain: [forged, chain[1]!] })), "accepted", `byte ${i}`);
  }
  assert.equal(reasonOf(ask()), "accepted");
});

test("a signature is known for the key that verified it alone: the issuer's name with another key is refused", () => {
  const { forge, root, ask, leaf, authority } = setting("other signer");
  assert.equal(reasonOf(ask()), "accepted");
  const impostor = forge.authority(root, { bend: (each) => ({ ...each, subject: authority.template.subject }) });
  assert.equal(reasonOf(ask({ chain: [leaf.der, impostor.der] })), "bad-signature");
});

test("what was sent may be overwritten later: what is known lies in memory of its own", () => {
  const { ask, chain, done } = setting("overwritten");
  const lent = chain.map((der) => der.slice());
  assert.equal(reasonOf(ask({ chain: lent })), "accepted");
  for (const der of lent) der.fill(0);
  assert.equal(reasonOf(ask()), "accepted");
  assert.equal(done.verifications, 2);
});

test("chains of strangers displace nothing, and those of many peers no more than the limit", () => {
  const { forge, authority, ask, done } = setting("many");
  assert.equal(reasonOf(ask()), "accepted");
  const before = done.verifications;
  const stranger = forge.root({ subject: "O=Stranger" });
  const key = forge.key();
  for (let i = 0; i < limits.knownCertificatesMax + 10; i++) {
    assert.equal(reasonOf(ask({ chain: [forge.leaf(stranger, { key }).der] })), "unknown-issuer");
  }
  assert.equal(reasonOf(ask()), "accepted");
  assert.equal(done.verifications, before);
  for (let i = 0; i < limits.knownCertificatesMax + 10; i++) {
    assert.equal(reasonOf(ask({ chain: [forge.leaf(authority, { key }).der, authority.der] })), "accepted");
  }
  const crowded = done.verifications;
  assert.equal(reasonOf(ask()), "accepted");
  assert.ok(done.verifications > crowded, "the first of all had to be verified again");
});
