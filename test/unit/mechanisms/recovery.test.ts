import assert from "node:assert/strict";
import { test } from "node:test";
import { NewReno } from "../../../src/mechanisms/congestion/index.js";
import { Recovery, Sent } from "../../../src/mechanisms/recovery/index.js";

const size = 1_000;
const data = Sent.ackEliciting | Sent.inFlight;

/** A sender whose packets hold their own number, and a record of what it heard of them. */
class Bench {
  readonly acknowledged: number[] = [];
  readonly lost: number[] = [];
  readonly recovery: Recovery;

  constructor(options: { isClient?: boolean; pacing?: boolean } = {}) {
    this.recovery = new Recovery({
      spaces: 3,
      isClient: options.isClient ?? false,
      pacing: options.pacing ?? false,
      packetSize: size,
      controller: (packetSize) => new NewReno(packetSize),
      contents: {
        acknowledged: (_space, _kind, id) => void this.acknowledged.push(id),
        lost: (_space, _kind, id) => void this.lost.push(id),
      },
    });
    this.recovery.confirmed = true;
  }

  send(now: number, numbers: readonly number[], space = 2, flags: number = data): void {
    for (const number of numbers) {
      this.recovery.hold(2, number, 10 * number, 10 * number + 10);
      this.recovery.sent(space, number, size, flags, now);
    }
  }

  /** Pairs of first and last, the highest first. */
  ack(now: number, bounds: readonly number[], space = 2, delayMs = 0): "ok" | "unsent" {
    return this.recovery.acknowledge(space, Float64Array.from(bounds), bounds.length / 2, delayMs, now);
  }
}

test("three packets later is lost (RFC 9002 §6.1.1)", () => {
  const bench = new Bench();
  bench.send(0, [0, 1, 2, 3]);
  bench.ack(100, [2, 2]);
  assert.deepEqual(bench.lost, []);
  bench.ack(100, [3, 3]);
  assert.deepEqual(bench.lost, [0]);
  assert.deepEqual(bench.acknowledged, [2, 3]);
  assert.equal(bench.recovery.bytesInFlight, size);
  assert.equal(bench.recovery.packetsLost, 1);
});

test("or nine eighths of a round trip later (§6.1.2)", () => {
  const bench = new Bench();
  bench.send(0, [0, 1]);
  bench.ack(80, [1, 1]);
  assert.equal(bench.recovery.deadline(), 90);
  assert.equal(bench.recovery.timeout(89), "none");
  assert.equal(bench.recovery.timeout(90), "lost");
  assert.deepEqual(bench.lost, [0]);
  assert.equal(bench.recovery.bytesInFlight, 0);
});

test("the delay that the peer confesses is taken off the sample, as far as it promised (§5.3)", () => {
  const bench = new Bench();
  bench.send(0, [0]);
  bench.ack(100, [0, 0]);
  bench.send(200, [1]);
  bench.ack(420, [1, 1], 2, 100);
  const { rtt } = bench.recovery;
  assert.equal(rtt.latestMs, 220);
  // 220 less the 25 promised, an eighth of the way from 100.
  assert.equal(rtt.smoothedMs, 100 + (195 - 100) / 8);
  assert.equal(rtt.minMs, 100);
});

test("an acknowledgement of what was never sent is found out, and takes nothing (§13.1 of RFC 9000, §21.4)", () => {
  const bench = new Bench();
  bench.send(0, [0, 1, 3]);
  assert.equal(bench.ack(50, [4, 4]), "unsent");
  assert.equal(bench.ack(50, [0, 3]), "unsent", "2 was left out");
  assert.deepEqual(bench.acknowledged, []);
  assert.equal(bench.ack(50, [3, 3, 0, 1]), "ok");
  assert.deepEqual(bench.acknowledged, [0, 1, 3]);
  assert.equal(bench.ack(50, [3, 3, 0, 1]), "ok", "again");
  assert.equal(bench.recovery.newlyAcked, 0);
});

test("probe timeouts double, and put what the oldest packets held into the queue again (§6.2)", () => {
  const bench = new Bench();
  const { recovery } = bench;
  bench.send(0, [0]);
  bench.ack(100, [0, 0]);
  bench.send(1_000, [1, 2, 3]);
  // 100 + max(1, 4 × 50) + 25
  assert.equal(recovery.deadline(), 1_325);
  assert.equal(recovery.timeout(1_325), "probe");
  assert.equal(recovery.probeSpace, 2);
  assert.equal(recovery.probes, 2);
  assert.deepEqual(bench.lost, [1, 2]);
  assert.equal(recovery.bytesInFlight, 3 * size, "nothing is given up");
  bench.send(1_325, [4, 5]);
  assert.equal(recovery.probes, 0);
  assert.equal(recovery.deadline(), 1_325 + 650);
  assert.equal(recovery.timeout(1_975), "probe");
  assert.deepEqual(bench.lost, [1, 2, 3, 4], "the oldest that had not gone again");
  bench.send(1_975, [6]);
  bench.ack(2_100, [6, 6]);
  assert.equal(recovery.ptoCount, 0);
  assert.deepEqual(bench.lost, [1, 2, 3, 4, 5], "each told once");
});

test("a loss that arrives after all is taken back, and reordering is borne from then on", () => {
  const bench = new Bench();
  const { recovery } = bench;
  bench.send(0, [0, 1, 2, 3, 4, 5]);
  const before = recovery.controller.window;
  bench.ack(100, [5, 5]);
  assert.deepEqual(bench.lost, [0, 1, 2]);
  assert.ok(recovery.controller.window < before);
  bench.ack(105, [5, 5, 0, 2]);
  assert.equal(recovery.packetsLostSpuriously, 3);
  assert.ok(recovery.controller.window >= before);
  assert.deepEqual(bench.acknowledged, [5, 0, 1, 2]);
  bench.send(200, [6, 7, 8, 9, 10, 11]);
  bench.ack(300, [11, 11, 3, 5]);
  assert.deepEqual(bench.lost, [0, 1, 2], "five behind is not lost any more");
});

test("persistent congestion collapses the window to two packets (§7.6)", () => {
  const bench = new Bench();
  const { recovery } = bench;
  bench.send(0, [0]);
  bench.ack(100, [0, 0]);
  // The duration is 3 × (100 + 4 × 37.5 + 25) = 825 ms.
  for (let i = 1; i <= 7; i++) bench.send(100 + 100 * i, [i]);
  bench.send(1_000, [8, 9, 10, 11]);
  bench.ack(1_100, [11, 11]);
  assert.deepEqual(bench.lost, [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.ok(recovery.controller.window > size);
  const other = new Bench();
  other.send(0, [0]);
  other.ack(100, [0, 0]);
  for (let i = 1; i <= 12; i++) other.send(100 + 100 * i, [i]);
  other.send(1_400, [13, 14, 15, 16]);
  other.ack(1_500, [16, 16]);
  assert.equal(other.recovery.controller.window, size, "from 200 to 1,300");
  assert.equal(other.recovery.allowance(1_500), 0, "three packets are still out");
});

test("a client without anything in flight probes until the server has validated its address (§6.2.2.1)", () => {
  const bench = new Bench({ isClient: true });
  const { recovery } = bench;
  recovery.confirmed = false;
  bench.send(0, [0], 0);
  bench.ack(100, [0, 0], 0);
  assert.equal(recovery.deadline(), 100 + 300);
  recovery.setKeys(1, true);
  assert.equal(recovery.timeout(400), "probe");
  assert.equal(recovery.probeSpace, 1);
  assert.equal(recovery.ptoCount, 1);
  recovery.peerValidated = true;
  assert.equal(recovery.deadline(), undefined);
});

test("the application's space has no probe timeout before the handshake is confirmed, nor a blocked server any", () => {
  const bench = new Bench();
  const { recovery } = bench;
  recovery.confirmed = false;
  bench.send(0, [0]);
  assert.equal(recovery.deadline(), undefined);
  bench.send(0, [0], 1);
  assert.equal(recovery.deadline(), 999);
  recovery.amplificationBlocked = true;
  assert.equal(recovery.deadline(), undefined);
});

test("discarded keys take their packets out of flight (§6.4); a Retry gives them back", () => {
  const bench = new Bench();
  const { recovery } = bench;
  bench.send(0, [0, 1], 0);
  bench.send(0, [0], 1);
  recovery.discard(0, 5);
  assert.equal(recovery.bytesInFlight, size);
  assert.deepEqual(bench.lost, []);
  recovery.lostAll(1);
  assert.equal(recovery.bytesInFlight, 0);
  assert.deepEqual(bench.lost, [0]);
  assert.equal(recovery.controller.slowStartThreshold, Number.POSITIVE_INFINITY);
});

test("the loss of an MTU probe is no congestion (RFC 9000 §14.4)", () => {
  const bench = new Bench();
  bench.send(0, [0], 2, data | Sent.probe);
  bench.send(0, [1, 2, 3]);
  bench.ack(100, [1, 3]);
  assert.deepEqual(bench.lost, [0]);
  assert.equal(bench.recovery.controller.slowStartThreshold, Number.POSITIVE_INFINITY);
});

test("CE marks count once a round trip, and are not taken back", () => {
  const bench = new Bench();
  const { recovery } = bench;
  bench.send(0, [0, 1, 2, 3, 4, 5, 6]);
  bench.ack(100, [0, 4]);
  const before = recovery.controller.window;
  recovery.congestionExperienced(2, 100);
  const { window } = recovery.controller;
  assert.ok(window < before);
  bench.ack(101, [0, 6]);
  recovery.congestionExperienced(2, 101);
  assert.equal(recovery.controller.window, window);
});

test("another path: nothing of the old one counts (RFC 9000 §9.4)", () => {
  const bench = new Bench();
  const { recovery } = bench;
  bench.send(0, [0]);
  bench.ack(100, [0, 0]);
  bench.send(200, [1, 2]);
  recovery.newPath(size);
  assert.equal(recovery.bytesInFlight, 0);
  assert.equal(recovery.rtt.sampled, false);
  bench.send(300, [3, 4, 5]);
  bench.ack(310, [1, 1]);
  assert.equal(recovery.rtt.sampled, false);
  bench.ack(360, [5, 5, 1, 1]);
  assert.equal(recovery.rtt.latestMs, 60);
  assert.deepEqual(bench.lost, [2]);
  assert.equal(recovery.controller.slowStartThreshold, Number.POSITIVE_INFINITY);
});

test("packets that only acknowledge fill no table, and one who acknowledges nothing holds a bounded one", () => {
  const bench = new Bench();
  for (let number = 0; number < 1_000; number++) bench.send(number, [number], 2, 0);
  bench.send(1_000, [1_000]);
  for (let number = 1_001; number < 80_000; number++) bench.send(number, [number], 2, 0);
  assert.deepEqual(bench.lost, [1_000], "it was the lowest of a full table");
  assert.equal(bench.recovery.bytesInFlight, 0);
  assert.equal(bench.ack(80_000, [79_000, 79_999]), "ok");
});

test("the pace spreads a window over the round trip", () => {
  const bench = new Bench({ pacing: true });
  const { recovery } = bench;
  bench.send(0, [0]);
  bench.ack(100, [0, 0]);
  let number = 1;
  let now = 100;
  const sentAt: number[] = [];
  while (recovery.bytesInFlight <= recovery.controller.window - size && now < 300) {
    if (recovery.allowance(now) > 0) {
      bench.send(now, [number++]);
      sentAt.push(now);
    } else now = recovery.paceAt(now)!;
  }
  assert.ok(sentAt.filter((at) => at === 100).length <= 10, "the first burst");
  assert.ok(sentAt[sentAt.length - 1]! > 100 && sentAt[sentAt.length - 1]! < 200, "and the rest before the next");
});
