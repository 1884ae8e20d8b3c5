import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress } from "../../src/bytes/index.js";
import type { TcpConnection } from "../../src/stack/index.js";
import { fragment } from "../../src/stack/ip/fragment.js";
import { challengesPerSecondMax, halfOpenMax, reassembliesMax } from "../../src/stack/limits.js";
import { Segment } from "../../src/stack/tcp/segment.js";
import { writeUdp } from "../../src/stack/udp/socket.js";
import { Ack, Fin, type ForgedSegment, forge, Psh, Rst, Syn, Urg } from "../support/packets.js";
import { digest, pattern, StackPair } from "../unit/stack/pair.js";

const lan = { delayMs: 10 };
const client4 = "10.0.0.1";
const server4 = "10.0.0.2";

/** Puts a packet into the second stack as if it came from the wire. */
function inject(pair: StackPair, packet: Uint8Array, to = 1): void {
  pair.stacks[to]!.handle(
    { kind: "packets", bytes: packet, ranges: Uint32Array.of(0, packet.length), count: 1 },
    pair.now,
  );
  pair.flush();
}

/** A connection with some history, and what an eavesdropper knows of it: the numbers of the last data segment. */
function conversation(seed = 1): {
  pair: StackPair;
  client: TcpConnection;
  server: TcpConnection;
  last: { sequence: number; next: number; acknowledgment: number; timestamps: Uint8Array };
  towards: (more: Partial<ForgedSegment>) => Uint8Array;
} {
  const pair = new StackPair(lan, seed);
  const { client, server } = pair.connect();
  let last = new Uint8Array();
  pair.filter = (packet, from) => {
    if (from === 0) last = packet.slice();
    return true;
  };
  client.write(pattern(5_000));
  server.write(pattern(5_000));
  pair.run(1_000);
  const view = new DataView(last.buffer);
  const sequence = view.getUint32(24);
  const size = last.length - 52;
  const numbers = {
    sequence,
    next: (sequence + size) >>> 0,
    acknowledgment: view.getUint32(28),
    timestamps: last.slice(40, 52),
  };
  return {
    pair,
    client,
    server,
    last: numbers,
    towards: (more) =>
      forge({
        from: client4,
        to: server4,
        sourcePort: client.tuple.localPort,
        destinationPort: 80,
        sequence: numbers.next,
        acknowledgment: numbers.acknowledgment,
        flags: Ack,
        options: numbers.timestamps,
        ...more,
      }),
  };
}

/** Both ends live, and what they say to each other still arrives whole. */
function lives({ pair, client, server }: ReturnType<typeof conversation>): void {
  const before = pair.of(server).received;
  const sum = pair.of(server).digest;
  client.write(pattern(20_000, 3));
  pair.run(5_000);
  assert.equal(pair.of(server).received, before + 20_000);
  assert.equal(pair.of(server).digest, digest(sum, pattern(20_000, 3)));
  assert.equal(pair.of(server).closed || pair.of(client).closed, false);
}

test("RFC 5961 §3: a reset that is not exact resets nothing, and is asked about so often and no more", () => {
  const talk = conversation();
  const { pair, last, towards } = talk;
  pair.sent[1] = 0;
  for (let i = 1; i <= 1_000; i++)
    inject(pair, towards({ flags: Rst, sequence: last.next + i * 1_000, options: new Uint8Array() }));
  assert.equal(pair.sent[1], challengesPerSecondMax);
  lives(talk);
});

test("RFC 5961 §3: the exact reset is believed", () => {
  const { pair, server, towards } = conversation();
  inject(pair, towards({ flags: Rst, options: new Uint8Array() }));
  pair.run(100);
  assert.ok(pair.of(server).closed);
});

test("RFC 5961 §4: a SYN into a connection is asked about, whatever its number", () => {
  const talk = conversation();
  const { pair, last, towards } = talk;
  for (let i = 0; i < 1_000; i++) inject(pair, towards({ flags: Syn, sequence: last.next + i * 4_000_000 }));
  lives(talk);
});

test("RFC 5961 §5: data in the window with a guessed acknowledgement are not taken", () => {
  const talk = conversation();
  const { pair, server, last, towards } = talk;
  const before = pair.of(server).received;
  for (let i = 1; i < 1_000; i++) {
    const acknowledgment = last.acknowledgment + i * 4_290_000;
    inject(pair, towards({ acknowledgment, payload: pattern(100, 9) }));
    inject(pair, towards({ acknowledgment, flags: Ack | Fin, sequence: last.next + 10, payload: pattern(100, 9) }));
  }
  assert.equal(pair.of(server).received, before);
  lives(talk);
});

test("RFC 7323 §3.2, §5: segments without their timestamps, or with old ones, are not taken", () => {
  const talk = conversation();
  const { pair, server, last, towards } = talk;
  const before = pair.of(server).received;
  inject(pair, towards({ options: new Uint8Array(), payload: pattern(100, 9) }));
  const old = last.timestamps.slice();
  new DataView(old.buffer).setUint32(4, new DataView(old.buffer).getUint32(4) - 10_000);
  inject(pair, towards({ options: old, payload: pattern(100, 9) }));
  assert.equal(pair.of(server).received, before);
  lives(talk);
});

test("bare acknowledgements out of the window make no storm", () => {
  const { pair, last, towards } = conversation();
  pair.sent[1] = 0;
  for (let i = 0; i < 1_000; i++) inject(pair, towards({ sequence: last.next - 100_000 - i }));
  assert.ok(pair.sent[1] <= challengesPerSecondMax, `${pair.sent[1]} answers`);
});

test("ICMP errors about sequence numbers that are not on their way change nothing", () => {
  const talk = conversation();
  const { pair, client, server } = talk;
  const quoted = forge({
    from: server4,
    to: client4,
    sourcePort: 80,
    destinationPort: client.tuple.localPort,
    sequence: 12_345,
    flags: Ack,
  });
  for (const [type, code] of [
    [3, 1],
    [3, 3],
    [3, 4],
  ] as const) {
    const error = new Uint8Array(56);
    error.set(quoted.subarray(0, 20));
    error.set(parseAddress("10.0.0.77")!, 12);
    error.set(parseAddress(server4)!, 16);
    error[3] = 56;
    error[9] = 1;
    error.set([type, code, 0, 0, 0, 0, 2, 64], 20);
    error.set(quoted.subarray(0, 28), 28);
    mend(error);
    inject(pair, error);
  }
  assert.equal(pair.events[1].filter(({ kind }) => kind === "soft-error").length, 0);
  assert.equal(server.sender.segmentSize, client.sender.segmentSize);
  lives(talk);
});

test("a flood of SYNs from 100,000 sources: newcomers get in, work and memory are bounded", () => {
  const pair = new StackPair(lan);
  const listener = pair.stacks[1].listen(80);
  pair.filter = (_, from) => from === 0;
  for (let i = 0; i < 100_000; i++) {
    const from = `${11 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}.9`;
    inject(
      pair,
      forge({ from, to: server4, sourcePort: 1_024 + (i % 60_000), destinationPort: 80, sequence: i * 7, flags: Syn }),
    );
    if (i % 10 === 0) pair.now += 1;
  }
  assert.equal(listener.halfOpen.size, halfOpenMax);
  assert.ok(pair.sent[1] <= 100_000 + 2 * halfOpenMax * 4, "an answer for each, and those of the half-open ones again");
  pair.filter = () => true;
  const client = pair.stacks[0].connect({ address: parseAddress(server4)!, port: 80 }, pair.now);
  pair.run(1_000);
  assert.ok(pair.of(client).opened);
  // When it is over the place is free again, and connections have all their options.
  pair.filter = (_, from) => from === 0;
  pair.run(70_000);
  assert.equal(listener.halfOpen.size, 0);
});

test("acknowledgements that carry no cookie of ours open nothing", () => {
  const pair = new StackPair(lan);
  const listener = pair.stacks[1].listen(80);
  for (let i = 0; i < 20_000; i++) {
    inject(
      pair,
      forge({
        from: "11.0.0.9",
        to: server4,
        sourcePort: 9,
        destinationPort: 80,
        sequence: 7,
        acknowledgment: i * 214_748,
        flags: Ack,
      }),
    );
  }
  assert.equal(listener.accept(), undefined);
});

test("a cookie opens with what its SYN said, and with nothing else", () => {
  const pair = new StackPair(lan);
  const listener = pair.stacks[1].listen(80);
  pair.filter = (_, from) => from === 0;
  const common = { to: server4, sourcePort: 9, destinationPort: 80 };
  for (let i = 0; i < halfOpenMax; i++) {
    inject(pair, forge({ ...common, from: `11.0.${i >> 8}.${i & 255}`, sequence: i, flags: Syn }));
  }
  assert.ok(listener.isCrowded);
  let answer = new Uint8Array();
  pair.filter = (packet, from) => {
    if (from === 1) answer = packet.slice();
    return false;
  };
  const stranger = { ...common, from: "11.0.9.9" };
  // Segment size, SACK, timestamps 1 and 0, a scale of 7.
  const said = Uint8Array.of(2, 4, 5, 80, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7);
  inject(pair, forge({ ...stranger, sequence: 1_000, flags: Syn, options: said }));
  const segment = new Segment();
  assert.ok(segment.read(answer, 20, answer.length));
  const { mss, windowScale, sackPermitted, hasTimestamps, timestamp } = segment;
  assert.deepEqual(
    { mss, windowScale, sackPermitted, hasTimestamps, echo: segment.echo },
    { mss: 1_380, windowScale: 7, sackPermitted: true, hasTimestamps: true, echo: 1 },
  );
  const acknowledgment = segment.sequence + 1;
  const back = (options: Uint8Array): TcpConnection | undefined => {
    inject(pair, forge({ ...stranger, sequence: 1_001, acknowledgment, flags: Ack, options }));
    return listener.accept();
  };
  assert.equal(back(new Uint8Array()), undefined, "no timestamps any more");
  for (let bits = 0; bits < 64; bits++) {
    const echo = (timestamp & ~63) | bits;
    if (echo >>> 0 === timestamp) continue;
    const options = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 2, echo >>> 24, echo >>> 16, echo >>> 8, echo);
    assert.equal(back(options), undefined, `agreed: ${bits}, and not ${timestamp & 63}`);
  }
  const [a, b, c, d] = [timestamp >>> 24, timestamp >>> 16, timestamp >>> 8, timestamp];
  const opened = back(Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 2, a, b, c, d));
  assert.equal(opened?.sender.scale, 7);
});

test("a flood of fragments neither grows nor keeps newcomers out", () => {
  const pair = new StackPair(lan);
  pair.stacks[1].bind(53);
  const packet = writeUdp(parseAddress(client4)!, 9, parseAddress(server4)!, 53, pattern(4_000), 0, 0);
  for (let i = 0; i < 100_000; i++) inject(pair, fragment(packet, 1_400, i & 0xffff)[i % 2]!.slice());
  for (const part of fragment(packet, 1_400, 0xfffff)) inject(pair, part.slice());
  assert.equal(pair.events[1].filter(({ kind }) => kind === "datagram").length, 1);
  assert.ok(reassembliesMax < 100);
});

test("fragments that overlap, that are tiny, that promise more than a packet holds: none makes a packet of them", () => {
  const pair = new StackPair(lan);
  pair.stacks[1].bind(53);
  const packet = writeUdp(parseAddress(client4)!, 9, parseAddress(server4)!, 53, pattern(3_000), 0, 0);
  const parts = fragment(packet, 1_400, 5);
  for (let shift = 1; shift < 100; shift++) {
    const [first, second] = [parts[0]!.slice(), parts[1]!.slice()];
    const field = (second[6]! << 8) | second[7]!;
    const place = (field & 0x1fff) - shift;
    second[6] = ((field >> 13) << 5) | (place >> 8);
    second[7] = place & 255;
    mend(second);
    inject(pair, first);
    inject(pair, second);
    inject(pair, parts[2]!.slice());
  }
  const last = parts[2]!.slice();
  last[6] = 0x1f;
  last[7] = 0xff;
  mend(last);
  inject(pair, last);
  assert.equal(pair.events[1].filter(({ kind }) => kind === "datagram").length, 0);
});

/** Anything that could stand in a segment, near the numbers that count or far from them. */
const segments = fc.record({
  flags: fc.oneof(
    fc.constantFrom(Ack, Ack | Psh, Ack | Fin, Ack | Urg, Rst | Ack, Syn, Syn | Ack, 0, 0x29),
    fc.nat(255),
  ),
  sequence: fc.oneof(fc.integer({ min: -70_000, max: 70_000 }), fc.integer()),
  acknowledgment: fc.oneof(fc.integer({ min: -70_000, max: 70_000 }), fc.integer()),
  window: fc.oneof(fc.constantFrom(0, 1, 0xffff), fc.nat(0xffff)),
  urgent: fc.nat(0xffff),
  options: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .array(fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 8, 69, 254), fc.uint8Array({ maxLength: 10 })), { maxLength: 3 })
      .map((list) =>
        Uint8Array.from(list.flatMap(([kind, bytes]) => (kind === 1 ? [1] : [kind, bytes.length + 2, ...bytes]))).slice(
          0,
          40,
        ),
      ),
  ),
  payload: fc.uint8Array({ maxLength: 300 }),
  /** Does it carry timestamps that pass? */
  honest: fc.boolean(),
  waitMs: fc.constantFrom(0, 0, 1, 50, 1_000),
});

for (const state of ["established", "synSent", "closing", "listening"] as const) {
  test(`whatever segments come in ${state}, nothing throws, nothing runs away, and the stack serves on`, () => {
    fc.assert(
      fc.property(fc.array(segments, { minLength: 1, maxLength: 60 }), fc.nat(1_000), (list, seed) => {
        const talk = conversation(seed);
        const { pair, client, server, last } = talk;
        let port = client.tuple.localPort;
        let to = 1;
        if (state === "closing") server.finish();
        if (state === "listening") port = 77;
        if (state === "synSent") {
          pair.filter = (_, from) => from === 1;
          const opening = pair.stacks[0].connect({ address: parseAddress(server4)!, port: 81 }, pair.now);
          port = opening.tuple.localPort;
          to = 0;
        }
        for (const { sequence, acknowledgment, honest, waitMs, options, ...rest } of list) {
          const sent = pair.sent[to]!;
          inject(
            pair,
            forge({
              ...rest,
              from: to === 1 ? client4 : server4,
              to: to === 1 ? server4 : client4,
              sourcePort: to === 1 ? port : 81,
              destinationPort: to === 1 ? 80 : port,
              sequence: last.next + sequence,
              acknowledgment: last.acknowledgment + acknowledgment,
              options: honest ? last.timestamps : options,
            }),
            to,
          );
          assert.ok(pair.sent[to]! - sent < 40, "an answer or two, and what the window lets out");
          if (waitMs > 0) pair.run(waitMs);
        }
        pair.filter = () => true;
        // Whatever became of that connection, another works.
        pair.stacks[1].listen(8_080);
        const fresh = pair.stacks[0].connect({ address: parseAddress(server4)!, port: 8_080 }, pair.now);
        pair.run(2_000);
        assert.ok(pair.of(fresh).opened);
      }),
      { seed: 9_293, numRuns: 150 },
    );
  });
}

test("urgent data are data like any other, whatever the pointer says", () => {
  const { pair, server, last, towards } = conversation();
  const before = pair.of(server).received;
  const bytes = pattern(100, 5);
  inject(pair, towards({ flags: Ack | Urg | Psh, urgent: 50, payload: bytes.subarray(0, 50) }));
  inject(pair, towards({ flags: Ack | Urg, urgent: 0xffff, sequence: last.next + 50, payload: bytes.subarray(50) }));
  assert.equal(pair.of(server).received, before + 100);
  assert.equal(pair.of(server).digest, digest(digest(0, pattern(5_000)), bytes));
});

test("a peer that acknowledges what was never sent, or takes back its window, or blocks and never opens, harms itself alone", () => {
  const talk = conversation();
  const { pair, server, last, towards } = talk;
  server.write(pattern(200_000));
  pair.filter = (_, from) => from === 0;
  inject(pair, towards({ acknowledgment: last.acknowledgment + 2_000_000_000 }));
  inject(pair, towards({ acknowledgment: last.acknowledgment, window: 0 }));
  pair.run(10_000);
  assert.equal(pair.of(server).closed, false);
  pair.filter = () => true;
  lives(talk);
});

function mend(packet: Uint8Array): void {
  const put = (at: number, from: number, to: number): void => {
    packet[at] = packet[at + 1] = 0;
    let total = 0;
    for (let i = from; i < to; i += 2) total += (packet[i]! << 8) | (packet[i + 1] ?? 0);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    packet[at] = (~total >> 8) & 255;
    packet[at + 1] = ~total & 255;
  };
  put(10, 0, 20);
  if (packet[9] === 1) put(22, 20, packet.length);
}
