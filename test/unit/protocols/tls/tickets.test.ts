import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../../../../src/bytes/index.js";
import { Failure, Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { MemorySessionStore, sealedStore, TicketKeyRing } from "../../../../src/protocols/tls/index.js";
import { provider as crypto } from "../../../support/provider.js";

const hour = 3_600_000;
const state = utf8("a session");
const ring = (seed: number, more: { makesKeys?: boolean } = {}): TicketKeyRing =>
  new TicketKeyRing({ crypto, entropy: seededEntropy(seed), sealForMs: 12 * hour, openForMs: 24 * hour, ...more });

test("a ticket opens with the key that sealed it, and nothing of it can be changed", () => {
  const keys = ring(1);
  const ticket = keys.seal(state, 0)!;
  assert.deepEqual(keys.open(ticket, hour), state);
  for (let bit = 0; bit < 8 * ticket.length; bit++) {
    const turned = ticket.slice();
    turned[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(keys.open(turned, hour), undefined, `bit ${bit}`);
  }
  for (let size = 0; size < ticket.length; size++) assert.equal(keys.open(ticket.subarray(0, size), hour), undefined);
  assert.equal(ring(2).open(ticket, hour), undefined);
});

test("keys follow one another: new tickets take the new key, old ones open until theirs has run out", () => {
  const keys = ring(1);
  const first = keys.seal(state, 0)!;
  const second = keys.seal(state, 12 * hour)!;
  assert.notDeepEqual(first.subarray(0, 16), second.subarray(0, 16));
  assert.deepEqual(keys.open(first, 36 * hour - 1), state);
  assert.equal(keys.open(first, 36 * hour), undefined);
  assert.deepEqual(keys.open(second, 36 * hour), state);
});

test("a fleet that shares its keys opens each other's tickets, and makes none without a key", () => {
  const one = ring(1);
  const other = ring(2, { makesKeys: false });
  assert.equal(other.seal(state, 0), undefined);
  const ticket = one.seal(state, 0)!;
  other.import(one.export());
  other.import(one.export());
  assert.deepEqual(other.open(ticket, 0), state);
  assert.deepEqual(one.open(other.seal(state, hour)!, hour), state);
  assert.equal(other.seal(state, 12 * hour), undefined);
});

test("what is not a set of exported keys is refused as misuse", () => {
  for (const wrong of [utf8("?"), new Uint8Array(), Uint8Array.of(0, 1, 7)]) {
    assert.throws(
      () => ring(1).import(new Secret(wrong)),
      (error) => error instanceof Failure && error.fault === "misuse",
    );
  }
});

test("wiped keys open nothing", () => {
  const keys = ring(1);
  const ticket = keys.seal(state, 0)!;
  keys.wipe();
  assert.equal(keys.open(ticket, 0), undefined);
});

test("a sealed store shows neither names nor sessions to the store behind it", async () => {
  const behind = new MemorySessionStore();
  const store = sealedStore(behind, ring(1), crypto, () => 0);
  await store.add("example.test", { bytes: state.slice(), expiresAt: hour });
  const [[key, [entry] = []] = ["", []]] = [...behind.entries()];
  assert.ok(entry);
  assert.ok(!key.includes("example"));
  assert.ok(!Buffer.from(entry.bytes).includes("session"));
  assert.deepEqual((await store.peek("example.test", 0))?.bytes, state);
  assert.deepEqual((await store.take("example.test", 0))?.bytes, state);
  assert.equal(await store.take("example.test", 0), undefined);
});
