import assert from "node:assert/strict";
import { test } from "node:test";
import { equal, toHex, utf8, varintAt } from "../../../../src/bytes/index.js";
import { Failure, Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { OwnCids, PeerCids, plainCids, ResetTokens, routableCids } from "../../../../src/protocols/quic/cids/index.js";
import { Held } from "../../../../src/protocols/quic/contents.js";
import { provider } from "../../../support/provider.js";

const refused = (reason: string) => (error: unknown) => error instanceof Failure && error.reason === reason;
const cid = (n: number) => new Uint8Array(8).fill(n);
const token = (n: number) => new Uint8Array(16).fill(n);
const tokens = new ResetTokens(provider, new Secret(new Uint8Array(32).fill(9)));

const own = (initial = cid(0)) => new OwnCids({ generator: plainCids(8), entropy: seededEntropy(1), tokens, initial });

interface NewCid {
  readonly sequence: number;
  readonly prior: number;
  readonly cid: Uint8Array;
  readonly token: Uint8Array;
}

/** Frames with one-byte integers, read by hand. */
function frames(from: { fill: OwnCids["fill"] }, room = 1_000): NewCid[] {
  const bytes = new Uint8Array(room);
  const end = from.fill(bytes, 0, room, { hold: (kind) => assert.equal(kind, Held.newConnectionId) });
  const read: NewCid[] = [];
  for (let at = 0; at < end; ) {
    assert.equal(bytes[at], 0x18);
    const size = bytes[at + 3]!;
    const idAt = at + 4;
    read.push({
      sequence: varintAt(bytes, at + 1, end),
      prior: varintAt(bytes, at + 2, end),
      cid: bytes.slice(idAt, idAt + size),
      token: bytes.slice(idAt + size, idAt + size + 16),
    });
    at = idAt + size + 16;
  }
  return read;
}

function retirements(from: PeerCids): number[] {
  const bytes = new Uint8Array(100);
  const end = from.fill(bytes, 0, 100, { hold: (kind) => assert.equal(kind, Held.retireConnectionId) });
  return Array.from({ length: end / 2 }, (_, i) => bytes[2 * i + 1]!);
}

test("as many ids as the peer takes, up to our own bound, each with the token that its key gives", () => {
  const ours = own();
  assert.equal(ours.wants, false);
  ours.setPeerLimit(4);
  ours.start();
  const issued = frames(ours);
  assert.deepEqual(
    issued.map(({ sequence }) => sequence),
    [1, 2, 3],
  );
  for (const each of issued) assert.deepEqual(each.token, tokens.of(each.cid));
  assert.equal(new Set([...ours.active].map(toHex)).size, 4);
  const greedy = own();
  greedy.setPeerLimit(1_000_000);
  greedy.start();
  assert.equal(frames(greedy).length, 7);
});

test("a retired id is replaced; a lost frame goes again, the same, unless its id is gone (§19.15)", () => {
  const ours = own();
  ours.setPeerLimit(2);
  ours.start();
  const [first] = frames(ours);
  ours.lost(1);
  assert.deepEqual(frames(ours), [first]);
  ours.onRetire(0, first!.cid);
  assert.deepEqual(
    frames(ours).map(({ sequence }) => sequence),
    [2],
  );
  ours.onRetire(0, first!.cid);
  ours.lost(0);
  assert.equal(ours.wants, false);
  const events = [];
  for (let event = ours.event(); event !== undefined; event = ours.event()) events.push(event);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["issued", "retired", "issued"],
  );
  assert.deepEqual(events[1]?.cid, cid(0));
});

test("retirements that cannot be are refused (§19.16)", () => {
  const ours = own();
  ours.setPeerLimit(3);
  ours.start();
  assert.throws(() => ours.onRetire(3, cid(0)), refused("connection-id-misuse"), "never issued");
  assert.throws(() => ours.onRetire(0, cid(0)), refused("connection-id-misuse"), "in the packet's own header");
  const empty = own(new Uint8Array(0));
  empty.setPeerLimit(8);
  empty.start();
  assert.equal(empty.wants, false);
  assert.throws(() => empty.onRetire(0, new Uint8Array(0)), refused("connection-id-misuse"));
});

test("rotation asks for all to be changed", () => {
  const ours = own();
  ours.setPeerLimit(3);
  ours.start();
  frames(ours);
  ours.rotate();
  const asked = frames(ours);
  assert.deepEqual(
    asked.map(({ sequence, prior }) => [sequence, prior]),
    [
      [3, 3],
      [4, 3],
      [5, 3],
    ],
  );
  const theirs = new PeerCids({ limit: 3 });
  theirs.initial(cid(0));
  for (const { sequence, prior, cid: id, token: proof } of asked) theirs.onNew(sequence, prior, id, proof);
  assert.equal(theirs.current.sequence, 3);
  assert.deepEqual(retirements(theirs), [0]);
});

test("an id of preferred_address has sequence number 1", () => {
  const ours = own();
  const preferred = ours.preferred();
  assert.deepEqual(preferred.token, tokens.of(preferred.cid));
  ours.setPeerLimit(3);
  ours.start();
  assert.deepEqual(
    frames(ours).map(({ sequence }) => sequence),
    [2],
  );
});

test("the peer's ids: fresh ones for other paths, back when retired, no more than the limit", () => {
  const theirs = new PeerCids({ limit: 3 });
  theirs.initial(cid(0));
  theirs.onNew(1, 0, cid(1), token(1));
  theirs.onNew(1, 0, cid(1), token(1));
  theirs.onNew(2, 0, cid(2), token(2));
  assert.throws(() => theirs.onNew(3, 0, cid(3), token(3)), refused("connection-id-limit"));
  const other = new PeerCids({ limit: 3 });
  other.initial(cid(0));
  other.onNew(1, 0, cid(1), token(1));
  assert.ok(other.hasFresh);
  const fresh = other.takeFresh();
  assert.equal(fresh?.sequence, 1);
  assert.equal(other.takeFresh(), undefined);
  other.use(1);
  other.retire(0);
  other.retire(1);
  assert.equal(other.current.sequence, 1);
  assert.deepEqual(retirements(other), [0]);
  other.lost(0);
  assert.deepEqual(retirements(other), [0]);
  other.acknowledged(0);
  other.lost(0);
  assert.equal(other.wants, false);
});

test("what comes after it was retired is given back unused (§5.1.2)", () => {
  const theirs = new PeerCids({ limit: 4 });
  theirs.initial(cid(0));
  theirs.onNew(3, 2, cid(3), token(3));
  assert.equal(theirs.current.sequence, 3);
  theirs.onNew(1, 0, cid(1), token(1));
  assert.deepEqual(retirements(theirs), [0, 1]);
  theirs.onNew(1, 0, cid(1), token(1));
  assert.equal(theirs.wants, false);
});

test("new ids that cannot be are refused", () => {
  const cases: readonly (readonly [string, Parameters<PeerCids["onNew"]>])[] = [
    ["malformed-frame", [1, 2, cid(1), token(1)]],
    ["malformed-frame", [2, 0, new Uint8Array(0), token(1)]],
    ["malformed-frame", [2, 0, new Uint8Array(21), token(1)]],
    ["connection-id-misuse", [1, 0, cid(9), token(1)]],
    ["connection-id-misuse", [2, 0, cid(1), token(1)]],
    ["connection-id-misuse", [1, 0, cid(1), token(9)]],
  ];
  for (const [reason, frame] of cases) {
    const theirs = new PeerCids({ limit: 4 });
    theirs.initial(cid(0));
    theirs.onNew(1, 0, cid(1), token(1));
    assert.throws(() => theirs.onNew(...frame), refused(reason), `${frame}`);
  }
  const empty = new PeerCids({ limit: 4 });
  empty.initial(new Uint8Array(0));
  assert.throws(() => empty.onNew(1, 0, cid(1), token(1)), refused("connection-id-misuse"));
});

test("a peer that retires without end, and acknowledges nothing, is stopped", () => {
  const theirs = new PeerCids({ limit: 2 });
  theirs.initial(cid(0));
  assert.throws(() => {
    for (let n = 1; n < 100; n++) theirs.onNew(n, n, cid(n), token(n));
  }, refused("connection-id-limit"));
});

test("only tokens of ids that were used end a connection (§10.3.1)", () => {
  const theirs = new PeerCids({ limit: 4 });
  theirs.initial(cid(0));
  theirs.setResetToken(token(0xa0));
  theirs.onNew(1, 0, cid(1), token(0xa1));
  const datagram = (n: number) => new Uint8Array([...new Uint8Array(25), ...token(n)]);
  assert.ok(theirs.isResetToken(datagram(0xa0)));
  assert.ok(!theirs.isResetToken(datagram(0xa1)), "not used yet");
  assert.ok(!theirs.isResetToken(new Uint8Array(15)));
  theirs.use(theirs.takeFresh()!.sequence);
  assert.ok(theirs.isResetToken(datagram(0xa1)));
  theirs.retire(0);
  assert.ok(!theirs.isResetToken(datagram(0xa0)), "retired");
});

test("tokens follow from the key and the id, and from nothing else", () => {
  const again = new ResetTokens(provider, new Secret(new Uint8Array(32).fill(9)));
  const other = new ResetTokens(provider, new Secret(new Uint8Array(32).fill(8)));
  assert.deepEqual(again.of(cid(5)), tokens.of(cid(5)));
  assert.ok(!equal(other.of(cid(5)), tokens.of(cid(5))));
  assert.ok(!equal(tokens.of(cid(6)), tokens.of(cid(5))));
  assert.equal(tokens.of(cid(5)).length, 16);
});

test("a load balancer finds the server in a routable id, with its key if there is one", () => {
  const serverId = utf8("srv7");
  const clear = routableCids({ rotation: 2, serverId, nonceSize: 6 });
  const id = new Uint8Array(clear.size);
  clear.generate(id, new Uint8Array(clear.size).fill(0xee));
  assert.equal(id[0], (2 << 5) | 10);
  assert.deepEqual(id.subarray(1, 5), serverId);
  const key = new Uint8Array(16).fill(3);
  const hidden = routableCids({ rotation: 1, serverId, nonceSize: 12, key, crypto: provider });
  const ids = [1, 2].map((n) => {
    const each = new Uint8Array(hidden.size);
    hidden.generate(each, new Uint8Array(hidden.size).fill(n));
    return each;
  });
  assert.ok(ids.every((each) => !equal(each.subarray(1, 5), serverId)));
  const decryptor = provider.cipher("AES-128-ECB").decryptor(key);
  for (const each of ids) {
    decryptor.apply(each, 1, 16, new Uint8Array(0));
    assert.deepEqual(each.subarray(1, 5), serverId);
  }
  for (const wrong of [
    { rotation: 7, serverId, nonceSize: 6 },
    { rotation: 0, serverId, nonceSize: 3 },
    { rotation: 0, serverId, nonceSize: 16 },
    { rotation: 0, serverId, nonceSize: 6, key, crypto: provider },
  ]) {
    assert.throws(() => routableCids(wrong), RangeError);
  }
  assert.throws(() => plainCids(21), RangeError);
});
