import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../../src/bytes/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { ClientTable } from "../../../../src/protocols/curvecp/client-table.js";
import { Counters } from "../../../../src/protocols/curvecp/counters.js";
import { MinuteKeys } from "../../../../src/protocols/curvecp/handshake/minute-keys.js";
import { counterNonce, openInto, sealInPlace } from "../../../../src/protocols/curvecp/keys.js";
import { limits } from "../../../../src/protocols/curvecp/limits.js";
import type { ServerConnection } from "../../../../src/protocols/curvecp/server.js";
import { boxes, clientIdentity, pattern, serverIdentity } from "../../../support/curvecp-pair.js";

test("a box sealed in place opens elsewhere, and any flipped bit keeps it shut", () => {
  const key = boxes.key(clientIdentity.privateKey, serverIdentity.publicKey)!;
  const nonce = counterNonce("CurveCP-client-M");
  const packet = new Uint8Array(100);
  packet.set(pattern(48), 10 + 16);
  sealInPlace(boxes.sealer(key), nonce, packet, 10, 48);
  const opener = boxes.opener(boxes.key(serverIdentity.privateKey, clientIdentity.publicKey)!);
  const into = new Uint8Array(64);
  assert.ok(openInto(opener, nonce, packet, 10, 64, into));
  assert.deepEqual(into.subarray(0, 48), pattern(48));
  for (let i = 10; i < 74; i++) {
    packet[i]! ^= 1;
    assert.ok(!openInto(opener, nonce, packet, 10, 64, into));
    packet[i]! ^= 1;
  }
});

const counter = (value: bigint): Uint8Array => {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
};

test("counters may begin anywhere in 64 bits, come out of order, and never twice", () => {
  for (const first of [0n, 5n, 2n ** 53n, 2n ** 63n + 17n, 2n ** 64n - 3_000n]) {
    const counters = new Counters();
    const take = (value: bigint): boolean => {
      const bytes = counter(value);
      if (!counters.mayAccept(bytes, 0)) return false;
      counters.accept(bytes, 0);
      return true;
    };
    assert.ok(take(first));
    assert.ok(!take(first));
    assert.ok(take(first + 2n));
    assert.ok(take(first + 1n), "overtaken");
    assert.ok(!take(first + 1n));
    if (first > 0n) assert.ok(take(first - 1n), "before the first");
    assert.ok(take(first + 2_500n));
    assert.ok(!take(first + 3n), "too old to know");
  }
});

test("a cookie opens for one to two minutes, and nobody else's does", () => {
  const start = 1_000_000;
  const keys = new MinuteKeys(boxes, seededEntropy("minutes"));
  const others = new MinuteKeys(boxes, seededEntropy("others"));
  assert.equal(keys.deadline, undefined, "nothing to wake up for while nobody comes");
  const cookie = keys.seal(clientIdentity.publicKey, serverIdentity.privateKey, start);
  const opens = (now: number) => keys.open(cookie, 0, now) !== undefined;
  others.seal(clientIdentity.publicKey, serverIdentity.privateKey, start);
  assert.equal(others.open(cookie, 0, start), undefined);
  assert.ok(opens(start) && opens(start + 60_000) && opens(start + 119_999));
  const late = keys.seal(clientIdentity.publicKey, serverIdentity.privateKey, start + 119_999);
  assert.ok(!opens(start + 120_000));
  assert.notEqual(keys.open(late, 0, start + 179_999), undefined);
  assert.equal(keys.open(late, 0, start + 180_000), undefined);
  assert.equal(keys.deadline, undefined);
  for (let i = 0; i < cookie.length; i++) {
    const wrong = cookie.slice();
    wrong[i]! ^= 0x80;
    assert.equal(keys.open(wrong, 0, start), undefined);
  }
});

test("a spent key is remembered while its cookie could open; with too many the minute ends early", () => {
  const keys = new MinuteKeys(boxes, seededEntropy("spent"));
  const cookie = keys.seal(clientIdentity.publicKey, serverIdentity.privateKey, 0);
  keys.spend("one", 0);
  assert.ok(keys.isSpent("one"));
  for (let i = 0; i < limits.spentMax + 1; i++) keys.spend(`other ${i}`, 1);
  assert.ok(keys.isSpent("one"), "its minute key is kept as the previous one");
  assert.notEqual(keys.open(cookie, 0, 2), undefined);
  for (let i = 0; i < limits.spentMax + 1; i++) keys.spend(`yet another ${i}`, 3);
  assert.equal(keys.open(cookie, 0, 4), undefined);
  keys.expire(240_000);
  assert.ok(!keys.isSpent("one"));
  keys.spend("nobody's", 300_000);
  assert.ok(!keys.isSpent("nobody's"), "with no key there is no cookie to come back");
});

test("connections are found by their whole keys, though the keys begin alike", () => {
  const table = new ClientTable();
  const connection = (last: number): ServerConnection =>
    ({ shortTermKey: Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? last : 7)) }) as ServerConnection;
  const [a, b, c] = [connection(1), connection(2), connection(3)];
  for (const each of [a, b, c]) table.add(each);
  const find = (of: ServerConnection) => table.find(of.shortTermKey, 0);
  assert.deepEqual([find(a), find(b), find(c)], [a, b, c]);
  table.remove(b);
  assert.deepEqual([find(a), find(b), find(c)], [a, undefined, c]);
  table.remove(c);
  table.remove(a);
  table.remove(a);
  assert.equal(table.size, 0);
  assert.equal(find(a), undefined);
  assert.equal(toHex(a.shortTermKey).length, 64);
});
