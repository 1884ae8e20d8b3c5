import assert from "node:assert/strict";
import { test } from "node:test";
import type { CryptoProvider } from "../../src/contract/index.js";
import { handshakesPerSecondMax, outgoingMessagesMax } from "../../src/protocols/wireguard/limits.js";
import { heapUsed } from "../support/heap-used.js";
import { provider } from "../support/provider.js";
import { type Datagram, type End, Pair, toA, toB } from "../unit/wireguard/pair.js";

const initiation = 1;
const response = 2;
const cookieReply = 3;
const transport = 4;

/** What an end has told and delivered so far; an attack must not change it. */
const told = ({ events, packets, machine }: End): unknown => ({
  events: events.filter(({ kind }) => kind !== "retrying").length,
  packets: packets.length,
  endpoint: machine.status()[0]?.endpoint,
  handshakes: machine.status()[0]?.handshakes,
});

/** Makes B want cookies by handshake messages that are right up to mac1, until its next idle second. */
function load(pair: Pair, message: Datagram, count = handshakesPerSecondMax + 1): void {
  for (let i = 0; i < count; i++) {
    pair.b.receive({ ...message, from: { address: `198.51.${i >> 8}.${i & 255}`, port: 1_000 } }, pair.now);
  }
  pair.b.drain(pair.now);
}

/** One message of each type as it is about to arrive, with the world as it was then. */
function waiting(type: number): { pair: Pair; message: Datagram; to: End } {
  const pair = new Pair({ preSharedKey: true });
  let held: Datagram | undefined;
  pair.filter = (datagram) => {
    if (datagram.bytes[0] !== type || held !== undefined) return held === undefined;
    held = datagram;
    return false;
  };
  if (type === cookieReply) {
    const other = new Pair({ preSharedKey: true });
    other.send(other.a, toB());
    load(pair, other.wire.find(({ bytes }) => bytes[0] === initiation)!);
  }
  pair.send(pair.a, toB(100));
  assert.ok(held !== undefined, `a message of type ${type}`);
  pair.filter = () => true;
  return { pair, message: held, to: held.from === pair.a.address ? pair.b : pair.a };
}

for (const [name, type] of Object.entries({ initiation, response, cookieReply, transport })) {
  test(`every byte of a message counts: ${name}`, () => {
    const { pair, message, to } = waiting(type);
    const before = told(to);
    const wire = pair.wire.length;
    for (let at = 0; at < message.bytes.length; at++) {
      // mac2 is empty and is not looked at without load (§5.4.4).
      if ((type === initiation || type === response) && at >= message.bytes.length - 16) break;
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = message.bytes.slice();
        bytes[at]! ^= flip;
        for (const end of [to, to === pair.a ? pair.b : pair.a]) end.receive({ ...message, bytes }, pair.now);
        pair.settle();
      }
    }
    assert.deepEqual(told(to), before);
    assert.equal(pair.wire.length, wire, "nobody answers");
    // The true one still does what it should.
    to.receive(message, pair.now);
    pair.settle();
    if (type === cookieReply) pair.advance(6_000);
    assert.deepEqual(pair.b.packets, [toB(100)]);
  });

  test(`a message cut short or made longer counts for nothing: ${name}`, () => {
    const { pair, message, to } = waiting(type);
    const before = told(to);
    for (let size = 0; size < message.bytes.length + 40; size++) {
      if (size === message.bytes.length) continue;
      const bytes = new Uint8Array(size);
      bytes.set(message.bytes.subarray(0, size));
      to.receive({ ...message, bytes }, pair.now);
      pair.settle();
    }
    assert.deepEqual(told(to), before);
    to.receive(message, pair.now);
    pair.settle();
    if (type === cookieReply) pair.advance(6_000);
    assert.deepEqual(pair.b.packets, [toB(100)]);
  });
}

test("every message of a long session comes again, to either end, from anywhere, and does nothing", () => {
  const pair = new Pair({ preSharedKey: true, keepaliveMs: 25_000 });
  const other = new Pair({ preSharedKey: true });
  other.send(other.a, toB());
  for (let i = 0; i < 40; i++) {
    // Some handshakes are answered by a cookie first.
    if (i % 10 === 5) load(pair, other.wire.find(({ bytes }) => bytes[0] === initiation)!);
    pair.send(pair.a, toB(100, i)).send(pair.b, toA(100, i)).advance(13_000);
  }
  const types = new Set(pair.wire.map(({ bytes }) => bytes[0]));
  assert.deepEqual(types, new Set([initiation, response, transport]));
  pair.advance(2_000);
  const before = [told(pair.a), told(pair.b)];
  const replayed = [...pair.wire];
  const answers = pair.wire.length;
  for (const datagram of [...replayed, ...replayed.reverse()]) {
    for (const end of [pair.a, pair.b]) {
      end.receive(datagram, pair.now);
      end.receive({ ...datagram, from: { address: "203.0.113.66", port: 666 } }, pair.now);
    }
    pair.settle();
    pair.now += 1;
  }
  assert.deepEqual([told(pair.a), told(pair.b)], before);
  assert.equal(pair.wire.length, answers, "nobody answers");
  pair.send(pair.a, toB(60, 1)).send(pair.b, toA(60, 2));
  assert.deepEqual(pair.b.packets.at(-1), toB(60, 1));
  assert.deepEqual(pair.a.packets.at(-1), toA(60, 2));
});

test("a cookie reply comes again and does nothing", () => {
  const { pair, message } = waiting(cookieReply);
  pair.a.receive(message, pair.now);
  assert.equal(pair.a.machine.drops["bad-tag"], 0);
  pair.a.receive(message, pair.now);
  assert.equal(pair.a.machine.drops["bad-tag"], 1);
});

/** Counts Diffie-Hellman, the dear part of a handshake. */
function counting(): { crypto: CryptoProvider; readonly agreements: number } {
  let agreements = 0;
  const crypto: CryptoProvider = Object.create(provider, {
    agreement: {
      value: (name: Parameters<CryptoProvider["agreement"]>[0]) => {
        const agreement = provider.agreement(name);
        return {
          ...agreement,
          name,
          initiate: agreement.initiate.bind(agreement),
          respond: agreement.respond.bind(agreement),
          conclude: (...args: Parameters<typeof agreement.conclude>) => {
            agreements++;
            return agreement.conclude(...args);
          },
        };
      },
    },
  });
  return {
    crypto,
    get agreements() {
      return agreements;
    },
  };
}

test("a flood of handshakes from 100,000 spoofed sources: a transfer goes on, a newcomer gets in, work and memory are bounded", async () => {
  const counted = counting();
  const pair = new Pair({ b: { crypto: counted.crypto } });
  pair.send(pair.a, toB());
  // Right up to mac1, for whoever knows the public key can make that; and one that is not.
  const stranger = new Pair();
  stranger.filter = () => false;
  stranger.send(stranger.a, toB());
  const right = stranger.wire.find(({ bytes }) => bytes[0] === initiation)!.bytes;
  const wrong = right.slice();
  wrong[20]! ^= 1;
  const sources = 100_000;
  const seconds = 20;
  let memory = 0;
  const agreements = counted.agreements;
  pair.b.packets.length = pair.a.packets.length = pair.wire.length = 0;
  let [sent, bytesIn, bytesOut] = [0, 0, 0];
  for (let i = 0; i < sources; i++) {
    const from = { address: `${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.7`, port: 1_024 + (i % 60_000) };
    const bytes = i % 10 === 9 ? wrong : right;
    bytesIn += bytes.length;
    pair.b.receive({ bytes, from, to: pair.b.address }, pair.now);
    for (const reply of pair.b.drain(pair.now)) {
      assert.deepEqual(reply.to, from);
      bytesOut += reply.bytes.length;
    }
    if (i % 50 === 0) {
      pair.send(pair.a, toB(1_000, sent)).send(pair.b, toA(1_000, sent));
      sent++;
    }
    // What the first fifth has warmed up is no growth.
    if (i === sources / 5) memory = await heapUsed();
    // In the middle the peers renew their keys, by way of a cookie.
    if (i === sources / 2) pair.a.machine.handle({ kind: "initiate", publicKey: pair.b.machine.publicKey }, pair.now);
    if (i % 50 === 25) pair.wire.length = 0;
    pair.advance((seconds * 1_000) / sources);
  }
  assert.equal(pair.b.packets.length, sent);
  assert.equal(pair.a.packets.length, sent);
  assert.ok(pair.b.machine.status()[0]!.handshakes >= 2, "the renewal came through");
  assert.ok(bytesOut < bytesIn / 2, "no amplification");
  const { drops } = pair.b.machine;
  assert.equal(drops["bad-mac1"], sources / 10);
  // Before load is noticed, a handshake costs B two agreements until its static key is known not to be right.
  const work = counted.agreements - agreements;
  assert.ok(work <= 2 * (handshakesPerSecondMax + 1) + 16, `${work} agreements`);
  pair.b.packets.length = pair.a.packets.length = pair.wire.length = 0;
  const grown = (await heapUsed()) - memory;
  assert.ok(grown < 4 << 20, `${grown} bytes`);
});

test("a flood that nobody can be answered, because the port is blocked, does not pile up", () => {
  const pair = new Pair();
  pair.filter = () => false;
  pair.send(pair.a, toB());
  const message = pair.wire.find(({ bytes }) => bytes[0] === initiation)!;
  for (let i = 0; i < 5_000; i++) {
    pair.b.receive({ ...message, from: { address: `198.51.${i >> 8}.${i & 255}`, port: 9 } }, pair.now);
  }
  assert.ok(pair.b.drain(pair.now).length <= outgoingMessagesMax);
});

test("initiations of one peer that follow each other too closely are a flood", () => {
  const pair = new Pair();
  for (let i = 0; i < 10; i++) {
    const again = new Pair();
    again.now = pair.now + i;
    again.send(again.a, toB());
    pair.now += 1;
    pair.b.receive(again.wire[0]!, pair.now);
  }
  assert.equal(pair.b.drain(pair.now).length, 1);
  assert.ok(pair.b.machine.drops["initiation-flood"] + pair.b.machine.drops["replayed-initiation"] >= 9);
});
