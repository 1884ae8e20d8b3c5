import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { finish, sum } from "../../../src/bytes/checksum.js";
import { parseAddress } from "../../../src/bytes/index.js";
import { Failure } from "../../../src/contract/index.js";
import { fragment } from "../../../src/stack/ip/fragment.js";
import { icmpPerSecondMax, reassembliesMax, reassemblyBytesMax } from "../../../src/stack/limits.js";
import { writeUdp } from "../../../src/stack/udp/socket.js";
import { pattern, StackPair } from "./pair.js";

const lan = { delayMs: 1 };
const far = { 4: parseAddress("10.0.0.2")!, 6: parseAddress("fd00::2")! } as const;
const near = { 4: parseAddress("10.0.0.1")!, 6: parseAddress("fd00::1")! } as const;

function give(pair: StackPair, to: number, ...packets: readonly Uint8Array[]): void {
  for (const packet of packets) {
    const ranges = Uint32Array.of(0, packet.length);
    pair.stacks[to]!.handle({ kind: "packets", bytes: packet.slice(), ranges, count: 1 }, pair.now);
  }
  pair.flush();
}

const datagrams = (pair: StackPair, end: number): Uint8Array[] =>
  pair.events[end]!.flatMap((event) => (event.kind === "datagram" ? [event.bytes.slice()] : []));

for (const family of [4, 6] as const) {
  test(`IPv${family}: a datagram is carried, and one beyond the MTU is cut and put together`, () => {
    const pair = new StackPair(lan);
    const server = pair.stacks[1].bind(53);
    const client = pair.stacks[0].bind(0);
    for (const size of [0, 1, 1_000, 5_000, 60_000]) {
      assert.ok(pair.stacks[0].send(client, pattern(size), far[family], 53, pair.now));
      pair.run(100);
    }
    assert.deepEqual(
      datagrams(pair, 1).map(({ length }) => length),
      [0, 1, 1_000, 5_000, 60_000],
    );
    assert.deepEqual(datagrams(pair, 1).at(-1), pattern(60_000));
    const last = pair.events[1].at(-1);
    assert.ok(last?.kind === "datagram" && last.socket === server && last.sourcePort === client.port);
  });

  test(`IPv${family}: fragments in any order make the packet, overlaps unmake it`, () => {
    const packet = writeUdp(near[family], 9, far[family], 53, pattern(4_000), 0, 0);
    const parts = fragment(packet, 1_400, 77);
    assert.equal(parts.length, 3);
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 1, 0, 2],
      [2, 0, 1],
    ]) {
      const pair = new StackPair(lan);
      pair.stacks[1].bind(53);
      give(pair, 1, ...order.map((i) => parts[i]!));
      assert.deepEqual(datagrams(pair, 1), [pattern(4_000)], String(order));
    }
    const pair = new StackPair(lan);
    pair.stacks[1].bind(53);
    const overlapping = fragment(packet, 1_000, 77);
    give(pair, 1, parts[0]!, overlapping[1]!, parts[1]!, parts[2]!);
    assert.deepEqual(datagrams(pair, 1), []);
  });

  test(`IPv${family}: a closed port is told to the sender as a soft error`, () => {
    const pair = new StackPair(lan);
    const socket = pair.stacks[0].bind(0, undefined, { address: far[family], port: 99 });
    pair.stacks[0].send(socket, pattern(10), far[family], 99, pair.now);
    pair.run(100);
    const told = pair.events[0].find(({ kind }) => kind === "soft-error");
    assert.ok(told?.kind === "soft-error" && told.of === socket && told.failure instanceof Failure);
    assert.equal(told.failure.reason, "refused-connection");
  });

  test(`IPv${family}: an echo is answered, and no more than so many in a second`, () => {
    const pair = new StackPair(lan);
    for (let i = 0; i < icmpPerSecondMax + 20; i++) pair.stacks[0].ping(far[family], i, pattern(32), pair.now);
    pair.run(500);
    const replies = pair.events[0].filter(({ kind }) => kind === "echo-reply");
    assert.equal(replies.length, icmpPerSecondMax);
    const [first] = replies;
    assert.ok(first?.kind === "echo-reply" && first.word === 0);
    assert.deepEqual(first.body, pattern(32));
  });
}

test("a flood of fragments is bounded", () => {
  const pair = new StackPair(lan);
  for (let i = 0; i < 5_000; i++) {
    const packet = writeUdp(near[4], 9, far[4], 53, pattern(4_000), 0, 0);
    give(pair, 1, fragment(packet, 1_400, i)[0]!);
  }
  assert.ok(reassembliesMax * 1_400 < reassemblyBytesMax);
  pair.stacks[1].bind(53);
  // After a minute there is room again.
  pair.now += 61_000;
  give(pair, 1, ...fragment(writeUdp(near[4], 9, far[4], 53, pattern(3_000), 0, 0), 1_400, 6_000));
  assert.equal(datagrams(pair, 1).length, 1);
});

test("random and mutated packets never throw, and the stack goes on", () => {
  const pair = new StackPair(lan, 5);
  pair.stacks[1].listen(80);
  pair.stacks[1].bind(53);
  const seeds: Uint8Array[] = [
    writeUdp(near[4], 9, far[4], 53, pattern(100), 0, 0),
    writeUdp(near[6], 9, far[6], 53, pattern(100), 0, 0),
    ...fragment(writeUdp(near[6], 9, far[6], 53, pattern(3_000), 0, 0), 1_400, 3),
  ];
  pair.filter = (packet) => seeds.push(packet.slice()) > 0;
  pair.stacks[0].connect({ address: far[4], port: 80 }, pair.now);
  pair.stacks[0].connect({ address: far[6], port: 80 }, pair.now);
  pair.stacks[0].ping(far[4], 1, pattern(8), pair.now);
  pair.run(1_000);
  pair.filter = () => true;
  const mutation = fc.record({ at: fc.nat(120), value: fc.nat(255) });
  const mutated = fc
    .record({ seed: fc.nat(seeds.length - 1), edits: fc.array(mutation, { maxLength: 6 }), cut: fc.nat(1_500) })
    .map(({ seed, edits, cut }) => {
      const packet = seeds[seed]!.slice(0, Math.max(1, cut));
      for (const { at, value } of edits) if (at < packet.length) packet[at] = value;
      return packet;
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (packet) => {
      give(pair, 1, packet);
    }),
    { seed: 21, numRuns: 5_000 },
  );
  const before = datagrams(pair, 1).length;
  give(pair, 1, seeds[0]!);
  assert.equal(datagrams(pair, 1).length, before + 1);
});

/** An IPv6 datagram with headers between, each `[type, ...content]` behind its next-header and length bytes. */
function withHeaders(headers: readonly (readonly [number, ...number[]])[]): Uint8Array {
  const plain = writeUdp(near[6], 9, far[6], 53, pattern(64), 0, 0);
  const parts: number[] = [];
  for (const [i, [, ...content]] of headers.entries()) {
    const next = headers[i + 1]?.[0] ?? 17;
    const padded = [next, 0, ...content];
    while (padded.length % 8 !== 0) padded.push(0);
    padded[1] = padded.length / 8 - 1;
    parts.push(...padded);
  }
  const packet = new Uint8Array(plain.length + parts.length);
  packet.set(plain.subarray(0, 40));
  packet.set(parts, 40);
  packet.set(plain.subarray(40), 40 + parts.length);
  packet[6] = headers[0]![0];
  new DataView(packet.buffer).setUint16(4, packet.length - 40);
  return packet;
}

test("IPv6 extension headers are walked, obeyed, or answered (RFC 8200 §4)", () => {
  const run = (packet: Uint8Array): { heard: number; answer: number[] | undefined } => {
    const pair = new StackPair(lan);
    pair.stacks[1].bind(53);
    let answer: number[] | undefined;
    pair.filter = (sent, from) => {
      if (from === 1 && sent[6] === 58) answer = [sent[40]!, sent[41]!, new DataView(sent.buffer).getUint32(44)];
      return true;
    };
    give(pair, 1, packet);
    return { heard: datagrams(pair, 1).length, answer };
  };
  const [hop, routing, destination] = [0, 43, 60] as const;
  assert.deepEqual(run(withHeaders([[hop, 1, 4]])), { heard: 1, answer: undefined }, "padding");
  assert.deepEqual(run(withHeaders([[hop], [routing, 0, 0], [destination], [destination]])), {
    heard: 1,
    answer: undefined,
  });
  // An option's two highest bits say what to do with one that is not known (§4.2).
  assert.deepEqual(run(withHeaders([[destination, 0x1e, 4, 1, 2, 3, 4]])), { heard: 1, answer: undefined });
  assert.deepEqual(run(withHeaders([[destination, 0x5e, 4, 1, 2, 3, 4]])), { heard: 0, answer: undefined });
  assert.deepEqual(run(withHeaders([[destination, 0x9e, 4, 1, 2, 3, 4]])), { heard: 0, answer: [4, 2, 42] });
  // §4.4: a way that goes on is not for us; §4.1: hop-by-hop stands first or not at all; no more than so many.
  assert.equal(run(withHeaders([[routing, 0, 1]])).heard, 0);
  assert.deepEqual(run(withHeaders([[destination], [hop]])), { heard: 0, answer: undefined });
  assert.equal(run(withHeaders(Array.from({ length: 9 }, () => [destination] as const))).heard, 0);
  for (let cut = 41; cut < 56; cut++) assert.equal(run(withHeaders([[hop]]).slice(0, cut)).heard, 0);
});

test("IPv6: a path that narrows is found by ICMPv6's word, which is not believed below 1,280", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect(80, 6);
  const told = 600;
  let widest = 0;
  pair.filter = (packet, from) => {
    if (from !== 0) return true;
    if (packet.length <= 1_280) {
      widest = Math.max(widest, packet.length);
      return true;
    }
    const quote = packet.slice(0, 1_232);
    const error = new Uint8Array(48 + quote.length);
    error.set([0x60, 0, 0, 0, (8 + quote.length) >> 8, (8 + quote.length) & 255, 58, 64, ...far[6], ...near[6], 2, 0]);
    new DataView(error.buffer).setUint32(44, told);
    error.set(quote, 48);
    const pseudo = sum(error, 8, 32) + 58 + 8 + quote.length;
    new DataView(error.buffer).setUint16(42, finish(pseudo + sum(error, 40, error.length - 40)));
    give(pair, 0, error);
    return false;
  };
  client.write(pattern(50_000));
  pair.run(3_000);
  assert.equal(pair.of(server).received, 50_000);
  assert.equal(widest, 1_280);
});
