import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../../src/bytes/index.js";
import type { Failure, TcpOption } from "../../../src/contract/index.js";
import type { Stack, TcpConnection } from "../../../src/stack/index.js";
import { Ladder } from "./ladder.js";
import { pattern, StackPair } from "./pair.js";

const far = parseAddress("10.0.0.2")!;

/** A connection over ten milliseconds each way, and its ladder from here on. */
function connected(wire = { delayMs: 10 }): {
  pair: StackPair;
  ladder: Ladder;
  client: TcpConnection;
  server: TcpConnection;
} {
  const pair = new StackPair(wire, 1, { mtu: 1_052 });
  const ladder = new Ladder(pair);
  const { client, server } = pair.connect();
  // The first window was all that a SYN can tell; what follows opens it.
  client.write(pattern(1_000));
  server.write(pattern(1_000));
  pair.run(1_000);
  ladder.take();
  ladder.count = 1_000;
  return { pair, ladder, client, server };
}

test("RFC 9293 §3.5: the handshake, with ECN asked for and agreed on, and the end of both directions", () => {
  const pair = new StackPair({ delayMs: 10 }, 1, { mtu: 1_052 });
  const ladder = new Ladder(pair);
  const { client, server } = pair.connect();
  pair.run(100);
  assert.deepEqual(ladder.take(), ["0 ▶ SYN ECE CWR 0–1", "10 ◀ SYN ACK ECE 0–1 ack 1", "20 ▶ ACK 1–1 ack 1"]);
  client.finish();
  pair.run(100);
  server.finish();
  pair.run(100);
  assert.deepEqual(ladder.take(), [
    "0 ▶ FIN ACK 1–2 ack 1",
    "10 ◀ ACK 1–1 ack 2",
    "100 ◀ FIN ACK 1–2 ack 2",
    "110 ▶ ACK 2–2 ack 2",
  ]);
  assert.deepEqual([client.state, server.state], ["timeWait", "closed"]);
});

test("RFC 9293 §3.5, Figure 7: both open at once, and one connection comes of it", () => {
  const pair = new StackPair({ delayMs: 10 });
  const ladder = new Ladder(pair);
  const near = parseAddress("10.0.0.1")!;
  const a = pair.stacks[0].connect({ address: far, port: 2_000 }, pair.now, { local: { port: 1_000 } });
  const b = pair.stacks[1].connect({ address: near, port: 1_000 }, pair.now, { local: { port: 2_000 } });
  pair.run(100);
  assert.deepEqual([a.state, b.state], ["established", "established"]);
  assert.deepEqual(ladder.take().slice(0, 4), [
    "0 ▶ SYN ECE CWR 0–1",
    "0 ◀ SYN ECE CWR 0–1",
    "10 ▶ SYN ACK ECE 0–1 ack 1",
    "10 ◀ SYN ACK ECE 0–1 ack 1",
  ]);
  a.write(pattern(10));
  pair.run(1_000);
  assert.equal(pair.of(b).received, 10);
});

test("RFC 9293 §3.6, Figure 13: both close at once", () => {
  const { pair, ladder, client, server } = connected();
  client.finish();
  server.finish();
  pair.run(100);
  assert.deepEqual(ladder.take(), [
    "0 ▶ FIN ACK 1–2 ack 1",
    "0 ◀ FIN ACK 1–2 ack 1",
    "10 ▶ ACK 2–2 ack 2",
    "10 ◀ ACK 2–2 ack 2",
  ]);
  assert.deepEqual([client.state, server.state], ["timeWait", "timeWait"]);
});

test("RFC 9293 §3.5.1, Figure 9: a peer that remembers an old connection is reset out of the way", () => {
  const { pair, ladder, client, server } = connected();
  const { localPort } = client.tuple;
  // Our end is started anew and knows nothing.
  const fresh = new StackPair({ delayMs: 10 }, 2, { mtu: 1_052 });
  const again = fresh.stacks[0];
  (pair.stacks as [Stack, Stack])[0] = again;
  const reopened = again.connect({ address: far, port: 80 }, pair.now, { local: { port: localPort } });
  pair.run(3_000);
  assert.equal(pair.of(server).closed, true);
  assert.equal(pair.of(reopened).opened, true);
  const lines = ladder.take();
  assert.match(lines[1]!, /^10 ◀ ACK /);
  assert.match(lines[2]!, /^20 ▶ RST /);
});

test("RFC 9293 §3.8.6.3: one segment is acknowledged after 40 ms, two at once", () => {
  const { pair, ladder, client } = connected();
  client.write(pattern(100));
  pair.run(200);
  assert.deepEqual(ladder.take(), ["0 ▶ ACK 1–101 ack 1 ECT", "50 ◀ ACK 1–1 ack 101"]);
  client.write(pattern(2_000));
  pair.run(200);
  assert.deepEqual(ladder.take(), [
    "0 ▶ ACK 101–1101 ack 1 ECT",
    "0 ▶ ACK 1101–2101 ack 1 ECT",
    "10 ◀ ACK 1–1 ack 2101",
  ]);
});

test("RFC 9293 §3.7.4: Nagle holds small segments back while one is on its way, and its switch lets them go", () => {
  const { pair, ladder, client } = connected();
  client.noDelay = false;
  for (let i = 0; i < 3; i++) {
    client.write(pattern(10));
    pair.run(1);
  }
  pair.run(200);
  assert.deepEqual(ladder.take(), [
    "0 ▶ ACK 1–11 ack 1 ECT",
    "50 ◀ ACK 1–1 ack 11",
    "60 ▶ ACK 11–31 ack 1 ECT",
    "110 ◀ ACK 1–1 ack 31",
  ]);
  client.noDelay = true;
  for (let i = 0; i < 2; i++) {
    client.write(pattern(10));
    pair.run(1);
  }
  assert.deepEqual(ladder.take(), ["0 ▶ ACK 31–41 ack 1 ECT", "1 ▶ ACK 41–51 ack 1 ECT"]);
});

test("RFC 9293 §3.8.6.1: a closed window is probed, farther and farther apart", () => {
  const pair = new StackPair({ delayMs: 10 }, 1, { mtu: 1_052 });
  const ladder = new Ladder(pair);
  const listener = pair.stacks[1].listen(80, { receiveWindow: 4_000 });
  const client = pair.stacks[0].connect({ address: far, port: 80 }, pair.now);
  pair.run(1_000);
  const server = listener.accept()!;
  pair.reading = false;
  client.write(pattern(10_000));
  pair.run(500);
  ladder.take();
  pair.run(4_000);
  const probes = ladder.take().filter((line) => line.includes("▶"));
  const times = probes.map((line) => Number.parseInt(line, 10));
  assert.ok(
    probes.every((line) => line.includes("4001–4002")),
    probes.join("\n"),
  );
  assert.ok(probes.length >= 3);
  for (let i = 2; i < times.length; i++) {
    assert.ok(times[i]! - times[i - 1]! >= 1.9 * (times[i - 1]! - times[i - 2]!), `${times}`);
  }
  pair.reading = true;
  server.consumed(4_000);
  pair.run(5_000);
  assert.equal(pair.of(server).received, 10_000);
});

test("RFC 2018, 6675, 8985: what is missing is told by blocks, and sent again once, after one round trip", () => {
  const { pair, ladder, client, server } = connected();
  client.write(pattern(4_000));
  pair.run(100);
  ladder.take();
  let first = true;
  ladder.lose = (line) => {
    const isLost = first && line.includes("▶ ACK 5001–");
    if (isLost) first = false;
    return isLost;
  };
  client.write(pattern(5_000));
  pair.run(500);
  assert.deepEqual(ladder.take(), [
    "0 ▶ ACK 4001–5001 ack 1 ECT",
    "0 ▶ ACK 5001–6001 ack 1 ECT ✗",
    "0 ▶ ACK 6001–7001 ack 1 ECT",
    "0 ▶ ACK 7001–8001 ack 1 ECT",
    "0 ▶ ACK 8001–9001 ack 1 ECT",
    "10 ◀ ACK 1–1 ack 5001 sack 6001–9001",
    "20 ▶ ACK 5001–6001 ack 1",
    "30 ◀ ACK 1–1 ack 9001",
  ]);
  assert.equal(pair.of(server).received, 10_000);
});

test("RFC 2883: what comes twice is told by a block of its own", () => {
  const { pair, ladder, client } = connected();
  let kept: Uint8Array | undefined;
  ladder.lose = (line, packet) => {
    if (line.includes("▶ ACK 1–101")) kept = packet.slice();
    return false;
  };
  client.write(pattern(100));
  pair.run(100);
  ladder.take();
  pair.stacks[1].handle({ kind: "packets", bytes: kept!, ranges: Uint32Array.of(0, kept!.length), count: 1 }, pair.now);
  pair.run(50);
  assert.deepEqual(ladder.take(), ["0 ◀ ACK 1–1 ack 101 sack 1–101"]);
});

test("RFC 8985 §7: a lost tail is probed for after two round trips", () => {
  const { pair, ladder, client } = connected();
  client.write(pattern(4_000));
  pair.run(200);
  ladder.take();
  let first = true;
  ladder.lose = (line) => {
    const isLost = first && line.includes("▶ ACK 5001–");
    if (isLost) first = false;
    return isLost;
  };
  client.write(pattern(2_000));
  pair.run(500);
  const lines = ladder.take();
  assert.equal(lines[1], "0 ▶ ACK 5001–6001 ack 1 ECT ✗");
  const probe = lines.find((line) => /▶ ACK 5001–6001/.test(line) && !line.endsWith("✗"))!;
  const at = Number.parseInt(probe, 10);
  assert.ok(at >= 40 && at < 200, probe);
});

test("RFC 6298 §5: without an answer the timeout doubles, and what was sent first goes first", () => {
  const { pair, ladder, client } = connected();
  ladder.lose = () => true;
  client.write(pattern(100));
  pair.run(4_000);
  const times = ladder.take().map((line) => Number.parseInt(line, 10));
  // The first, a tail probe, then timeouts.
  const gaps = times.slice(2).map((time, i) => time - times[i + 1]!);
  for (let i = 1; i < gaps.length; i++) assert.ok(Math.abs(gaps[i]! / gaps[i - 1]! - 2) < 0.1, `${times}`);
});

test("RFC 3522, 5681: a timeout that was none takes nothing from the window", () => {
  const { pair, client } = connected();
  client.write(pattern(100_000));
  pair.run(3_000);
  const { window } = client.sender.controller;
  // Everything is late, and nothing is lost.
  pair.wire = { delayMs: 400 };
  client.write(pattern(20_000));
  pair.run(3_000);
  assert.ok(client.sender.controller.window >= window, `${window} before, ${client.sender.controller.window} after`);
});

test("RFC 3168: a mark is echoed until it is answered, and the window shrinks once", () => {
  const { pair, ladder, client, server } = connected();
  client.write(pattern(50_000));
  pair.run(2_000);
  ladder.take();
  const { window } = client.sender.controller;
  let marks = 1;
  ladder.lose = (line, packet) => {
    if (line.includes("▶") && line.includes("ECT") && marks-- > 0) {
      // ECT(0) becomes CE; the checksum of the header goes with it.
      packet[1] = packet[1]! | 3;
      const sum = ((packet[10]! << 8) | packet[11]!) - 1;
      packet[10] = sum >> 8;
      packet[11] = sum & 255;
    }
    return false;
  };
  client.write(pattern(8_000));
  pair.run(30);
  client.write(pattern(4_000));
  pair.run(500);
  const lines = ladder.take();
  assert.ok(
    lines.some((line) => /◀ ACK ECE/.test(line)),
    lines.join("\n"),
  );
  assert.equal(lines.filter((line) => /▶ ACK CWR/.test(line)).length, 1);
  assert.ok(!lines.at(-1)!.includes("ECE"), "the answer ends it");
  assert.ok(client.sender.controller.window < window);
  assert.equal(pair.of(server).received, 63_000);
});

test("RFC 9293 §3.8.4: keep-alive asks with a number that is known already", () => {
  const { pair, ladder, client } = connected();
  client.setKeepAlive(1_000, pair.now);
  pair.stacks[0].touched(client, pair.now);
  pair.run(1_500);
  assert.deepEqual(ladder.take(), ["1000 ▶ ACK 0–0 ack 1", "1010 ◀ ACK 1–1 ack 1"]);
});

test("RFC 6528: initial numbers differ from tuple to tuple, and go on with time for one", () => {
  const pair = new StackPair({ delayMs: 1 });
  const numberOf = (port: number): number =>
    pair.stacks[0].connect({ address: far, port }, pair.now, { local: { port: 1_000 } }).sender.initial;
  const numbers = Array.from({ length: 100 }, (_, i) => numberOf(2_000 + i));
  assert.equal(new Set(numbers.map((each) => each >>> 16)).size > 80, true);
  const first = numberOf(5_000);
  pair.run(300_000);
  const second = numberOf(5_000);
  // Four microseconds a step.
  const steps = (second - first) >>> 0;
  assert.ok(Math.abs(steps - 75_000_000) < 10, `${steps}`);
});

test("RFC 5461: an ICMP error ends an attempt to connect, and only tells a connection that stands", () => {
  const pair = new StackPair({ delayMs: 1 });
  const unreachable = (packet: Uint8Array): Uint8Array => {
    const error = new Uint8Array(56);
    error.set([0x45, 0, 0, 56, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9, ...packet.subarray(12, 16), 3, 1]);
    error.set(packet.subarray(0, 28), 28);
    for (const [at, from, to] of [
      [10, 0, 20],
      [22, 20, 56],
    ] as const) {
      let total = 0;
      for (let i = from; i < to; i += 2) total += (error[i]! << 8) | error[i + 1]!;
      while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
      error[at] = (~total >> 8) & 255;
      error[at + 1] = ~total & 255;
    }
    return error;
  };
  let isBlocked = true;
  pair.filter = (packet, from) => {
    if (!isBlocked || from !== 0) return true;
    const error = unreachable(packet);
    pair.stacks[0].handle({ kind: "packets", bytes: error, ranges: Uint32Array.of(0, 56), count: 1 }, pair.now);
    return false;
  };
  const refused = pair.stacks[0].connect({ address: far, port: 80 }, pair.now);
  pair.run(100);
  assert.ok(pair.of(refused).closed);
  assert.equal((pair.of(refused).failure as Failure).reason, "no-route");
  isBlocked = false;
  const { client, server } = pair.connect();
  isBlocked = true;
  client.write(pattern(100));
  pair.run(1_000);
  const told = pair.events[0].filter((event) => event.kind === "soft-error" && event.of === client);
  assert.ok(told.length > 0 && !pair.of(client).closed);
  isBlocked = false;
  pair.run(5_000);
  assert.equal(pair.of(server).received, 100);
});

test("an option from outside is put on SYNs and on segments, read at the other end, and takes its room (RFC 8547)", () => {
  const pair = new StackPair({ delayMs: 10 }, 1, { mtu: 1_052 });
  const ladder = new Ladder(pair);
  const heard: string[] = [];
  const extension = (who: string) => () => {
    let left = 3;
    return {
      isSettled: false,
      write: (syn: boolean) => (left-- > 0 ? Uint8Array.of(69, 5, syn ? 1 : 2, 3, 4) : undefined),
      read: (options: readonly TcpOption[], syn: boolean, ack: boolean) => {
        const flags = `${syn ? "SYN" : ""}${ack ? " ACK" : ""}`.trim();
        for (const { kind, content } of options) heard.push(`${who} ${kind} ${content} ${flags}`);
      },
    };
  };
  const listener = pair.stacks[1].listen(80, { extension: extension("server") });
  const client = pair.stacks[0].connect({ address: far, port: 80 }, pair.now, { extension: extension("client") });
  pair.run(100);
  const server = listener.accept()!;
  assert.ok(server.extension !== undefined && client.extension !== undefined);
  client.write(pattern(3_000));
  pair.run(500);
  assert.equal(pair.of(server).received, 3_000);
  assert.deepEqual(heard.slice(0, 3), ["server 69 1,3,4 SYN", "client 69 1,3,4 SYN ACK", "server 69 2,3,4 ACK"]);
  assert.ok(heard.includes("client 69 2,3,4 ACK"));
  const sizes = ladder.take().flatMap((line) => /▶ ACK (\d+)–(\d+)/.exec(line)?.slice(1, 3).map(Number) ?? []);
  assert.ok(sizes.length > 0);
});

test("two stacks with the same addresses live side by side and never meet", () => {
  const [one, other] = [new StackPair({ delayMs: 5 }, 1), new StackPair({ delayMs: 5 }, 2)];
  const [a, b] = [one.connect(), other.connect()];
  a.client.write(pattern(1_000));
  b.client.write(pattern(2_000));
  one.run(500);
  other.run(500);
  assert.equal(one.of(a.server).received, 1_000);
  assert.equal(other.of(b.server).received, 2_000);
  a.client.abort();
  one.run(500);
  b.client.write(pattern(500));
  other.run(500);
  assert.equal(other.of(b.server).received, 2_500);
});
