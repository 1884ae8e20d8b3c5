import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../../src/contract/index.js";
import type { TcpConnection } from "../../../src/stack/tcp/connection.js";
import { Segment } from "../../../src/stack/tcp/segment.js";
import { digest, pattern, StackPair, type Wire } from "./pair.js";

const lan: Wire = { delayMs: 10 };

/** Sends so many bytes each way, closes, and checks that all arrived and nothing else. */
function transfer(pair: StackPair, size: number, ms: number, family: 4 | 6 = 4): number {
  const { client, server } = pair.connect(80, family);
  const start = pair.now;
  const bytes = pattern(size);
  const expected = digest(0, bytes);
  for (const end of [client, server]) {
    for (let at = 0; at < size; at += 65_536) end.write(bytes.subarray(at, Math.min(at + 65_536, size)));
    end.finish();
  }
  const ends = [pair.of(client), pair.of(server)] as const;
  pair.run(ms, () => ends.every(({ closed }) => closed));
  const took = pair.now - start;
  for (const end of ends) {
    assert.equal(end.received, size);
    assert.equal(end.digest, expected);
    assert.ok(end.ended);
    assert.equal(end.failure, undefined);
  }
  return took;
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: data goes both ways and both directions end`, () => {
    const pair = new StackPair(lan);
    transfer(pair, 1_000_000, 60_000, family);
  });
}

test("one byte takes one packet and its acknowledgement", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect();
  pair.run(1_000);
  pair.sent[0] = pair.sent[1] = 0;
  client.write(Uint8Array.of(1));
  pair.run(1_000);
  assert.equal(pair.of(server).received, 1);
  assert.deepEqual(pair.sent, [1, 1]);
});

for (const [name, wire] of Object.entries({
  loss: { delayMs: 20, loss: 20 },
  "heavy loss": { delayMs: 20, loss: 150 },
  reordering: { delayMs: 20, reorder: 100 },
  duplication: { delayMs: 20, duplicate: 100 },
  corruption: { delayMs: 20, corrupt: 30 },
  "a short queue": { delayMs: 20, rate: 1_000, queue: 20_000 },
  everything: { delayMs: 30, rate: 2_000, queue: 60_000, loss: 20, duplicate: 20, reorder: 50, corrupt: 10 },
} satisfies Record<string, Wire>)) {
  for (const seed of [1, 2, 3]) {
    test(`${name}: all bytes arrive in order (seed ${seed})`, () => {
      transfer(new StackPair(wire, seed), 400_000, 600_000, seed % 2 ? 4 : 6);
    });
  }
}

test("packets that overtake each other cost little: what was sent again for nothing is noticed and taken back", () => {
  const took = (wire: Wire): number => {
    const pair = new StackPair(wire);
    const { client, server } = pair.connect();
    const start = pair.now;
    client.write(pattern(8_000_000));
    pair.run(60_000, () => pair.of(server).received === 8_000_000);
    assert.equal(pair.of(server).digest, digest(0, pattern(8_000_000)));
    return pair.now - start;
  };
  const even = took({ delayMs: 4, rate: 10_000 });
  const reordered = took({ delayMs: 4, rate: 10_000, reorder: 50 });
  assert.ok(reordered < 1.5 * even, `${reordered} ms, and ${even} ms without`);
});

test("a closed port refuses", () => {
  const pair = new StackPair(lan);
  const client = pair.stacks[0].connect({ address: Uint8Array.of(10, 0, 0, 2), port: 81 }, pair.now);
  pair.run(1_000);
  const { failure } = pair.of(client) as { failure: unknown };
  assert.ok(failure instanceof Failure);
  assert.equal(failure.reason, "refused-connection");
});

test("a SYN that nobody answers is repeated with backoff, and given up after three minutes", () => {
  const pair = new StackPair(lan);
  pair.filter = () => false;
  const client = pair.stacks[0].connect({ address: Uint8Array.of(10, 0, 0, 2), port: 80 }, pair.now);
  pair.run(7_500);
  assert.equal(pair.sent[0], 4, "at 0, 1, 3 and 7 seconds");
  pair.run(175_000);
  const { failure } = pair.of(client) as { failure: unknown };
  assert.ok(failure instanceof Failure);
  assert.equal(failure.reason, "timed-out");
});

test("an abort resets the peer", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect();
  client.abort();
  pair.run(1_000);
  const { failure } = pair.of(server) as { failure: unknown };
  assert.ok(failure instanceof Failure);
  assert.equal(failure.reason, "reset");
});

test("a half-closed connection still carries the other direction", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect();
  client.finish();
  pair.run(1_000);
  assert.ok(pair.of(server).ended);
  assert.equal(server.state, "closeWait");
  assert.equal(client.state, "finWait2");
  server.write(pattern(50_000));
  pair.run(2_000);
  assert.equal(pair.of(client).received, 50_000);
  server.finish();
  pair.run(1_000);
  assert.ok(pair.of(client).closed);
  assert.equal(client.state, "timeWait");
  pair.run(61_000);
  assert.equal(client.state, "closed");
});

test("a reader that stops closes the window, and a probe finds it open again", () => {
  const pair = new StackPair(lan, 1);
  const { client, server } = pair.connect();
  pair.reading = false;
  const size = 6 << 20;
  client.write(pattern(size));
  pair.run(20_000);
  const held = pair.of(server).received;
  assert.ok(held <= 4 << 20, `${held} bytes were accepted`);
  pair.reading = true;
  server.consumed(held);
  // The window update is lost: only the probe can tell.
  pair.filter = (_, from) => from === 0;
  pair.run(5);
  pair.filter = () => true;
  pair.run(60_000);
  assert.equal(pair.of(server).received, size);
});

test("a lost last segment is recovered by a tail probe, long before the timeout", () => {
  const pair = new StackPair({ delayMs: 50 });
  const { client, server } = pair.connect();
  client.write(pattern(20_000));
  pair.run(2_000);
  let lost = 0;
  pair.filter = (packet, from) => from !== 0 || packet.length < 200 || lost++ > 0;
  client.write(pattern(1_000));
  const start = pair.now;
  pair.run(2_000, () => pair.of(server).received === 21_000);
  assert.equal(pair.of(server).received, 21_000);
  assert.ok(pair.now - start < 400, `${pair.now - start} ms`);
});

test("a lost segment in the middle costs one round trip", () => {
  const pair = new StackPair({ delayMs: 50 });
  const { client, server } = pair.connect();
  client.write(pattern(200_000));
  pair.run(5_000);
  let count = 0;
  pair.filter = (packet, from) => from !== 0 || packet.length < 200 || ++count !== 5;
  client.write(pattern(30_000));
  const start = pair.now;
  pair.run(5_000, () => pair.of(server).received === 230_000);
  assert.equal(pair.of(server).received, 230_000);
  assert.ok(pair.now - start < 260, `${pair.now - start} ms`);
});

/** Fills a listener with strangers whose answers never come, and connects one more. */
function connectInCrowd(pair: StackPair): { client: TcpConnection; server: TcpConnection } {
  const listener = pair.stacks[1].listen(80);
  const remote = { address: Uint8Array.of(10, 0, 0, 2), port: 80 };
  pair.filter = (_, from) => from === 0;
  for (let i = 0; i < 300; i++) pair.stacks[0].connect(remote, pair.now);
  pair.run(50);
  assert.ok(listener.isCrowded);
  const ours = new Set<number>();
  pair.filter = (packet, from) => ours.has(new DataView(packet.buffer).getUint16(from === 0 ? 20 : 22));
  const client = pair.stacks[0].connect(remote, pair.now);
  ours.add(client.tuple.localPort);
  pair.run(100);
  assert.ok(pair.of(client).opened);
  const server = listener.accept();
  assert.ok(server);
  assert.ok(listener.isCrowded);
  return { client, server };
}

test("SYN cookies carry a handshake when too many are half open", () => {
  const pair = new StackPair(lan);
  const { client, server } = connectInCrowd(pair);
  client.write(pattern(5_000));
  pair.run(1_000);
  assert.equal(pair.of(server).received, 5_000);
});

test("a connection made by a SYN cookie has window scale, SACK, timestamps and ECN", () => {
  const pair = new StackPair(lan);
  const { client, server } = connectInCrowd(pair);
  const { filter } = pair;
  const seen = { data: 0, bare: 0, sacked: 0, capable: 0 };
  const segment = new Segment();
  pair.filter = (packet, from) => {
    if (!filter(packet, from)) return false;
    assert.ok(segment.read(packet, 20, packet.length));
    if (!segment.hasTimestamps) seen.bare++;
    if ((packet[1]! & 3) === 2) seen.capable++;
    if (segment.sackCount > 0) seen.sacked++;
    // One segment of data is lost each way.
    return segment.payloadSize === 0 || ++seen.data !== 30;
  };
  client.write(pattern(500_000));
  pair.run(5_000);
  const sackedToClient = seen.sacked;
  seen.data = 0;
  server.write(pattern(500_000));
  pair.run(5_000);
  assert.equal(pair.of(server).received, 500_000);
  assert.equal(pair.of(client).received, 500_000);
  assert.ok(sackedToClient > 0 && seen.sacked > sackedToClient, "both ends tell of what lies behind a gap");
  assert.ok(client.sender.windowMax > 1 << 20 && server.sender.windowMax > 1 << 20, "both windows are scaled");
  assert.equal(seen.bare, 0);
  assert.ok(seen.capable > 0);
});

test("a silent peer fails the connection after the user timeout", () => {
  const pair = new StackPair(lan);
  const { client } = pair.connect();
  client.userTimeoutMs = 10_000;
  pair.filter = () => false;
  client.write(pattern(100));
  pair.run(9_000);
  assert.equal(pair.of(client).closed, false);
  pair.run(2_000);
  const { failure } = pair.of(client) as { failure: unknown };
  assert.ok(failure instanceof Failure);
  assert.equal(failure.reason, "timed-out");
});

test("time in which nobody ran here ends no connection", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect();
  client.setKeepAlive(1_000, pair.now);
  pair.stacks[0].touched(client, pair.now);
  pair.filter = () => false;
  client.write(pattern(100));
  pair.run(100);
  pair.now += 6 * 3_600_000;
  pair.run(500);
  pair.filter = () => true;
  pair.run(5_000);
  assert.equal(pair.of(server).received, 100);
  assert.equal(pair.of(client).closed, false);
});

test("large packets that vanish are found out, and found again when they pass", () => {
  const pair = new StackPair({ delayMs: 10, rate: 2_000 });
  const { client, server } = pair.connect();
  let widest = 0;
  let limit = 1_300;
  pair.filter = (packet, from) => {
    if (from === 0 && packet.length > limit) return false;
    if (from === 0) widest = Math.max(widest, packet.length);
    return true;
  };
  client.write(pattern(500_000));
  pair.run(3_000);
  assert.equal(pair.of(server).received, 500_000);
  assert.equal(widest, 1_280);
  const lostBefore = pair.sent[0];
  client.write(pattern(500_000));
  pair.run(2_000);
  assert.ok(pair.sent[0] - lostBefore < 500_000 / 1_228 + 40, "one large packet was tried, and no more");
  limit = 1_420;
  pair.run(600_000);
  client.write(pattern(500_000));
  pair.run(3_000);
  assert.equal(pair.of(server).received, 1_500_000);
  assert.equal(widest, 1_420);
});

test("keep-alive finds out that the peer is gone", () => {
  const pair = new StackPair(lan);
  const { client } = pair.connect();
  client.setKeepAlive(1_000, pair.now);
  pair.stacks[0].touched(client, pair.now);
  pair.run(30_000);
  assert.equal(pair.of(client).closed, false, "it answers");
  pair.filter = () => false;
  pair.run(30_000);
  assert.ok(pair.of(client).closed);
});

test("a path that narrows is found by ICMP's word", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect();
  client.write(pattern(100_000));
  pair.run(3_000);
  pair.filter = (packet, from) => {
    if (from !== 0 || packet.length <= 1_000) return true;
    const { tooBig } = icmp();
    pair.stacks[0].handle(
      { kind: "packets", bytes: tooBig(packet, 1_000), ranges: Uint32Array.of(0, 56), count: 1 },
      pair.now,
    );
    return false;
  };
  client.write(pattern(100_000));
  pair.run(20_000);
  assert.equal(pair.of(server).received, 200_000);
});

test("blind resets, SYNs and data are not believed", () => {
  const pair = new StackPair(lan);
  const { client, server } = pair.connect();
  const sniffed: Uint8Array[] = [];
  pair.filter = (packet) => {
    sniffed.push(packet.slice());
    return true;
  };
  client.write(pattern(100));
  pair.run(1_000);
  const data = sniffed.find((packet) => packet.length > 100)!;
  for (const [flags, shift] of [
    [4, 1_000],
    [2, 0],
    [2, 1_000],
    [4, 100_000_000],
  ] as const) {
    const forged = data.slice(0, 52);
    forged[2] = 0;
    forged[3] = 52;
    forged[33] = flags;
    new DataView(forged.buffer).setUint32(24, new DataView(data.buffer).getUint32(24) + 100 + shift);
    icmp().mend(forged);
    pair.stacks[1].handle({ kind: "packets", bytes: forged, ranges: Uint32Array.of(0, 52), count: 1 }, pair.now);
    pair.run(100);
  }
  assert.equal(pair.of(server).closed, false);
  assert.equal(pair.of(client).closed, false);
  client.write(pattern(100));
  pair.run(1_000);
  assert.equal(pair.of(server).received, 200);
});

test("the same seed gives the same packets", () => {
  const run = (): number => {
    const pair = new StackPair({ delayMs: 20, loss: 50, reorder: 50 }, 9);
    let sum = 0;
    pair.filter = (packet) => {
      sum = digest(sum, packet);
      return true;
    };
    transfer(pair, 100_000, 100_000);
    return sum;
  };
  assert.equal(run(), run());
});

/** Makers of packets that a stack does not make itself. */
function icmp() {
  const checksum = (bytes: Uint8Array, from: number, to: number, start = 0): number => {
    let total = start;
    for (let i = from; i < to; i += 2) total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
    return ~total & 0xffff;
  };
  const put = (bytes: Uint8Array, at: number, value: number): void => {
    bytes[at] = value >> 8;
    bytes[at + 1] = value & 0xff;
  };
  const mend = (packet: Uint8Array): Uint8Array => {
    put(packet, 10, 0);
    put(packet, 10, checksum(packet, 0, 20));
    if (packet[9] === 6) {
      put(packet, 36, 0);
      const pseudo = 0xffff - checksum(packet, 12, 20) + 6 + packet.length - 20;
      put(packet, 36, checksum(packet, 20, packet.length, pseudo));
    } else {
      put(packet, 22, 0);
      put(packet, 22, checksum(packet, 20, packet.length));
    }
    return packet;
  };
  const tooBig = (packet: Uint8Array, mtu: number): Uint8Array => {
    const error = new Uint8Array(56);
    error.set([0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9]);
    error.set(packet.subarray(12, 16), 16);
    error.set([3, 4, 0, 0, 0, 0, mtu >> 8, mtu & 0xff], 20);
    error.set(packet.subarray(0, 28), 28);
    return mend(error);
  };
  return { mend, tooBig };
}
