import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/index.js";
import type { SocketAddress } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import {
  type Datagram,
  type End,
  everySuite,
  inside,
  outside,
  pairOf,
  twoEnds,
  udpPacket,
} from "../support/esp-pair.js";
import { heapUsed } from "../support/heap-used.js";

const toB = (size = 60, port = 2_000) => udpPacket(inside.a[0], inside.b[0], size, [1_000, port]);
const toA = (size = 60, port = 2_000) => udpPacket(inside.b[1], inside.a[1], size, [1_000, port]);
const elsewhere: SocketAddress = { address: "203.0.113.66", port: 666 };

const dropped = ({ machine }: End): number => Object.values(machine.drops).reduce((all, each) => all + each, 0);
/** What an end has told and delivered so far, and where its peers are: an attack must not change it. */
const told = ({ events, packets, machine }: End): unknown => ({
  events: events.length,
  packets: packets.length,
  pairs: machine.status().map(({ receivedAt: _, ...each }) => each),
});

/** Attacks an end with each of these, of which every one must be counted and change nothing, and nobody be answered. */
function withstands(end: End, attacks: Iterable<Datagram>, now: number): void {
  const before = told(end);
  let count = dropped(end);
  for (const { bytes, from, to } of attacks) {
    const of = `${toHex(bytes.subarray(0, 16))}… of ${bytes.length} bytes`;
    end.machine.handle({ kind: "datagrams", bytes: bytes.slice(), from, to, segmentSize: 0, ecn: 0 }, now);
    assert.deepEqual(end.drain(now), [], of);
    assert.equal(dropped(end), ++count, of);
  }
  assert.deepEqual(told(end), before);
}

for (const { name, algorithms } of everySuite) {
  test(`${name}: any bit turned, any byte less or more, and a packet is counted as dropped and nothing else`, () => {
    const { a, b, now } = twoEnds({ algorithms, follows: true });
    for (const packet of [toB(0), toB(37)]) {
      const [datagram] = a.seal(packet, now);
      const { bytes } = datagram!;
      const attack = (changed: Uint8Array): Datagram => ({ ...datagram!, bytes: changed, from: elsewhere });
      function* turned(): Generator<Datagram> {
        for (let bit = 0; bit < 8 * bytes.length; bit++) {
          const changed = bytes.slice();
          changed[bit >> 3]! ^= 1 << (bit & 7);
          yield attack(changed);
        }
      }
      function* cut(): Generator<Datagram> {
        for (let size = 1; size < bytes.length + 40; size++) {
          if (size === bytes.length) continue;
          const changed = new Uint8Array(size);
          changed.set(bytes.subarray(0, size));
          yield attack(changed);
        }
      }
      withstands(b, turned(), now);
      withstands(b, cut(), now);
      b.receive(datagram!, now);
      assert.deepEqual(b.packets.at(-1), packet, "the true one");
    }
    assert.equal(b.packets.length, 2);
  });
}

test("every packet of a long life with five renewals comes again, to either end, from anywhere, and does nothing", () => {
  const { a, b, now: start } = twoEnds({ follows: true });
  const wire: Datagram[] = [];
  let now = start;
  for (let generation = 0; generation < 6; generation++) {
    if (generation > 0) {
      for (const [name, end] of Object.entries({ a, b }) as ["a" | "b", End][]) {
        const replaces = pairOf(name, { generation: generation - 1 }).spiIn;
        end.machine.handle({ kind: "install", pair: pairOf(name, { generation, replaces, follows: true }) }, now);
        end.machine.handle({ kind: "remove", spiIn: replaces, gently: true }, now);
      }
    }
    for (let i = 0; i < 50; i++) {
      for (const [from, to, packet] of [[a, b, toB(i)] as const, [b, a, toA(i)] as const]) {
        for (const datagram of from.seal(packet, now)) {
          wire.push(datagram);
          to.receive(datagram, now);
        }
      }
      now += 30;
    }
    // The old pair still lingers here; later it is gone.
    const again = [...wire, ...wire.toReversed().map((datagram) => ({ ...datagram, from: elsewhere }))];
    withstands(a, again, now);
    withstands(b, again, now);
    now += 10_000;
    for (const end of [a, b]) end.wake(now);
    withstands(a, again, now);
    withstands(b, again, now);
  }
  assert.equal(wire.length, 600);
  assert.deepEqual([a.packets.length, b.packets.length], [300, 300]);
  assert.equal(a.machine.status().length, 1);
});

test("a flood of forged packets from 100,000 sources, known SPIs and unknown: a transfer goes on, nobody is answered, memory is bounded", async () => {
  const { a, b, now } = twoEnds({ follows: true });
  const random = seededEntropy("flood").fill(new Uint8Array(1_000));
  const sources = 100_000;
  let [sent, memory] = [0, 0];
  const known = pairOf("b").spiIn;
  for (let i = 0; i < sources; i++) {
    const from = { address: `${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.7`, port: 1_024 + (i % 60_000) };
    const bytes = random.slice(i % 700, (i % 700) + 40 + (i % 200));
    const view = new DataView(bytes.buffer);
    // Every second one has our SPI, and a number that would move the window to its end.
    view.setUint32(0, i % 2 === 0 ? known : 0x0001_0000 + i);
    view.setUint32(4, 0xffff_ffff - i);
    b.machine.handle({ kind: "datagrams", bytes, from, to: outside.b, segmentSize: 0, ecn: 0 }, now);
    assert.equal(b.drain(now).length, 0);
    if (i % 100 === 0) {
      for (const datagram of a.seal(toB(60), now)) b.receive(datagram, now);
      for (const datagram of b.seal(toA(60), now)) a.receive(datagram, now);
      sent++;
      assert.equal(b.packets.length, 1);
      assert.equal(a.packets.length, 1);
      a.packets.length = b.packets.length = 0;
    }
    // What the first fifth has warmed up is no growth.
    if (i === sources / 5) memory = await heapUsed();
  }
  const grown = (await heapUsed()) - memory;
  assert.equal(b.machine.status()[0]!.packetsReceived, sent);
  assert.deepEqual([b.machine.drops["unknown-spi"], b.machine.drops["bad-tag"]], [sources / 2, sources / 2]);
  assert.equal(b.events.length, 0);
  assert.deepEqual(b.machine.status()[0]!.peer, outside.a);
  assert.ok(grown < 2 << 20, `${grown} bytes`);
});

test("one input full of forged packets is counted packet by packet, and the true ones between them come through", () => {
  const { a, b, now } = twoEnds();
  const size = a.seal(toB(), now)[0]!.bytes.length;
  const batch = new Uint8Array(64 * size);
  for (let i = 0; i < 64; i++) {
    const { bytes } = a.seal(toB(), now)[0]!;
    if (i % 2 === 0) bytes[size - 1]! ^= 1;
    batch.set(bytes, i * size);
  }
  b.machine.handle({ kind: "datagrams", bytes: batch, from: outside.a, to: outside.b, segmentSize: size, ecn: 0 }, now);
  b.drain(now);
  assert.equal(b.packets.length, 32);
  assert.equal(b.machine.drops["bad-tag"], 32);
});

for (const follows of [true, false]) {
  test(`a spoofed source moves nobody${follows ? ", though the pair follows" : ""}`, () => {
    const { a, b, now } = twoEnds({ follows });
    const [first, second, third, fourth] = [1, 2, 3, 4].map((i) => a.seal(toB(i), now)[0]!);
    b.receive(first!, now);
    // Not authentic; a copy; a keepalive, which anybody may send; something of IKE's.
    const forged = second!.bytes.slice();
    forged[forged.length - 1]! ^= 1;
    withstands(
      b,
      [forged, first!.bytes].map((bytes) => ({ bytes, from: elsewhere, to: outside.b })),
      now,
    );
    b.receive({ bytes: Uint8Array.of(0xff), from: elsewhere, to: outside.b }, now);
    b.receive({ bytes: new Uint8Array(40), from: elsewhere, to: outside.b }, now);
    // Authentic and held back: by now a later one has come from where the peer is.
    b.receive(third!, now);
    b.receive({ ...second!, from: elsewhere }, now);
    assert.equal(b.packets.length, 3);
    assert.deepEqual(b.machine.status()[0]!.peer, outside.a);
    assert.equal(b.told("moved").length, 0);
    assert.deepEqual(b.seal(toA(), now)[0]!.to, outside.a);
    // What is authentic and newest does, for whoever follows.
    b.receive({ ...fourth!, from: elsewhere }, now);
    assert.deepEqual(b.told("moved"), [{ kind: "moved", spiIn: pairOf("b").spiIn, from: outside.a, to: elsewhere }]);
    assert.deepEqual(b.seal(toA(), now)[0]!.to, follows ? elsewhere : outside.a);
  });
}

test("what is IKE's on the port piles up no further than its limit, and costs ESP nothing", () => {
  const { a, b, now } = twoEnds();
  const size = 32;
  const bytes = new Uint8Array(65_024);
  for (let i = 0; i < bytes.length; i += size) bytes[i + 8] = 1;
  b.machine.handle({ kind: "datagrams", bytes, from: elsewhere, to: outside.b, segmentSize: size, ecn: 0 }, now);
  b.drain(now);
  assert.equal(b.told("ike").length, 64);
  assert.equal(b.machine.drops["queue-full"], bytes.length / size - 64);
  for (const datagram of a.seal(toB(), now)) b.receive(datagram, now);
  assert.equal(b.packets.length, 1);
});
