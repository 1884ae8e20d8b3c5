import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../../../../src/bytes/index.js";
import { Secret } from "../../../../src/contract/index.js";
import type { Algorithms } from "../../../../src/protocols/zrtp/algorithms.js";
import type { RetainedSecrets } from "../../../../src/protocols/zrtp/cache.js";
import { answerBurst } from "../../../../src/protocols/zrtp/limits.js";
import { frame } from "../../../../src/protocols/zrtp/messages/frame.js";
import { putPacket } from "../../../../src/protocols/zrtp/messages/packet.js";
import type { End, PairOptions } from "../../../support/zrtp-pair.js";
import { arriving, seen, ZrtpPair, zidOf, zrtpEnd } from "../../../support/zrtp-pair.js";

const x255: Partial<Algorithms> = { keyAgreements: ["X255", "Mult"] };
const preshared: Partial<Algorithms> = { keyAgreements: ["X255", "Prsh"] };
const ends = ["a", "b"] as const;
const secret = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));
const entry = (fields: Partial<RetainedSecrets> = {}): RetainedSecrets => ({
  rs1: secret(1),
  rs2: secret(2),
  pbx: undefined,
  verified: false,
  expiresAt: undefined,
  ...fields,
});

/** Both are secure, with the same words, and the keys of each are the other's. */
function agreed(pair: ZrtpPair): void {
  const [a, b] = ends.map((end) => pair.outcome(end));
  assert.ok(a && b, `${pair.failure("a")} ${pair.failure("b")}`);
  assert.notEqual(a.role, b.role);
  assert.equal(a.words?.text, b.words?.text);
  const [mine, theirs] = ends.map((end) => pair.find(end, "keys")!);
  assert.ok(mine!.send.key.equals(theirs!.receive.key) && mine!.receive.key.equals(theirs!.send.key));
  assert.equal(toHex(mine!.send.salt), toHex(theirs!.receive.salt));
  assert.ok(!mine!.send.key.equals(mine!.receive.key));
}

for (const keyAgreement of ["DH2k", "X255", "EC25", "X448", "DH3k", "EC38", "EC52"] as const) {
  test(`${keyAgreement}: two ends agree, whoever is the initiator`, () => {
    for (const passive of ends) {
      const algorithms: Partial<Algorithms> = { keyAgreements: [keyAgreement] };
      const pair = ZrtpPair.of(
        keyAgreement,
        { algorithms, passive: passive === "a" },
        { algorithms, passive: passive === "b" },
      );
      agreed(pair.run());
      assert.equal(pair.outcome(passive)!.role, "responder");
      assert.equal(pair.outcome("a")!.keyAgreement, keyAgreement);
      assert.ok(pair.now > 0 && pair.sent.every(({ at }) => at === pair.sent[0]!.at), "without a retransmission");
    }
  });
}

test("one flow of messages: Hello, HelloACK, Commit, DHPart1, DHPart2, Confirm1, Confirm2, Conf2ACK", () => {
  const pair = ZrtpPair.of(1, { algorithms: x255, passive: true }, { algorithms: x255 }).run();
  agreed(pair);
  assert.deepEqual(
    pair.sent.map(({ from, type }) => `${from} ${type}`),
    [
      "a Hello",
      "b Hello",
      "b HelloACK",
      "a HelloACK",
      "b Commit",
      "a DHPart1",
      "b DHPart2",
      "a Confirm1",
      "b Confirm2",
      "a Conf2ACK",
    ],
  );
});

test("two Commits at once: the same side yields for both, whichever it is, and its key pair serves again", () => {
  const roles = new Set<string>();
  for (let seed = 0; seed < 12; seed++) {
    const pair = ZrtpPair.of(seed, { algorithms: x255 });
    pair.delayMs = 5;
    agreed(pair.run());
    assert.equal(pair.sent.filter(({ type }) => type === "Commit").length, 2);
    roles.add(pair.outcome("a")!.role);
  }
  assert.deepEqual([...roles].sort(), ["initiator", "responder"]);
});

test("the keys of every call are new, and so are the words", () => {
  const words = [1, 2, 3, 4].map((seed) => ZrtpPair.of(seed, { algorithms: x255 }).run().outcome("a")!.words!.text);
  assert.equal(new Set(words).size, 4);
});

test("retained secrets: none, matched, recovered from the one before, and a mismatch that waits for the words", () => {
  const options: PairOptions = { algorithms: x255, cached: true };
  const call = (seed: number, a: RetainedSecrets | undefined, b: RetainedSecrets | undefined): ZrtpPair => {
    const pair = ZrtpPair.of(seed, options);
    pair.retained.a = a;
    pair.retained.b = b;
    agreed(pair.run());
    return pair;
  };
  const first = call(1, undefined, undefined);
  assert.equal(first.outcome("a")!.continuity, "none");
  const { a, b } = first.retained;
  assert.ok(a!.rs1!.equals(b!.rs1!) && a!.rs2 === undefined && !a!.verified && a!.expiresAt === undefined);

  const second = call(2, a, b);
  assert.deepEqual(
    ends.map((end) => second.outcome(end)!.continuity),
    ["matched", "matched"],
  );
  assert.ok(second.retained.a!.rs2!.equals(a!.rs1!));
  assert.ok(!second.retained.a!.rs1!.equals(a!.rs1!));

  // b has missed the end of the second call: its rs1 is what a has as rs2 (RFC 6189 §4.6.1).
  const third = call(3, second.retained.a, b);
  assert.deepEqual(
    ends.map((end) => third.outcome(end)!.continuity),
    ["matched", "matched"],
  );

  // b has lost everything: a is warned, and keeps what it had.
  const fourth = call(4, third.retained.a, undefined);
  assert.deepEqual(
    ends.map((end) => fourth.outcome(end)!.continuity),
    ["mismatch", "none"],
  );
  assert.deepEqual([fourth.warnings("a"), fourth.warnings("b")], [["cache-mismatch"], []]);
  assert.equal(fourth.find("a", "retain"), undefined);
  assert.ok(fourth.find("b", "retain"));
  fourth.give("a", { kind: "compared", same: true });
  assert.ok(fourth.retained.a!.rs1!.equals(fourth.retained.b!.rs1!) && fourth.retained.a!.verified);
});

test("words that were compared count in the next call, for whoever compared them, and V tells the peer", () => {
  const options: PairOptions = { algorithms: x255, cached: true, asksWords: true };
  const pair = ZrtpPair.of(1, options);
  pair.words.a = true;
  agreed(pair.run());
  assert.ok(pair.find("a", "verified"));
  const next = ZrtpPair.of(2, options);
  Object.assign(next.retained, pair.retained);
  agreed(next.run());
  const [a, b] = ends.map((end) => next.outcome(end)!);
  assert.deepEqual([a!.verified, a!.peerVerified, b!.verified, b!.peerVerified], [true, false, false, true]);
  const asked = (end: End) =>
    next.events[end].some((event) => event.kind === "question" && event.question.kind === "words");
  assert.deepEqual([asked("a"), asked("b")], [false, true]);
});

test("words that differ end the call, and what it would have left is forgotten", () => {
  const pair = ZrtpPair.of(1, { algorithms: x255, cached: true });
  agreed(pair.run());
  pair.give("a", { kind: "compared", same: false });
  assert.equal(pair.failure("a")?.reason, "words-differ");
  assert.equal(pair.retained.a, undefined);
  assert.equal(pair.ends.a.isSecure, false);
});

test("cache expiration: the shorter interval counts, 0 keeps nothing, and what has expired is no alarm", () => {
  const algorithms = x255;
  const short = ZrtpPair.of(1, { algorithms, cached: true, expirationSeconds: 60 }, { algorithms, cached: true });
  agreed(short.run(0));
  for (const end of ends) assert.equal(short.retained[end]!.expiresAt, short.now + 60_000);
  const none = ZrtpPair.of(2, { algorithms, cached: true }, { algorithms });
  agreed(none.run());
  assert.deepEqual([none.retained.a, none.retained.b], [undefined, undefined]);
  const stale = ZrtpPair.of(3, { algorithms, cached: true });
  stale.retained.a = entry({ expiresAt: stale.now - 1 });
  agreed(stale.run());
  assert.deepEqual(stale.warnings("a"), []);
});

test("who lets nobody in without the retained secret ends the key agreement", () => {
  const pair = ZrtpPair.of(1, { algorithms: x255, cached: true, onMismatch: "refuse" }, { algorithms: x255 });
  pair.retained.a = entry();
  pair.run();
  assert.equal(pair.failure("a")?.reason, "cache-mismatch");
  assert.equal(pair.failure("b")?.byPeer, true);
  assert.equal(pair.outcome("b")?.words, undefined);
});

test("Preshared mode: no Diffie-Hellman where the words were compared before, and rs1 is new afterwards", () => {
  for (const auxiliary of [undefined, secret(9)]) {
    const options: PairOptions = { algorithms: preshared, cached: true, ...(auxiliary && { auxiliary }) };
    const pair = ZrtpPair.of(1, options);
    pair.retained.a = entry({ verified: true });
    pair.retained.b = entry({ verified: true });
    agreed(pair.run());
    assert.equal(pair.outcome("a")!.keyAgreement, "Prsh");
    assert.ok(!pair.sent.some(({ type }) => type.startsWith("DHPart")));
    assert.equal(pair.outcome("a")!.continuity, "matched");
    const { a, b } = pair.retained;
    assert.ok(a!.rs1!.equals(b!.rs1!) && !a!.rs1!.equals(secret(1)) && a!.rs2!.equals(secret(2)));
  }
});

test("Preshared mode is not used on words that nobody compared, nor where it is not named", () => {
  for (const [algorithms, verified] of [
    [preshared, false],
    [x255, true],
  ] as const) {
    const pair = ZrtpPair.of(1, { algorithms, cached: true });
    pair.retained.a = entry({ verified });
    pair.retained.b = entry({ verified });
    agreed(pair.run());
    assert.equal(pair.outcome("a")!.keyAgreement, "X255");
  }
});

test("a Preshared Commit whose secret we do not have is answered by our own Commit, or by an Error if we are passive", () => {
  for (const passive of [false, true]) {
    const pair = ZrtpPair.of(
      1,
      { algorithms: preshared, cached: true },
      { algorithms: preshared, cached: true, passive },
    );
    // b has nothing to begin with itself, and hears a's Commit first.
    pair.retained.a = entry({ verified: true });
    pair.edit = (packet, from, type) => (from === "a" && type === "HelloACK" ? undefined : packet);
    pair.run();
    if (passive) {
      assert.equal(pair.failure("b")?.reason, "no-shared-secret");
      assert.equal(pair.failure("a")?.reason, "no-shared-secret");
    } else {
      agreed(pair);
      assert.equal(pair.outcome("b")!.role, "initiator");
      assert.equal(pair.outcome("b")!.keyAgreement, "X255");
    }
  }
});

test("auxiliary secrets: one that both have goes into the keys, one that differs is told", () => {
  const both = ZrtpPair.of(1, { algorithms: x255, auxiliary: secret(5) });
  agreed(both.run());
  assert.deepEqual(
    ends.map((end) => both.outcome(end)!.auxiliary),
    ["matched", "matched"],
  );
  const without = ZrtpPair.of(1, { algorithms: x255 }).run();
  assert.notEqual(both.outcome("a")!.words!.text, without.outcome("a")!.words!.text);
  const differ = ZrtpPair.of(1, { algorithms: x255, auxiliary: secret(5) }, { algorithms: x255, auxiliary: secret(6) });
  agreed(differ.run());
  assert.deepEqual([differ.warnings("a"), differ.warnings("b")], [["auxiliary-mismatch"], ["auxiliary-mismatch"]]);
});

test("an SRTP key of signalling becomes the auxiliary secret, whoever is the initiator (§8.2)", () => {
  const key = (byte: number) => ({
    key: new Secret(new Uint8Array(16).fill(byte)),
    salt: new Uint8Array(14).fill(byte),
  });
  for (const passive of ends) {
    const side = (end: End, byte: number): PairOptions => ({
      algorithms: x255,
      signalledKey: key(byte),
      passive: passive === end,
    });
    const same = ZrtpPair.of(1, side("a", 1), side("b", 1));
    agreed(same.run());
    assert.deepEqual(
      ends.map((end) => same.outcome(end)!.auxiliary),
      ["matched", "matched"],
    );
    const other = ZrtpPair.of(1, side("a", 1), side("b", 2));
    agreed(other.run());
    assert.deepEqual(
      ends.map((end) => other.outcome(end)!.auxiliary),
      ["mismatch", "mismatch"],
    );
  }
});

test("further streams of a call need no agreement and have keys of their own, in both directions of beginning", () => {
  const call = ZrtpPair.of(1, { algorithms: x255 });
  agreed(call.run());
  const [a, b] = ends.map((end) => call.ends[end].association!);
  const keys = new Set<string>([toHex(call.find("a", "keys")!.send.key.expose())]);
  for (const passive of ends) {
    const stream = ZrtpPair.of(
      `stream ${passive}`,
      { algorithms: x255, association: a!, passive: passive === "a" },
      { algorithms: x255, association: b!, passive: passive === "b" },
    );
    agreed(stream.run());
    assert.equal(stream.outcome("a")!.keyAgreement, "Mult");
    assert.equal(stream.outcome("a")!.words, undefined);
    assert.ok(!stream.sent.some(({ type }) => type.startsWith("DHPart")));
    assert.equal(stream.ends.a.exportKey("label", 32), undefined);
    keys.add(toHex(stream.find("a", "keys")!.send.key.expose()));
  }
  assert.equal(keys.size, 3);
  call.give("a", { kind: "close" });
  assert.equal(a!.session, undefined, "the call is over");
  const late = ZrtpPair.of("late", { algorithms: x255, association: a! }, { algorithms: x255, association: b! });
  late.run();
  assert.equal(late.outcome("a"), undefined);
});

test("exported keys: the same on both sides, one for each label, and none before it is secure", () => {
  const pair = ZrtpPair.of(1, { algorithms: { ...x255, hashes: ["S256"] } });
  assert.equal(pair.ends.a.exportKey("one", 32), undefined);
  agreed(pair.run());
  const [a, b] = ends.map((end) => toHex(pair.ends[end].exportKey("one", 32)!));
  assert.equal(a, b);
  assert.notEqual(toHex(pair.ends.a.exportKey("two", 32)!), a);
  assert.notEqual(toHex(pair.ends.a.exportKey("one", 32, new Uint8Array(1))!), a);
  assert.equal(pair.ends.a.exportKey("one", 33), undefined);
});

test("media from the responder are as good as its Conf2ACK", () => {
  const pair = ZrtpPair.of(1, { algorithms: x255 }, { algorithms: x255, passive: true });
  pair.edit = (packet, _, type) => (type === "Conf2ACK" ? undefined : packet);
  pair.run(100);
  assert.equal(pair.ends.a.isSecure, false);
  assert.ok(pair.find("a", "keys"), "and what it protects may come");
  pair.give("a", { kind: "media" });
  agreed(pair);
});

test("both passive, nothing in common, nobody there: each is a failure that says so", () => {
  const reasonOf = (a: PairOptions, b: PairOptions, alone = false): string[] => {
    const pair = ZrtpPair.of(1, a, b);
    if (alone) pair.edit = () => undefined;
    pair.run();
    return ends.map((end) => pair.failure(end)?.reason ?? "none");
  };
  const only = (fields: Partial<Algorithms>): PairOptions => ({ algorithms: { ...x255, ...fields } });
  assert.deepEqual(reasonOf({ passive: true }, { passive: true }), ["both-passive", "both-passive"]);
  assert.deepEqual(reasonOf({}, {}, true), ["no-answer", "no-answer"]);
  // What is mandatory is in every Hello, listed or not; who does not list it does not use it.
  for (const [fields, reason] of [
    [{ hashes: ["S384"] }, "unsupported-hash"],
    [{ ciphers: ["AES3"] }, "unsupported-cipher"],
    [{ authTags: ["HS32"] }, "unsupported-auth-tag"],
    [{ keyAgreements: ["X448"] }, "unsupported-key-agreement"],
    [{ sas: ["B256"] }, "unsupported-sas"],
  ] as const) {
    const narrow = { hashes: ["S256"], ciphers: ["AES1"], authTags: ["HS80"], sas: ["B32"] } as const;
    assert.ok(reasonOf(only(fields), only(narrow)).includes(reason), reason);
  }
});

test("only one side waits for the other's Hello, and it takes the peer from there", () => {
  const waiting = new ZrtpPair({ a: zrtpEnd(1, "a"), b: zrtpEnd(1, "b", { waits: true }) });
  agreed(waiting.run());
  const b = zrtpEnd(1, "b", { waits: true });
  b.handle({ kind: "opened" }, 0);
  assert.deepEqual([b.transmit(new Uint8Array(4096)), b.deadline()], [undefined, undefined]);
});

test("Error: one that counts is acknowledged, and told once the peer has not belied it", () => {
  const pair = ZrtpPair.of(1, { algorithms: x255, cached: true, onMismatch: "refuse" }, { algorithms: x255 });
  pair.retained.a = entry();
  pair.run();
  const errors = pair.sent.filter(({ type }) => type === "Error");
  assert.equal(errors.length, 1, "ErrorACK stops it");
  assert.ok(pair.sent.some(({ type }) => type === "ErrorACK"));
  assert.ok(pair.find("a", "ending"), "told at once to our own side");
});

test("Ping is answered with both endpoint hashes and the source that asked, so many a second", () => {
  const pair = ZrtpPair.of(1, { algorithms: x255 });
  agreed(pair.run());
  const ping = frame("Ping", (writer) => writer.put(utf8("1.10")).put(fromHex("0011223344556677")));
  const packet = new Uint8Array(ping.length + 16);
  putPacket(packet, 1, 0xcafe, ping);
  const before = pair.sent.length;
  for (let i = 0; i < 100; i++) pair.give("a", arriving(packet.slice(), "b"));
  const answers = pair.sent.slice(before);
  assert.equal(answers.length, answerBurst);
  const { type, message } = seen(answers[0]!.packet);
  assert.equal(type, "PingACK");
  const expected = `${toHex(utf8("1.10"))}${toHex(zidOf("a").subarray(0, 8))}00112233445566770000cafe`;
  assert.equal(toHex(message.subarray(12)), expected);
  assert.equal(pair.ends.a.drops["rate-limited"], 100 - answerBurst);
});

test("bad options are the caller's mistake", () => {
  for (const options of [
    { zid: new Uint8Array(11) },
    { ssrc: -1 },
    { algorithms: { hashes: [] } },
    { auxiliary: new Secret(new Uint8Array()) },
    { expirationSeconds: 2 ** 32 },
  ] satisfies PairOptions[]) {
    assert.throws(() => zrtpEnd(1, "a", options), { reason: "bad-configuration", fault: "misuse" });
  }
});
