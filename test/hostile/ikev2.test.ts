import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import { type IkeConnection, ikeId, ikeProposal } from "../../src/protocols/ikev2/index.js";
import { readChain } from "../../src/protocols/ikev2/wire/payloads.js";
import {
  addresses,
  connectionOf,
  type Flying,
  IkePair,
  meet,
  other,
  type PairOptions,
  type Side,
} from "../support/ike-pair.js";

const sides = ["initiator", "responder"] as const;
/** A whole life: made, both renewed, ended. */
const live = (options: PairOptions = {}): IkePair => {
  const pair = new IkePair(options).connect().run();
  const child = pair.pairs("initiator")[0];
  if (child) pair.give("initiator", { kind: "rekey-child", spiIn: child.spiIn }).run();
  pair.give("responder", { kind: "rekey", ike: 1 }).run();
  return pair.give("initiator", { kind: "disconnect", ike: 1 }).run();
};
const honest = live();

/** What both believe must be the same, whatever was done to the messages. */
function consistent(pair: IkePair, where: string): void {
  for (const ours of pair.pairs("initiator")) {
    for (const theirs of pair.pairs("responder")) {
      if (ours.spiOut === theirs.spiIn && ours.spiIn === theirs.spiOut) assert.ok(meet(ours, theirs), where);
    }
  }
}

test("a bit flipped in any message is without effect, or ends it", () => {
  for (const [index, { bytes }] of honest.sent.entries()) {
    for (let bit = 32; bit < 8 * bytes.length; bit += 61) {
      const pair = new IkePair();
      let count = 0;
      pair.meddle = (packet) => {
        if (count++ !== index) return [packet];
        const changed = packet.bytes.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        return [{ ...packet, bytes: changed }];
      };
      pair.connect().run(120_000);
      const child = pair.pairs("initiator")[0];
      if (child) pair.give("initiator", { kind: "rekey-child", spiIn: child.spiIn }).run(60_000);
      consistent(pair, `message ${index}, bit ${bit}`);
      // Established on both sides, or told as failed: nobody waits for ever.
      assert.ok(
        pair.of("initiator", "established").length + pair.of("initiator", "closed").length > 0,
        `${index} ${bit}`,
      );
    }
  }
});

test("every prefix of every message is dropped", () => {
  for (const { bytes, from } of honest.sent) {
    for (let size = 0; size < bytes.length; size += 7) {
      const pair = new IkePair().connect();
      const before = pair.sent.length;
      pair.deliver(other(from), bytes.subarray(0, size));
      assert.equal(pair.sent.length, before);
    }
  }
});

test("whatever is replayed changes nothing, and is answered as before or not at all", () => {
  const pair = new IkePair().connect().run();
  const recorded = [...pair.sent];
  const [told, sent] = [pair.events.responder.length, pair.sent.length];
  for (let round = 0; round < 3; round++) for (const { bytes, from } of recorded) pair.deliver(other(from), bytes);
  pair.run();
  assert.equal(pair.events.responder.length, told);
  assert.equal(pair.events.initiator.length, told);
  const known = new Set(recorded.map(({ bytes }) => toHex(bytes)));
  for (const { bytes } of pair.sent.slice(sent)) {
    // IKE_SA_INIT that comes again is a stranger's once more; all else is word for word what was said.
    assert.ok(known.has(toHex(bytes)) || bytes[4 + 18] === 34);
  }
});

/** Many first messages, each with an SPI of its own. */
function firstMessages(count: number): readonly Uint8Array[] {
  const pair = new IkePair({ seed: "flood" });
  for (let i = 0; i < count; i++) pair.connect();
  return pair.sent.map(({ bytes }) => bytes).slice(0, count);
}

test("a flood from spoofed sources leaves a bounded table, and gets no more than it sent", () => {
  const pair = new IkePair();
  let [came, went] = [0, 0];
  for (const [i, bytes] of firstMessages(300).entries()) {
    const before = pair.sent.length;
    came += bytes.length;
    pair.deliver("responder", bytes, { address: `203.0.${i >> 6}.${i & 255}`, port: 4_500 });
    for (const { bytes: answer } of pair.sent.slice(before)) went += answer.length;
  }
  assert.ok(pair.responder.status().length <= 33, `${pair.responder.status().length}`);
  assert.ok(pair.responder.drops["cookie-wanted"] > 200);
  assert.ok(went <= came, `${went} for ${came}`);
  // A friend still gets in, by a cookie.
  pair.connect().run();
  assert.equal(pair.of("responder", "established").length, 1);
  // And what never went on is forgotten.
  pair.run(60_000);
  assert.equal(pair.responder.status().length, 1);
});

test("one address has few halves", () => {
  const pair = new IkePair({ config: { responder: { cookies: "never" } } });
  for (const bytes of firstMessages(40)) pair.deliver("responder", bytes, { address: "203.0.113.9", port: 4_500 });
  assert.equal(pair.responder.status().length, 8);
  assert.equal(pair.responder.drops["rate-limited"], 32);
});

test("a cookie is good for its address, port, SPI and nonce, and not for long", () => {
  const config = { responder: { cookies: "always" as const } };
  const pair = new IkePair({ config });
  const held: Flying[] = [];
  pair.meddle = (packet) => {
    if (packet.from === "initiator") held.push(packet);
    return packet.from === "initiator" && held.length === 2 ? [] : [packet];
  };
  pair.connect().run(200);
  const second = held[1]!.bytes;
  for (const from of [
    { address: "203.0.113.1", port: 4_500 },
    { ...addresses.initiator, port: 4_501 },
  ]) {
    pair.deliver("responder", second, from);
  }
  assert.equal(pair.responder.status().length, 0);
  pair.now += 121_000;
  pair.deliver("responder", second);
  assert.equal(pair.responder.status().length, 0);
  assert.ok(pair.responder.drops["cookie-wanted"] >= 4);
});

test("an identity without its secret, another's identity, another's network", () => {
  const wrong = { kind: "psk", secret: new Secret(new Uint8Array(16).fill(7)) } as const;
  const cases: readonly [Partial<IkeConnection>, string][] = [
    [{ local: wrong }, "authentication-refused"],
    [{ remoteAuthentication: wrong }, "authentication-failed"],
    [{ localId: ikeId("mallory.test") }, "authentication-refused"],
    [{ remoteId: ikeId("other.test") }, "authentication-refused"],
    [{ proposals: [ikeProposal("aes256-sha384-modp2048")] }, "established"],
    [{ proposals: [ikeProposal("aes192-sha1-modp4096")] }, "no-proposal-chosen"],
  ];
  for (const [initiator, reason] of cases) {
    const pair = new IkePair({ initiator }).connect().run();
    const event = pair.of("initiator", "closed")[0];
    assert.equal(event?.failure.reason ?? "established", reason);
    if (reason !== "established") assert.equal(pair.of("initiator", "child").length, 0);
  }
});

test("traffic that nobody wants is no child, and the IKE SA lives on", () => {
  const [lan] = connectionOf("responder").children;
  const pair = new IkePair({ responder: { children: [{ ...lan!, local: lan!.remote, remote: lan!.local }] } })
    .connect()
    .run();
  assert.equal(pair.of("initiator", "child-failed")[0]?.failure.reason, "ts-unacceptable");
  assert.equal(pair.of("initiator", "established").length, 1);
});

test("errors of a stranger on the way do not end an established IKE SA", () => {
  const pair = new IkePair().connect().run();
  const [first] = pair.sent;
  const spis = first!.bytes.slice(4, 12);
  for (let exchange = 34; exchange < 38; exchange++) {
    for (const flags of [0x20, 0x00]) {
      const bytes = new Uint8Array(36);
      bytes.set(spis);
      bytes.set([41, 0x20, exchange, flags, 0, 0, 0, 2, 0, 0, 0, 36, 0, 0, 0, 8, 0, 0, 0, 24], 16);
      for (const side of sides) pair.deliver(side, bytes);
    }
  }
  pair.run(60_000);
  for (const side of sides) assert.deepEqual(pair.of(side, "closed"), []);
});

test("IKE SAs that both renew at once end as one, and so do children", () => {
  for (let seed = 0; seed < 8; seed++) {
    const pair = new IkePair({ seed }).connect().run();
    for (const side of sides) pair[side].handle({ kind: "rekey-child", spiIn: pair.pairs(side)[0]!.spiIn }, pair.now);
    for (const side of sides) pair.drain(side);
    pair.run(40_000);
    for (const side of sides) pair[side].handle({ kind: "rekey", ike: 1 }, pair.now);
    for (const side of sides) pair.drain(side);
    pair.run(60_000);
    const status = sides.map((side) => pair[side].status());
    for (const each of status) {
      assert.equal(each.length, 1, `seed ${seed}`);
      assert.equal(each[0]!.children.length, 1, `seed ${seed}`);
    }
    assert.deepEqual(status[0]![0]!.spiInitiator, status[1]![0]!.spiInitiator);
    assert.equal(status[0]![0]!.children[0]!.spiIn, status[1]![0]!.children[0]!.spiOut);
    for (const side of sides) {
      pair.give(side, { kind: "rekey-child", spiIn: pair[side].status()[0]!.children[0]!.spiIn }).run();
      assert.equal(pair[side].status()[0]!.children.length, 1);
    }
  }
});

test("lost, repeated and late messages come to the same", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const pair = new IkePair({ seed });
    let random = seed * 7_919;
    const late: Flying[] = [];
    pair.meddle = (packet) => {
      random = (random * 1_103_515_245 + 12_345) & 0x7fff_ffff;
      const fate = random >> 16;
      if (fate % 20 < 3) return [];
      if (fate % 20 < 5) return [packet, packet];
      if (fate % 20 < 7) {
        late.push(packet);
        return [];
      }
      return [packet, ...late.splice(0)];
    };
    pair.connect().run(40_000);
    const child = pair.pairs("initiator")[0];
    assert.ok(child, `seed ${seed}`);
    pair.give("initiator", { kind: "rekey-child", spiIn: child.spiIn }).run(60_000);
    pair.give("responder", { kind: "rekey", ike: 1 }).run(60_000);
    consistent(pair, `seed ${seed}`);
    pair.meddle = (packet) => [packet];
    pair.run(60_000);
    const [a, b] = sides.map((side: Side) => pair[side].status());
    assert.deepEqual(
      a!.map(({ spiInitiator }) => toHex(spiInitiator)),
      b!.map(({ spiInitiator }) => toHex(spiInitiator)),
      `seed ${seed}`,
    );
    assert.equal(a![0]?.children[0]?.spiIn, b![0]?.children[0]?.spiOut, `seed ${seed}`);
  }
});

test("payloads with wrong counts, lengths and sizes do not parse", () => {
  const bad = [
    "00000003",
    "00000010 ffff",
    "28000004",
    "00000008 01000001",
    "0000000c 00000008 01010000",
    "00000014 00000010 01010402 00000000 00000000",
  ];
  for (const [i, type] of [33, 33, 40, 44, 33, 33].entries()) {
    assert.throws(() => readChain(fromHex(bad[i]!), 0, type), { name: "DecodeError" }, bad[i]);
  }
});
