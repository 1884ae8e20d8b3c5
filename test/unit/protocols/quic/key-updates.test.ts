import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../../../src/contract/index.js";
import { OneRttProtection } from "../../../../src/protocols/quic/protection/one-rtt.js";
import { initialSuite } from "../../../../src/protocols/quic/protection/secrets.js";
import { versions } from "../../../../src/protocols/quic/protection/versions.js";
import { provider } from "../../../support/provider.js";

const secret = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));
const ptoMs = 100;

/** Two ends that share their secrets, and packets of a header of one byte. */
function pair(packetsPerKeyMax = Number.POSITIVE_INFINITY) {
  const make = (read: number, write: number): OneRttProtection => {
    const made = new OneRttProtection(provider, versions["1"], packetsPerKeyMax);
    made.setRead(initialSuite, secret(read));
    made.setWrite(initialSuite, secret(write));
    return made;
  };
  const [a, b] = [make(1, 2), make(2, 1)];
  const seal = (from: OneRttProtection, number: number): Uint8Array => {
    const packet = new Uint8Array(1 + 8 + 16);
    packet[0] = 0x40 | (from.phase << 2);
    from.seal(packet, 0, 1, 9, number);
    return packet;
  };
  const open = (to: OneRttProtection, packet: Uint8Array, number: number, now: number): boolean =>
    to.open(packet.slice(), 0, 1, packet.length, number, now, ptoMs);
  return { a, b, seal, open };
}

test("an update of one side is followed by the other, and packets from before still open for three timeouts", () => {
  const { a, b, seal, open } = pair();
  const late = seal(a, 0);
  assert.ok(open(b, seal(a, 1), 1, 0));
  assert.equal(a.mayUpdate, false);
  a.acknowledged(1);
  assert.ok(a.mayUpdate);
  a.update();
  assert.equal(a.phase, 1);
  assert.ok(open(b, seal(a, 2), 2, 10));
  assert.ok(b.followed);
  assert.equal(b.generation, 1);
  assert.ok(open(b, late, 0, 20), "a packet of the old generation that was overtaken");
  assert.equal(b.followed, false);
  // The answer, in the new generation.
  assert.ok(open(a, seal(b, 0), 0, 30));
  assert.equal(b.deadline(), 10 + 3 * ptoMs);
  b.wake(10 + 3 * ptoMs);
  assert.equal(b.deadline(), undefined);
  assert.ok(!open(b, late, 0, 400), "after that nobody has the old keys");
  assert.equal(b.failed, 1);
});

test("no second update begins while the first is unanswered, or the old keys are there", () => {
  const { a, b, seal, open } = pair();
  assert.ok(open(b, seal(a, 0), 0, 0));
  a.acknowledged(0);
  a.update();
  assert.ok(!a.mayUpdate);
  assert.ok(open(b, seal(a, 1), 1, 0));
  a.acknowledged(1);
  assert.ok(!a.mayUpdate, "the previous keys wait for the peer's first packet");
  assert.ok(open(a, seal(b, 0), 0, 5));
  assert.ok(!a.mayUpdate);
  a.wake(5 + 3 * ptoMs);
  assert.ok(a.mayUpdate);
});

test("an acknowledgement of packets from before an update does not allow the next", () => {
  const { a, b, seal, open } = pair();
  assert.ok(open(b, seal(a, 0), 0, 0));
  a.acknowledged(0);
  a.update();
  seal(a, 7);
  a.acknowledged(6);
  assert.ok(open(a, seal(b, 0), 0, 5));
  a.wake(1_000);
  assert.ok(!a.mayUpdate);
});

test("old keys that acknowledge packets under new ones give the peer away", () => {
  const { a, b, seal, open } = pair();
  const old = seal(b, 0);
  assert.ok(open(b, seal(a, 0), 0, 0));
  a.acknowledged(0);
  a.update();
  seal(a, 1);
  assert.ok(open(a, old, 0, 5));
  assert.equal(a.contradicts(0), false);
  assert.ok(a.contradicts(1));
  assert.ok(open(b, seal(a, 2), 2, 5));
  assert.ok(open(a, seal(b, 1), 1, 6));
  assert.equal(a.contradicts(2), false, "under new keys it is in order");
});

test("keys that have sealed enough want an update; forged packets are counted and change nothing", () => {
  const { a, b, seal, open } = pair(3);
  for (let number = 0; number < 3; number++) seal(a, number);
  assert.ok(a.wantsUpdate);
  const forged = seal(a, 3);
  forged[0]! ^= 4;
  assert.ok(!open(b, forged, 3, 0), "the other phase, and not the next key");
  assert.equal(b.generation, 0);
  assert.equal(b.failed, 1);
  assert.equal(b.isExhausted, false);
});
