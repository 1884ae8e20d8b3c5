import assert from "node:assert/strict";
import { test } from "node:test";
import { equal, fromHex, toHex, utf8 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { fieldPrime, finiteFields } from "../../src/crypto/finite-fields.js";
import { keyAgreementTypes } from "../../src/protocols/zrtp/algorithms.js";
import type { DropReason } from "../../src/protocols/zrtp/failure.js";
import { queuedMessagesMax } from "../../src/protocols/zrtp/limits.js";
import { frame, type MessageType } from "../../src/protocols/zrtp/messages/frame.js";
import { openPacket, putPacket } from "../../src/protocols/zrtp/messages/packet.js";
import { encodeError } from "../../src/protocols/zrtp/messages/short.js";
import { provider } from "../support/provider.js";
import { arriving, type End, otherEnd, type PairOptions, seen, ZrtpPair, zrtpEnd } from "../support/zrtp-pair.js";

const x255: PairOptions = { algorithms: { keyAgreements: ["X255"] } };
const ends = ["a", "b"] as const;
const dropsOf = (pair: ZrtpPair, end: End): Partial<Record<DropReason, number>> =>
  Object.fromEntries(Object.entries(pair.ends[end].drops).filter(([, count]) => count > 0));

/** The packet with another message in it, and a CRC that is right: whoever changes a packet can do that. */
function repacked(packet: Uint8Array, change: (message: Uint8Array) => Uint8Array): Uint8Array {
  const opened = openPacket(packet);
  assert.ok(typeof opened !== "string");
  const message = change(opened.message.slice());
  const bytes = new Uint8Array(message.length + 16);
  putPacket(bytes, opened.sequence, opened.ssrc, message);
  return bytes;
}

function packetOf(ssrc: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(message.length + 16);
  putPacket(bytes, 7, ssrc, message);
  return bytes;
}

/** b is the initiator, and a the responder: every message passes once. */
const honest = (): ZrtpPair => ZrtpPair.of(1, { ...x255, passive: true }, x255);
const flow = honest().run();
const messages = flow.sent.map(({ type, from }, index) => ({ type, from, index }));

test("a bit flipped in any message never gives two sides that believe in different things", () => {
  for (const { type, index } of messages) {
    const { packet } = flow.sent[index]!;
    const size = packet.length - 16;
    for (let bit = 0; bit < 8 * size; bit += type.endsWith("ACK") ? 1 : 13) {
      const pair = honest();
      pair.edit = (each, _from, _type, at) =>
        at === index
          ? repacked(each, (message) => {
              message[bit >> 3]! ^= 1 << (bit & 7);
              return message;
            })
          : each;
      pair.run();
      const [a, b] = ends.map((end) => pair.outcome(end));
      const where = `${type}, bit ${bit}`;
      if (a && b) {
        assert.equal(a.words!.text, b.words!.text, where);
        assert.deepEqual(
          [a.hash, a.cipher, a.authTag, a.keyAgreement],
          [b.hash, b.cipher, b.authTag, b.keyAgreement],
          where,
        );
        assert.ok(pair.find("a", "keys")!.send.key.equals(pair.find("b", "keys")!.receive.key), where);
      } else assert.ok(pair.failure("a") ?? pair.failure("b"), where);
    }
  }
});

test("a message that was changed on its way and lost is sent again, and the call is made", () => {
  for (const { type, index } of messages) {
    const pair = honest();
    // The line spoils it: the CRC says so.
    pair.edit = (packet, _from, _type, at) => {
      if (at === index) packet[20]! ^= 0x40;
      return packet;
    };
    pair.run();
    assert.ok(pair.outcome("a") && pair.outcome("b"), type);
    assert.equal(pair.outcome("a")!.words!.text, pair.outcome("b")!.words!.text);
    assert.equal(pair.ends.a.drops["bad-crc"] + pair.ends.b.drops["bad-crc"], 1);
  }
});

test("whatever was recorded of one call is of no use in another, nor a second time in the same", () => {
  const pair = honest();
  pair.run();
  const other = ZrtpPair.of(2, { ...x255, passive: true }, x255);
  other.run();
  for (const end of ends) {
    const words = pair.outcome(end)!.words!.text;
    const before = pair.events[end].length;
    for (const { packet, from } of [...other.sent, ...pair.sent, ...pair.sent]) {
      if (from !== end) pair.give(end, arriving(packet.slice(), from));
    }
    assert.equal(pair.events[end].length, before, "nothing is told");
    assert.equal(pair.outcome(end)!.words!.text, words);
    assert.ok(pair.ends[end].isSecure);
  }
});

test("false messages without the hash chain change nothing but counters, at every step", () => {
  const forged: readonly [MessageType, number][] = [
    ["HelloACK", 3],
    ["Commit", 29],
    ["Commit", 25],
    ["Commit", 27],
    ["DHPart1", 29],
    ["DHPart2", 29],
    ["Confirm1", 19],
    ["Confirm2", 19],
    ["GoClear", 5],
    ["ClearACK", 3],
    ["SASrelay", 19],
    ["RelayACK", 3],
    ["ErrorACK", 3],
    ["PingACK", 9],
  ];
  for (const [type, words] of forged) {
    for (let after = 0; after <= messages.length; after++) {
      const pair = honest();
      const forge = (end: End): void => {
        const message = frame(type, (writer) => writer.put(new Uint8Array(4 * words - 12).fill(0x41)));
        for (const ssrc of [pair.ends[otherEnd(end)].ssrc, 0x41414141])
          pair.give(end, arriving(packetOf(ssrc, message), otherEnd(end)));
      };
      pair.edit = (packet, _from, _type, at) => {
        if (at === after) for (const end of ends) forge(end);
        return packet;
      };
      pair.run();
      // A false HelloACK stops our Hello before the peer has heard it, if it names its source: nothing proves one.
      if (type === "HelloACK") continue;
      assert.ok(
        pair.outcome("a") && pair.outcome("b"),
        `${type} after ${after}: ${pair.failure("a")} ${pair.failure("b")}`,
      );
      assert.equal(pair.outcome("a")!.words!.text, pair.outcome("b")!.words!.text);
    }
  }
});

test("a forged Error ends nothing: the peer's next message belies it, and once it is secure nobody listens", () => {
  for (const { index } of messages) {
    const pair = honest();
    pair.delayMs = 10;
    pair.edit = (packet, _from, _type, at) => {
      if (at === index)
        for (const end of ends)
          pair.give(end, arriving(packetOf(pair.ends[otherEnd(end)].ssrc, encodeError(0x20)), otherEnd(end)));
      return packet;
    };
    pair.run();
    assert.ok(pair.outcome("a") && pair.outcome("b"), `after ${index}`);
  }
  // One that nobody belies counts.
  const pair = honest();
  pair.edit = (packet, from, type) =>
    from === "a" && type === "DHPart1"
      ? packetOf(pair.ends.a.ssrc, encodeError(0x51))
      : from === "a" && type === "Error"
        ? undefined
        : packet;
  pair.run();
  assert.deepEqual(
    [pair.failure("b")?.reason, pair.failure("b")?.byPeer, pair.failure("b")?.code],
    ["unsupported-hash", true, 0x51],
  );
});

test("a forged GoClear is dropped, and no side ever says that it would obey one", () => {
  const pair = honest().run();
  const { ssrc } = pair.ends.b;
  const forged = frame("GoClear", (writer) => writer.put(new Uint8Array(8)));
  pair.give("a", arriving(packetOf(ssrc, forged), "b"));
  assert.deepEqual([pair.ends.a.drops["bad-clear-mac"], pair.warnings("a")], [1, []]);
  assert.equal(pair.ends.a.isSecure, true);
  // No Confirm ever allows it.
  assert.ok(pair.sent.every(({ type }) => type !== "ClearACK"));
});

/** A man in the middle who has the hash chain's preimages as they pass, and so can make the MACs right again. */
function resealed(packet: Uint8Array, key: Uint8Array, change: (message: Uint8Array) => void): Uint8Array {
  return repacked(packet, (message) => {
    change(message);
    const mac = provider
      .hash("SHA-256")
      .hmac(key)
      .compute(message.subarray(0, message.length - 8));
    message.set(mac.subarray(0, 8), message.length - 8);
    return message;
  });
}

/** Public values that give a secret which everybody knows, or none. */
const badValues = (keyAgreement: "X255" | "X448" | "DH2k" | "DH3k" | "EC25" | "EC38"): readonly Uint8Array[] => {
  const { agreement, valueSize: size } = keyAgreementTypes[keyAgreement];
  const ofHex = (hex: string): Uint8Array => fromHex(hex.padStart(2 * size, "0"));
  if (agreement === "modp2048" || agreement === "modp3072") {
    const prime = fieldPrime(finiteFields[agreement]);
    return [0n, 1n, prime - 1n, prime, prime + 1n].map((value) => ofHex(value.toString(16)));
  }
  const little = (value: bigint): Uint8Array => ofHex(value.toString(16)).reverse();
  // Points of order 1, 2, 4 and 8 (RFC 7748 §7).
  if (agreement === "X25519") {
    const p = 2n ** 255n - 19n;
    const eight = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800";
    return [little(0n), little(1n), little(p - 1n), little(p), little(p + 1n), fromHex(eight)];
  }
  if (agreement === "X448") return [0n, 1n, 2n ** 448n - 2n ** 224n - 2n].map(little);
  const off = new Uint8Array(size).fill(5);
  return [ofHex("0"), ofHex("1"), off, new Uint8Array(size).fill(0xff)];
};

for (const keyAgreement of ["X255", "X448", "DH2k", "DH3k", "EC25", "EC38"] as const) {
  test(`${keyAgreement}: public values that give no secret are refused`, () => {
    for (const value of badValues(keyAgreement)) {
      const options: PairOptions = { algorithms: { keyAgreements: [keyAgreement], ciphers: ["AES3"] } };
      const pair = ZrtpPair.of(keyAgreement, { ...options, passive: true }, options);
      pair.edit = (packet, _from, type) =>
        type === "DHPart1"
          ? repacked(packet, (message) => {
              message.set(value, 12 + 32 + 32);
              return message;
            })
          : packet;
      pair.run();
      assert.equal(pair.failure("b")?.reason, "bad-public-value", toHex(value));
      assert.deepEqual([pair.failure("a")?.code, pair.failure("a")?.byPeer], [0x61, true]);
      assert.equal(pair.outcome("b"), undefined);
    }
  });
}

test("another DHPart2 than was committed to is a man in the middle, and told as one", () => {
  const pair = honest();
  pair.edit = (packet, _from, type) =>
    type === "DHPart2"
      ? repacked(packet, (message) => {
          message[12 + 32 + 32]! ^= 1;
          return message;
        })
      : packet;
  pair.run();
  assert.deepEqual([pair.failure("a")?.reason, pair.failure("a")?.fault], ["bad-commitment", "authentication"]);
  assert.equal(pair.outcome("a") ?? pair.outcome("b"), undefined);
});

test("bidding down: algorithms taken out of a Hello or out of a Commit come to light before there are keys", () => {
  const both: PairOptions = { algorithms: { keyAgreements: ["X255", "DH2k"], hashes: ["S384", "S256"] } };
  for (const [type, from] of [
    ["Hello", "a"],
    ["Hello", "b"],
    ["Commit", "b"],
  ] as const) {
    const pair = ZrtpPair.of(1, { ...both, passive: true }, both);
    pair.edit = (packet, by, each) =>
      each === type && by === from
        ? repacked(packet, (message) => {
            const at = message.findIndex((_, i) => equal(message.subarray(i, i + 4), utf8("S384")));
            assert.ok(at > 0);
            message.set(utf8("S256"), at);
            return message;
          })
        : packet;
    pair.run();
    assert.equal(pair.outcome("a") ?? pair.outcome("b"), undefined, `${type} of ${from}`);
    const reasons = ends.map((end) => pair.failure(end)?.reason);
    const isFound = reasons.some((each) => each === "bad-message-mac" || each === "bad-commitment");
    assert.ok(isFound, `${type} of ${from}: ${reasons.join()}`);
  }
});

test("a Commit whose MAC was made anew for a changed content is found by total_hash: no side confirms", () => {
  const pair = honest();
  // The attacker cannot know H1 before DHPart2 shows it; given it all the same, the keys still differ.
  const other = honest();
  other.run();
  const h1 = seen(other.sent.find(({ type }) => type === "DHPart2")!.packet).message.slice(12, 44);
  pair.edit = (packet, _from, type) =>
    type === "Commit" ? resealed(packet, h1, (message) => message.set(utf8("B256"), 12 + 32 + 12 + 16)) : packet;
  pair.run();
  assert.equal(pair.outcome("a") ?? pair.outcome("b"), undefined);
  assert.equal(pair.failure("b")?.reason, "bad-confirm");
});

test("a Hello that signalling did not promise is not taken, however many come, and the promised one is", () => {
  const a = zrtpEnd(1, "a", x255);
  const b = zrtpEnd(1, "b", { ...x255, signalled: a.helloHash });
  const pair = new ZrtpPair({ a, b });
  b.handle({ kind: "opened" }, pair.now);
  for (let i = 0; i < 50; i++) {
    const stranger = zrtpEnd(`stranger ${i}`, "a", x255);
    stranger.handle({ kind: "opened" }, pair.now);
    const buffer = new Uint8Array(4096);
    const { size } = stranger.transmit(buffer)!;
    pair.give("b", arriving(buffer.slice(0, size), "a"));
  }
  assert.equal(b.drops["not-signalled"], 50);
  pair.run();
  assert.ok(pair.outcome("b")?.signalled && pair.outcome("a"));
});

test("a flood of Hellos, each of another, costs a bounded number of answers and of look-ups, and no key pair", () => {
  const pair = honest();
  const b = pair.ends.b;
  b.handle({ kind: "opened" }, pair.now);
  let questions = 0;
  let answers = 0;
  const buffer = new Uint8Array(4096);
  for (let i = 0; i < 500; i++) {
    const stranger = zrtpEnd(`flood ${i}`, "a", x255);
    stranger.handle({ kind: "opened" }, pair.now);
    const { size } = stranger.transmit(buffer)!;
    b.handle(arriving(buffer.slice(0, size), "a"), pair.now);
    while (b.transmit(buffer)) answers++;
    while (b.event()) questions++;
  }
  assert.ok(questions <= 8, `${questions}`);
  assert.ok(answers <= 501, `${answers}: at most one small HelloACK for each, and our Hello`);
  assert.ok(b.drops.unexpected > 400);
});

test("nobody from another address is answered before anything was proved, and what waits to be sent is bounded", () => {
  const pair = honest();
  const { b } = pair.ends;
  b.handle({ kind: "opened" }, pair.now);
  const buffer = new Uint8Array(4096);
  b.transmit(buffer);
  const stranger = zrtpEnd("stranger", "a", x255);
  stranger.handle({ kind: "opened" }, pair.now);
  const hello = buffer.slice(0, stranger.transmit(buffer)!.size);
  hello.set(buffer.subarray(0, hello.length));
  b.handle(arriving(hello, "a", { address: "203.0.113.9", port: 5004 }), pair.now);
  assert.equal(b.transmit(buffer), undefined);
  assert.equal(b.drops["unknown-source"], 1);
  // Without being drained it keeps a few.
  for (let i = 0; i < 100; i++) b.handle(arriving(hello.slice(), "a"), pair.now);
  let sent = 0;
  while (b.transmit(buffer)) sent++;
  assert.ok(sent <= queuedMessagesMax, `${sent}`);
});

test("our own packets come back to us: the ZID says so, and no key is agreed on with oneself", () => {
  const a = zrtpEnd(1, "a", x255);
  const pair = new ZrtpPair({ a, b: zrtpEnd(1, "b", x255) });
  pair.edit = (packet, from) => {
    if (from === "a") pair.give("a", arriving(packet.slice(), "b"));
    return undefined;
  };
  pair.run();
  assert.equal(pair.failure("a")?.reason, "equal-zids");
});

test("another version: a higher one is ignored, a lower one is told so and given up in the end", () => {
  for (const [version, reason] of [
    ["2.00", "no-answer"],
    ["1.00", "unsupported-version"],
  ] as const) {
    const pair = honest();
    pair.edit = (packet, from, type) =>
      from === "a" && type === "Hello"
        ? repacked(packet, (message) => {
            message.set(utf8(version), 12);
            return message;
          })
        : from === "a"
          ? undefined
          : packet;
    pair.run();
    assert.equal(pair.failure("b")?.reason, reason);
    assert.ok(pair.ends.b.drops["unsupported-version"] > 0);
    assert.ok(
      pair.sent.some(({ from, type }) => from === "b" && type === "HelloACK"),
      "a HelloACK in any case",
    );
  }
});

test("a nonce that was used before ends the further stream: its keys would be those of another", () => {
  const call = ZrtpPair.of(1, { algorithms: { keyAgreements: ["X255", "Mult"] } });
  call.run();
  const [a, b] = ends.map((end) => call.ends[end].association!);
  const options = (association: typeof a, passive: boolean): PairOptions => ({
    algorithms: { keyAgreements: ["X255", "Mult"] },
    association: association!,
    passive,
  });
  const make = () => ZrtpPair.of("same seed", options(a, true), options(b, false));
  const first = make();
  first.run();
  assert.ok(first.outcome("a"));
  const second = make();
  second.run();
  assert.equal(second.failure("b")?.reason, "nonce-reuse");
  assert.equal(second.outcome("a") ?? second.outcome("b"), undefined);
});

test("a relayed SAS is shown only if a trusted PBX sends it: anybody else's is dropped", () => {
  const pair = honest().run();
  const relay = frame("SASrelay", (writer) => writer.put(new Uint8Array(64)));
  pair.give("a", arriving(packetOf(pair.ends.b.ssrc, relay), "b"));
  assert.equal(pair.ends.a.drops["bad-relay-mac"], 1);
  assert.equal(pair.find("a", "relayed"), undefined);
  assert.deepEqual(dropsOf(pair, "b"), {});
});

test("secrets do not print", () => {
  const secret = new Secret(new Uint8Array(32).fill(0xab));
  const pair = ZrtpPair.of(1, { ...x255, auxiliary: secret });
  pair.run();
  assert.ok(!JSON.stringify(pair.events).includes("abab"));
  assert.ok(!JSON.stringify(pair.events).includes("171,171,171"));
});
