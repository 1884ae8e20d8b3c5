import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, parseAddress, parsePrefix, toHex } from "../../../../src/bytes/index.js";
import { Failure, Secret } from "../../../../src/contract/index.js";
import { seededEntropy } from "../../../../src/crypto/index.js";
import { Inbound } from "../../../../src/protocols/esp/inbound.js";
import {
  Encryption,
  type EspAlgorithms,
  espSuite,
  Integrity,
  selectorOf,
} from "../../../../src/protocols/esp/index.js";
import { replayWindowSize } from "../../../../src/protocols/esp/limits.js";
import { Outbound } from "../../../../src/protocols/esp/outbound.js";
import { putU32 } from "../../../../src/protocols/esp/packet.js";
import { opening, sealing } from "../../../../src/protocols/esp/protection.js";
import { wholeSequence } from "../../../../src/protocols/esp/sequence.js";
import {
  type Datagram,
  End,
  everySuite,
  gcm,
  inside,
  outside,
  pairOf,
  twoEnds,
  udpPacket,
} from "../../../support/esp-pair.js";
import { provider } from "../../../support/provider.js";

const sizes = [0, 1, 2, 3, 4, 13, 14, 15, 16, 17, 500, 1_300];
const cbc = { encryption: Encryption.aesCbc, keyBits: 256, integrity: Integrity.hmacSha256, isExtended: false };

for (const { name, algorithms } of everySuite) {
  test(`${name}: packets of both families and every residue go both ways`, () => {
    const { a, b, now } = twoEnds({ algorithms });
    const sent = sizes.flatMap((size) => [0, 1].map((i) => udpPacket(inside.a[i]!, inside.b[i]!, size)));
    for (const packet of sent) for (const datagram of a.seal(packet, now)) b.receive(datagram, now);
    assert.deepEqual(b.packets.map(toHex), sent.map(toHex));
    const back = udpPacket(inside.b[0], inside.a[0], 77);
    for (const datagram of b.seal(back, now)) a.receive(datagram, now);
    assert.deepEqual(a.packets.map(toHex), [toHex(back)]);
    assert.ok(Object.values(b.machine.drops).every((count) => count === 0));
  });
}

for (const mode of ["udp", "none"] as const) {
  test(`transport mode, encapsulation ${mode}: headers come back, and checksums are right for the ends' addresses`, () => {
    for (const family of [0, 1]) {
      const [own, other] = [inside.a[family]!, inside.b[family]!];
      const a = new End("a");
      const b = new End("b");
      const now = 1_000;
      const ends = { local: parseAddress(own)!, remote: parseAddress(other)! };
      a.machine.handle({ kind: "install", pair: pairOf("a", { mode: "transport", encapsulation: mode, ends }) }, now);
      // Behind a NAT: here the peer is known by another address than it knows itself by.
      const seen = family === 0 ? "203.0.113.9" : "2001:db8::9";
      const known = { local: ends.remote, remote: mode === "udp" ? parseAddress(seen)! : ends.local };
      const pair = pairOf("b", { mode: "transport", encapsulation: mode, ends: known });
      b.machine.handle({ kind: "install", pair }, now);
      for (const size of [0, 1, 40, 1_301]) for (const d of a.seal(udpPacket(own, other, size), now)) b.receive(d, now);
      const source = mode === "udp" ? seen : own;
      const expected = [0, 1, 40, 1_301].map((size) => toHex(udpPacket(source, other, size)));
      assert.deepEqual(b.packets.map(toHex), expected);
    }
  });
}

test("a fragment cannot go by transport mode", () => {
  const { a, now } = twoEnds({ mode: "transport" });
  const packet = udpPacket(inside.a[0], inside.b[0], 64);
  packet[6] = 0x20;
  assert.deepEqual(a.seal(packet, now), []);
  assert.equal(a.machine.drops.fragment, 1);
});

test("a batch is sealed side by side, and opened where it lies", () => {
  const waiting = Array.from({ length: 100 }, () => udpPacket(inside.a[0], inside.b[0], 1_000));
  const source = {
    pull: (into: Uint8Array, at: number): number => {
      const packet = waiting.pop();
      if (packet === undefined) return 0;
      into.set(packet, at);
      return packet.length;
    },
  };
  const { a, b, now } = twoEnds({}, { source });
  const buffer = new Uint8Array(65_535);
  let count = 0;
  for (let t = a.machine.transmit(buffer, now); t; t = a.machine.transmit(buffer, now)) {
    count++;
    const bytes = buffer.slice(0, t.size);
    b.machine.handle(
      { kind: "datagrams", bytes, from: outside.a, to: outside.b, segmentSize: t.segmentSize ?? 0, ecn: 0 },
      now,
    );
    const event = b.machine.event();
    assert.ok(event?.kind === "packets" && event.bytes === bytes && event.count > 1);
    b.packets.push(
      ...Array.from({ length: event.count }, (_, i) => bytes.slice(event.ranges[2 * i], event.ranges[2 * i + 1])),
    );
    assert.equal(b.machine.event(), undefined);
  }
  assert.ok(count <= 3, `${count} batches`);
  assert.equal(b.packets.length, 100);
});

test("each packet is taken once, within the window's reach and no further", () => {
  const { a, b, now } = twoEnds();
  const reach = replayWindowSize - 32;
  const packet = udpPacket(inside.a[0], inside.b[0], 8);
  const all = Array.from({ length: reach + 3 }, () => a.seal(packet, now)[0]!);
  b.receive(all.at(-1)!, now);
  b.receive(all[2]!, now);
  assert.equal(b.packets.length, 1, "just out of reach");
  b.receive(all[3]!, now);
  assert.equal(b.packets.length, 2, "the oldest that is known to be new");
  for (const datagram of all) b.receive(datagram, now);
  assert.equal(b.packets.length, reach);
  for (const datagram of all) b.receive(datagram, now);
  assert.equal(b.packets.length, reach);
  assert.equal(b.machine.drops.replayed, 1 + (all.length - reach + 2) + all.length);
});

test("a forged number moves no window", () => {
  const { a, b, now } = twoEnds();
  const packet = udpPacket(inside.a[0], inside.b[0], 8);
  const [first, second] = [a.seal(packet, now)[0]!, a.seal(packet, now)[0]!];
  const forged = { ...first, bytes: first.bytes.slice() };
  forged.bytes.fill(0xff, 4, 8);
  b.receive(forged, now);
  b.receive(first, now);
  b.receive(second, now);
  assert.equal(b.packets.length, 2);
  assert.equal(b.machine.drops["bad-tag"], 1);
});

test("the upper half of a number follows from the window (RFC 4303, appendix A2.2)", () => {
  const g = 2 ** 32;
  const cases: readonly (readonly [low: number, greatest: number, whole: number])[] = [
    [1, -1, 1],
    [5, 1, 5],
    [200, 150, 200],
    // The window lies in one subspace: what is below it is of the next.
    [100, 1_000, g + 100],
    [937, 1_000, 937],
    [0, g - 1, g],
    [3, g - 1, g + 3],
    // The window spans two.
    [g - 1, g + 5, g - 1],
    [g - 58, g + 5, g - 58],
    [g - 59, g + 5, 2 * g - 59],
    [6, g + 5, g + 6],
    [7, 5 * g + 1_000, 6 * g + 7],
  ];
  for (const [low, greatest, whole] of cases)
    assert.equal(wholeSequence(low, greatest, 64), whole, `${low} at ${greatest}`);
  // Before the first number there is none.
  assert.ok(wholeSequence(g - 1, 5, 64) < 0);
});

/** Seals whatever it is given, as a stranger might who has the keys. */
function stranger(algorithms: EspAlgorithms): (payload: Uint8Array, nextHeader: number) => Datagram {
  const { keysOut, spiOut } = pairOf("a", { algorithms });
  const outbound = new Outbound(spiOut, sealing(provider, seededEntropy("stranger"), espSuite(algorithms)!, keysOut));
  return (payload, nextHeader) => {
    const bytes = new Uint8Array(outbound.roomMax + payload.length);
    bytes.set(payload, outbound.head);
    const size = outbound.seal(bytes, 0, payload.length, nextHeader);
    return { bytes: bytes.subarray(0, size), from: outside.a, to: outside.b };
  };
}

for (const algorithms of [gcm, cbc]) {
  test(`what hides a packet's size, and packets made to be thrown away, disturb nobody (${algorithms.encryption})`, () => {
    const { b, now } = twoEnds({ algorithms });
    const seal = stranger(algorithms);
    const packet = udpPacket(inside.a[0], inside.b[0], 30);
    const padded = new Uint8Array(1_200).fill(0x5a);
    padded.set(packet);
    b.receive(seal(padded, 4), now);
    assert.deepEqual(b.packets.map(toHex), [toHex(packet)]);
    b.receive(seal(padded, 59), now);
    b.receive(seal(new Uint8Array(0), 59), now);
    assert.equal(b.machine.drops.dummy, 2);
    // Of another version than the header says, of another protocol, and cut short.
    for (const [payload, nextHeader] of [
      [packet, 41],
      [packet, 17],
      [packet.subarray(0, 40), 4],
      [new Uint8Array(0), 4],
    ] as const) {
      b.receive(seal(payload, nextHeader), now);
    }
    assert.equal(b.machine.drops["not-ip"], 4);
    assert.equal(b.packets.length, 1);
  });
}

test("padding that is not RFC 4303's is refused, though authentic", () => {
  const algorithms = { ...cbc, encryption: Encryption.null, keyBits: undefined };
  const { b, now } = twoEnds({ algorithms });
  const { keysOut, spiOut } = pairOf("a", { algorithms });
  const protection = sealing(provider, seededEntropy("stranger"), espSuite(algorithms)!, keysOut);
  const packet = udpPacket(inside.a[0], inside.b[0], 8);
  let sequence = 0;
  const receive = (...behind: readonly number[]): void => {
    const bytes = new Uint8Array(256);
    const size = packet.length + behind.length;
    putU32(bytes, 0, spiOut);
    putU32(bytes, 4, ++sequence);
    bytes.set(packet, 8);
    bytes.set(behind, 8 + packet.length);
    protection.seal(bytes, 0, size, sequence);
    b.receive({ bytes: bytes.subarray(0, 8 + size + protection.tail), from: outside.a, to: outside.b }, now);
  };
  receive(1, 2, 2, 4);
  receive(1, 2, 3, 4, 5, 6, 6, 4);
  assert.equal(b.packets.length, 2);
  receive(1, 3, 2, 4);
  receive(0, 0, 2, 4);
  receive(1, 2, 255, 4);
  assert.equal(b.machine.drops["bad-padding"], 3);
  assert.equal(b.packets.length, 2);
});

test("RFC 7634's packet is opened (appendix A)", () => {
  const algorithms = {
    encryption: Encryption.chaCha20Poly1305,
    keyBits: undefined,
    integrity: Integrity.none,
    isExtended: false,
  };
  const bytes = Uint8Array.from({ length: 36 }, (_, i) => 0x80 + i);
  const inbound = new Inbound(
    0x01020304,
    opening(provider, espSuite(algorithms)!, { encryption: new Secret(bytes), integrity: undefined }),
    false,
  );
  const packet = fromHex(
    "0102030400000005101112131415161724039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb" +
      "61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7" +
      "b11b369907e1ad43",
  );
  const payload = { at: 0, size: 0, nextHeader: 0, isNewest: false };
  assert.equal(inbound.open(packet, 0, packet.length, payload), undefined);
  assert.equal(payload.nextHeader, 4);
  assert.equal(
    toHex(packet.subarray(payload.at, payload.at + payload.size)),
    "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b1c" +
      "1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
  );
});

test("extended numbers go on beyond 2^32", () => {
  const algorithms = { ...gcm, isExtended: true };
  const { keysIn, keysOut, spiIn } = { ...pairOf("a", { algorithms }), keysIn: pairOf("b", { algorithms }).keysIn };
  const suite = espSuite(algorithms)!;
  const outbound = new Outbound(spiIn, sealing(provider, seededEntropy("x"), suite, keysOut));
  const inbound = new Inbound(spiIn, opening(provider, suite, keysIn), true);
  outbound.packets = 2 ** 32 - 3;
  const sealed = Array.from({ length: 6 }, () => {
    const bytes = new Uint8Array(outbound.roomMax + 8);
    return bytes.subarray(0, outbound.seal(bytes, 0, 8, 4));
  });
  const payload = { at: 0, size: 0, nextHeader: 0, isNewest: false };
  // Its window has to be there already: nobody finds a half turn by one packet.
  for (const low of [2 ** 31, 2 ** 32 - 1_000]) {
    outbound.packets = low - 1;
    const bytes = new Uint8Array(outbound.roomMax + 8);
    assert.equal(inbound.open(bytes, 0, outbound.seal(bytes, 0, 8, 4), payload), undefined);
  }
  for (const each of sealed.toReversed()) assert.equal(inbound.open(each.slice(), 0, each.length, payload), undefined);
  for (const each of sealed) assert.equal(inbound.open(each.slice(), 0, each.length, payload), "replayed");
});

test("what an association is not for is neither sent nor delivered", () => {
  const only = (text: string, more = {}) => [selectorOf(parsePrefix(text)!, more)];
  const udp = { protocol: 17, startPort: 2_000, endPort: 2_001 };
  const { a, b, now } = twoEnds();
  const narrow = pairOf("b", { generation: 1, local: only("10.0.0.2/32", udp), remote: only("10.0.0.0/30") });
  b.machine.handle({ kind: "install", pair: narrow }, now);
  a.machine.handle({ kind: "remove", spiIn: pairOf("a").spiIn }, now);
  a.machine.handle({ kind: "install", pair: pairOf("a", { generation: 1 }) }, now);
  const tries: readonly (readonly [from: string, to: string, port: number, arrives: boolean])[] = [
    ["10.0.0.1", "10.0.0.2", 2_000, true],
    ["10.0.0.1", "10.0.0.2", 2_001, true],
    ["10.0.0.1", "10.0.0.2", 1_999, false],
    ["10.0.0.1", "10.0.0.2", 2_002, false],
    ["10.0.0.4", "10.0.0.2", 2_000, false],
    ["10.0.0.1", "10.0.0.3", 2_000, false],
    ["fd00::1", "fd00::2", 2_000, false],
  ];
  for (const [from, to, port, arrives] of tries) {
    const before = b.packets.length;
    for (const d of a.seal(udpPacket(from, to, 9, [7, port]), now)) b.receive(d, now);
    assert.equal(b.packets.length - before, arrives ? 1 : 0, `${from} to ${to}:${port}`);
  }
  assert.equal(b.machine.drops["selector-mismatch"], 5);
  // A later fragment shows no ports.
  const fragment = udpPacket("10.0.0.1", "10.0.0.2", 64, [7, 2_000]);
  fragment[7] = 4;
  for (const d of a.seal(fragment, now)) b.receive(d, now);
  assert.equal(b.machine.drops["selector-mismatch"], 6);
  // And outwards the first pair is for everything, so it is taken away first.
  b.machine.handle({ kind: "remove", spiIn: pairOf("b").spiIn }, now);
  assert.equal(b.seal(udpPacket("10.0.0.2", "10.0.0.1", 9, [2_000, 7]), now).length, 1);
  assert.equal(b.seal(udpPacket("10.0.0.2", "10.0.0.1", 9, [1_999, 7]), now).length, 0);
  assert.equal(b.machine.drops["no-association"], 1);
});

test("KE: soft limits ask for keys once, hard ones end the pair, by bytes, packets and seconds", () => {
  const packet = udpPacket(inside.a[0], inside.b[0], 72);
  for (const [limit, soft, hard] of [
    ["bytes", { bytes: 300 }, { bytes: 500 }],
    ["packets", { packets: 3 }, { packets: 5 }],
  ] as const) {
    const { a, b, now } = twoEnds({ lifetime: { soft, hard } });
    for (let i = 0; i < 8; i++) for (const d of a.seal(packet, now)) b.receive(d, now);
    for (const end of [a, b]) {
      assert.deepEqual(
        end.events.map(({ kind, ...rest }) => [kind, "limit" in rest && rest.limit]),
        [
          ["expiring", limit],
          ["expired", limit],
        ],
      );
      assert.equal(end.machine.status().length, 0);
    }
    assert.equal(b.packets.length, 5);
  }
  const { a, now } = twoEnds({ lifetime: { soft: { seconds: 10 }, hard: { seconds: 20 } } }, { keepaliveMs: 0 });
  assert.equal(a.machine.deadline(), now + 10_000);
  a.wake(now + 10_000);
  assert.equal(a.machine.deadline(), now + 20_000);
  assert.equal(a.seal(packet, now + 19_999).length, 1);
  a.wake(now + 20_000);
  assert.deepEqual(
    a.events.map(({ kind }) => kind),
    ["expiring", "expired"],
  );
  assert.equal(a.seal(packet, now + 20_001).length, 0);
  assert.equal(a.machine.deadline(), undefined);
});

test("a pair takes over without a gap: who answers sends by it once it was heard, the old one hears on", () => {
  const { a, b, now } = twoEnds();
  const old = { a: pairOf("a").spiIn, b: pairOf("b").spiIn };
  const packet = udpPacket(inside.a[0], inside.b[0], 8);
  const back = udpPacket(inside.b[0], inside.a[0], 8);
  const late = a.seal(packet, now);
  // b answers the rekeying, so it has the keys first and does not know when a has them.
  b.machine.handle(
    { kind: "install", pair: pairOf("b", { generation: 1, replaces: old.b, begins: "when-received" }) },
    now,
  );
  for (const d of b.seal(back, now)) a.receive(d, now);
  assert.equal(a.packets.length, 1);
  a.machine.handle({ kind: "install", pair: pairOf("a", { generation: 1, replaces: old.a }) }, now);
  for (const d of a.seal(packet, now)) b.receive(d, now);
  assert.deepEqual(b.events, [{ kind: "began", spiIn: pairOf("b", { generation: 1 }).spiIn }]);
  for (const d of late) b.receive(d, now);
  assert.equal(b.packets.length, 2);
  a.machine.handle({ kind: "remove", spiIn: old.a, gently: true }, now);
  for (const d of b.seal(back, now)) a.receive(d, now);
  assert.equal(a.packets.length, 2);
  a.wake(now + 5_000);
  assert.equal(a.machine.status().length, 1);
});

test("gently removed, a pair hears for five seconds more what was on its way", () => {
  const { a, b, now } = twoEnds({}, { keepaliveMs: 0 });
  const packet = udpPacket(inside.a[0], inside.b[0], 8);
  const [one, two] = [a.seal(packet, now), a.seal(packet, now)];
  b.machine.handle({ kind: "remove", spiIn: pairOf("b").spiIn, gently: true }, now);
  assert.equal(b.seal(udpPacket(inside.b[0], inside.a[0], 8), now).length, 0);
  for (const d of one) b.receive(d, now + 4_999);
  assert.equal(b.machine.deadline(), now + 5_000);
  b.wake(now + 5_000);
  for (const d of two) b.receive(d, now + 5_001);
  assert.equal(b.packets.length, 1);
  assert.equal(b.machine.drops["unknown-spi"], 1);
});

test("ME: authentic packets from elsewhere are told of, and followed by who may; replays and old ones are not", () => {
  const { a, b, now } = twoEnds({ follows: true });
  const packet = udpPacket(inside.a[0], inside.b[0], 8);
  const [first, second, third] = [a.seal(packet, now)[0]!, a.seal(packet, now)[0]!, a.seal(packet, now)[0]!];
  const elsewhere = { address: "198.51.100.7", port: 61_000 };
  b.receive(second, now);
  b.receive({ ...first, from: elsewhere }, now);
  b.receive({ ...second, from: elsewhere }, now);
  assert.deepEqual(b.events, []);
  b.receive({ ...third, from: elsewhere }, now);
  assert.deepEqual(
    b.told("moved").map(({ to }) => to),
    [elsewhere],
  );
  assert.deepEqual(b.seal(udpPacket(inside.b[0], inside.a[0], 8), now)[0]!.to, elsewhere);
  b.machine.handle({ kind: "move", spiIn: pairOf("b").spiIn, peer: outside.a }, now);
  assert.deepEqual(b.seal(udpPacket(inside.b[0], inside.a[0], 8), now)[0]!.to, outside.a);
});

test("one port carries ESP, IKE behind its marker, and keepalives, which a silent end sends", () => {
  const { a, b, now } = twoEnds();
  const ike = Uint8Array.of(0, 0, 0, 0, 1, 2, 3);
  b.receive({ bytes: ike, from: outside.a, to: outside.b }, now);
  assert.deepEqual(
    b.told("ike").map(({ bytes }) => [...bytes]),
    [[...ike]],
  );
  assert.equal(a.machine.deadline(), now + 20_000);
  a.seal(udpPacket(inside.a[0], inside.b[0], 8), now + 15_000);
  assert.deepEqual(a.wake(now + 20_000), []);
  const [keepalive, ...more] = a.wake(now + 35_000);
  assert.deepEqual([[...keepalive!.bytes], keepalive!.to, more], [[0xff], outside.b, []]);
  b.receive(keepalive!, now);
  assert.ok(Object.values(b.machine.drops).every((count) => count === 0));
  b.receive({ ...keepalive!, bytes: Uint8Array.of(1) }, now);
  assert.equal(b.machine.drops.malformed, 1);
});

test("what protects nothing, or is no association, is refused as misuse", () => {
  const { machine } = new End("a");
  const refused = (pair: object, reason: string): void => {
    const whole = { ...pairOf("a"), ...pair };
    assert.throws(
      () => machine.handle({ kind: "install", pair: whole }, 0),
      (error) => error instanceof Failure && error.fault === "misuse" && error.reason === reason,
    );
  };
  refused({ algorithms: { ...cbc, integrity: Integrity.none } }, "unavailable-algorithm");
  refused({ algorithms: { ...gcm, integrity: Integrity.hmacSha256 } }, "unavailable-algorithm");
  refused({ algorithms: { ...gcm, encryption: Encryption.null, keyBits: undefined } }, "unavailable-algorithm");
  refused({ algorithms: { ...gcm, encryption: 3 } }, "unavailable-algorithm");
  refused({ algorithms: cbc }, "bad-association");
  refused({ spiIn: 255 }, "bad-association");
  refused({ spiOut: 2 ** 32 }, "bad-association");
  refused({ mode: "transport" }, "bad-association");
  refused({ local: [] }, "bad-association");
  machine.handle({ kind: "install", pair: pairOf("a") }, 0);
  refused({}, "bad-association");
});
