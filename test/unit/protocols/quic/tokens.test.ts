import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import {
  AddressTokens,
  claimsRetry,
  newTokenLifetimeMs,
  retryTokenLifetimeMs,
} from "../../../../src/protocols/quic/tokens.js";
import { provider } from "../../../support/provider.js";

const now = Date.UTC(2026, 0, 1);
const secret = (value = 7) => new Secret(new Uint8Array(32).fill(value));
const make = (seed = 1, value = 7) => new AddressTokens(provider, secret(value), seededEntropy(seed));
const originalDcid = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const retryScid = Uint8Array.of(9, 8, 7);
const here = { address: "192.0.2.1", port: 4_433, now };

test("a Retry's token brings both connection ids back, to its address and port, for a short time", () => {
  const tokens = make();
  const token = tokens.retry({ ...here, originalDcid, retryScid });
  assert.ok(claimsRetry(token));
  assert.deepEqual(tokens.open(token, here), { kind: "retry", originalDcid, retryScid });
  // It may come again: the client's Initial packet is sent again when it is lost.
  assert.ok(tokens.open(token, { ...here, now: now + retryTokenLifetimeMs }));
  assert.ok(make(2).open(token, here), "another of the fleet");
  for (const wrong of [
    { ...here, address: "192.0.2.2" },
    { ...here, port: 4_434 },
    { ...here, now: now + retryTokenLifetimeMs + 1 },
  ]) {
    assert.equal(tokens.open(token, wrong), undefined, JSON.stringify(wrong));
  }
  assert.equal(make(1, 8).open(token, here), undefined, "another key");
});

test("a NEW_TOKEN token is bound to the address, not the port, and good once (§8.1.4)", () => {
  const tokens = make();
  const token = tokens.newToken({ address: "2001:db8::1", version: 1, now });
  assert.ok(!claimsRetry(token));
  const later = { address: "2001:db8::1", port: 9, now: now + newTokenLifetimeMs };
  assert.equal(tokens.open(token, { ...later, now: later.now + 1 }), undefined);
  assert.deepEqual(tokens.open(token, later), { kind: "new", issuedAt: now, version: 1 });
  assert.equal(tokens.open(token, later), undefined);
});

test("nothing that was changed anywhere, cut or made up opens", () => {
  const tokens = make();
  for (const token of [
    tokens.retry({ ...here, originalDcid, retryScid }),
    tokens.newToken({ address: here.address, version: 1, now }),
  ]) {
    for (let i = 0; i < token.length; i++) {
      const changed = token.slice();
      changed[i]! ^= 1;
      assert.equal(tokens.open(changed, here), undefined, `byte ${i}`);
      assert.equal(tokens.open(token.subarray(0, i), here), undefined, `${i} bytes`);
    }
  }
  assert.equal(tokens.open(new Uint8Array(64), here), undefined);
});
