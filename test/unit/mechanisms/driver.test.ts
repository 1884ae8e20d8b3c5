import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../../../src/bytes/index.js";
import type {
  Answer,
  DatagramInput,
  Instant,
  Machine,
  Question,
  SendBytes,
  StreamInput,
  Transmit,
  Wake,
} from "../../../src/contract/index.js";
import { DatagramDriver, StreamDriver } from "../../../src/mechanisms/driver/index.js";
import { SlabPool } from "../../../src/mechanisms/driver/slabs.js";
import { ManualDatagrams, ManualHost, ManualPort } from "../../support/manual-host.js";

type Asks = { name: { ask: { of: string }; answer: string } };
type Event = { readonly kind: "told"; readonly what: string } | Question<Asks>;
type Input = StreamInput | DatagramInput | Answer | SendBytes | { readonly kind: "ask"; readonly of: string };

/** Sends what it is given, in pieces of a size; tells what it is told; asks when asked to. */
class Plain implements Machine<Input, Event> {
  readonly pieceSize: number;
  readonly out: Uint8Array[] = [];
  readonly events: Event[] = [];
  wakeAt: Instant | undefined;
  #asked = 0;
  to: Transmit["to"];
  from: Transmit["from"];

  constructor(pieceSize = 16_384) {
    this.pieceSize = pieceSize;
  }

  handle(input: Input | Wake): void {
    if (input.kind === "send") {
      for (let at = 0; at < input.bytes.length; at += this.pieceSize) {
        this.out.push(input.bytes.subarray(at, at + this.pieceSize));
      }
    } else if (input.kind === "ask") {
      this.events.push({ kind: "question", id: ++this.#asked, question: { kind: "name", of: input.of } });
    } else if (input.kind === "answer") {
      this.events.push({ kind: "told", what: `answer ${input.id} ${input.answer}` });
    } else if (input.kind === "bytes") {
      this.events.push({ kind: "told", what: `bytes ${input.bytes.length}` });
    } else if (input.kind === "datagrams") {
      this.events.push({ kind: "told", what: `datagrams ${input.bytes.length}/${input.segmentSize} ${input.to.port}` });
    } else {
      if (input.kind === "wake") this.wakeAt = undefined;
      this.events.push({ kind: "told", what: input.kind });
    }
  }

  transmit(into: Uint8Array): Transmit | undefined {
    const piece = this.out.shift();
    if (piece === undefined) return undefined;
    into.set(piece);
    return {
      size: piece.length,
      ...(this.to === undefined ? {} : { to: this.to }),
      ...(this.from === undefined ? {} : { from: this.from }),
    };
  }

  event(): Event | undefined {
    return this.events.shift();
  }

  deadline(): Instant | undefined {
    return this.wakeAt;
  }
}

function pattern(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

function streamed(mark?: number, answer?: (ask: { of: string }, signal: AbortSignal) => unknown) {
  const host = new ManualHost();
  const machine = new Plain();
  const told: string[] = [];
  const driver = new StreamDriver<Input, Event>(host, machine, {
    event: (event) => void told.push(event.what),
    writable: () => void told.push("writable"),
    closed: (failure) => void told.push(`over ${failure?.reason ?? "well"}`),
    ...(answer ? { answer } : {}),
  });
  const port = new ManualPort(mark);
  driver.attach(port);
  return { host, machine, told, driver, port };
}

test("what a machine transmits reaches the port in order, packed into few writes", () => {
  const { driver, port } = streamed();
  const bytes = pattern(1_000_000);
  driver.handle({ kind: "send", bytes });
  const writes = port.take();
  assert.deepEqual(concat(...writes), bytes);
  assert.ok(writes.length < 12, `${writes.length} writes`);
});

test("a full port holds the machine back until it has drained, and nothing is lost", () => {
  const { driver, port, machine, told } = streamed(200_000);
  const bytes = pattern(1_000_000);
  assert.equal(driver.handle({ kind: "send", bytes }), false);
  assert.ok(machine.out.length > 40, "the machine keeps what the port does not take");
  const got: Uint8Array[] = [];
  let rounds = 0;
  for (; port.queued > 0; rounds++) {
    if (machine.out.length > 0) assert.deepEqual(told, []);
    got.push(...port.take());
    driver.drained();
  }
  assert.deepEqual(concat(...got), bytes);
  assert.deepEqual(told, ["writable"]);
  assert.equal(rounds, 4);
});

test("slabs come back to the host's pool and are used again", () => {
  const { driver, port, host } = streamed();
  for (let round = 0; round < 10; round++) {
    driver.handle({ kind: "send", bytes: pattern(500_000) });
    assert.deepEqual(concat(...port.take()), pattern(500_000));
  }
  const { kept } = SlabPool.of(host);
  assert.ok(kept >= 1 && kept <= 5, `${kept} slabs kept`);
});

test("a write under way is never overwritten by a later one", () => {
  const { driver, port } = streamed();
  const sent: Uint8Array[] = [];
  for (let i = 1; i < 40; i++) {
    const bytes = new Uint8Array(i * 997).fill(i);
    sent.push(bytes);
    driver.handle({ kind: "send", bytes });
  }
  assert.deepEqual(concat(...port.take()), concat(...sent));
});

test("little output pins no slab", () => {
  const { driver, port, host } = streamed();
  driver.handle({ kind: "send", bytes: utf8("hello") });
  assert.equal(port.queued, 5);
  assert.equal(SlabPool.of(host).kept, 1);
});

test("input given from inside an event handler is handled in the same drain", () => {
  const host = new ManualHost();
  const port = new ManualPort();
  const driver: StreamDriver<Input, Event> = new StreamDriver<Input, Event>(host, new Plain(), {
    event: ({ what }) => void driver.handle({ kind: "send", bytes: utf8(`${what};`) }),
  });
  driver.attach(port);
  driver.opened();
  driver.bytes(pattern(3));
  driver.ended();
  assert.deepEqual(
    port.take().map((bytes) => new TextDecoder().decode(bytes)),
    ["opened;", "bytes 3;", "end;"],
  );
});

test("finish ends our direction only when all is written", () => {
  const { driver, port } = streamed(100_000);
  driver.handle({ kind: "send", bytes: pattern(300_000) });
  driver.finish();
  driver.finish();
  assert.deepEqual(port.calls, []);
  for (let i = 0; i < 5; i++) {
    port.take();
    driver.drained();
  }
  assert.deepEqual(port.calls, ["finish"]);
});

test("close aborts a port that lingers", () => {
  const { driver, port, host } = streamed();
  driver.close(1000);
  host.advance(999);
  assert.deepEqual(port.calls, ["finish"]);
  host.advance(1);
  assert.deepEqual(port.calls, ["finish", "abort"]);
});

test("a machine is woken at its deadline, once, by an alarm that holds no process open", () => {
  const { driver, machine, told, host } = streamed();
  machine.wakeAt = host.time + 500;
  driver.opened();
  assert.deepEqual(
    host.alarms.map(({ at, isRef }) => ({ at, isRef })),
    [{ at: host.time + 500, isRef: false }],
  );
  host.advance(499);
  assert.deepEqual(told, ["opened"]);
  host.advance(1);
  assert.deepEqual(told, ["opened", "wake"]);
  assert.deepEqual(host.alarms, []);
});

test("a deadline that moves away leaves the alarm alone, one that comes nearer sets it anew", () => {
  const { driver, machine, told, host } = streamed();
  const start = host.time;
  for (let i = 0; i < 100; i++) {
    machine.wakeAt = start + 1000 + i;
    driver.bytes(pattern(1));
  }
  assert.equal(host.made, 1);
  host.advance(1000);
  assert.ok(!told.includes("wake"));
  assert.equal(host.made, 2);
  machine.wakeAt = host.time + 10;
  driver.bytes(pattern(1));
  assert.equal(host.made, 3);
  assert.equal(host.alarms.length, 1);
  host.advance(10);
  assert.equal(told.filter((what) => what === "wake").length, 1);
});

test("questions are answered at once, later, or with no", async () => {
  const { driver, told, host } = streamed(undefined, ({ of }, signal) => {
    if (of === "now") return "a";
    if (of === "later") return Promise.resolve("b");
    if (of === "throws") throw new TypeError("no");
    if (of === "rejects") return Promise.reject(new TypeError("no"));
    signal.addEventListener("abort", () => void told.push(`${of} aborted`));
    return new Promise(() => {});
  });
  for (const of of ["now", "later", "throws", "rejects", "never"]) driver.handle({ kind: "ask", of });
  assert.deepEqual(told, ["answer 1 a", "answer 3 undefined"]);
  await new Promise(setImmediate);
  assert.deepEqual(told.slice(2), ["answer 2 b", "answer 4 undefined"]);
  host.advance(60_000);
  assert.deepEqual(told.slice(4), ["never aborted", "answer 5 undefined"]);
});

test("when the port closes the machine hears of it last, and open questions are aborted", () => {
  let aborted = 0;
  const { driver, told, machine, host } = streamed(undefined, (_, signal) => {
    signal.addEventListener("abort", () => void aborted++);
    return new Promise(() => {});
  });
  machine.wakeAt = host.time + 1;
  driver.handle({ kind: "ask", of: "x" });
  driver.closed();
  assert.equal(aborted, 1);
  assert.deepEqual(told, ["closed", "over well"]);
  assert.equal(driver.handle({ kind: "send", bytes: pattern(1) }), true);
  host.advance(100_000);
  assert.deepEqual(told, ["closed", "over well"]);
});

test("the application's pause reaches the port", () => {
  const { driver, port } = streamed();
  driver.pause();
  driver.resume();
  assert.deepEqual(port.calls, ["pause", "resume"]);
});

test("a datagram driver sends each transmit from the port that it names", async () => {
  const host = new ManualHost();
  const net = new ManualDatagrams();
  const machine = new Plain(100);
  const told: string[] = [];
  const driver = new DatagramDriver<Input, Event>(host, machine, {
    event: ({ what }) => void told.push(what),
    closed: () => void told.push("over"),
  });
  const a = { address: "192.0.2.1", port: 1000 };
  const b = { address: "192.0.2.1", port: 2000 };
  await driver.bind(net.network, a);
  await driver.bind(net.network, b);
  assert.deepEqual(told, ["opened"]);

  machine.to = { address: "192.0.2.9", port: 9 };
  driver.handle({ kind: "send", bytes: pattern(250) });
  machine.from = a;
  driver.handle({ kind: "send", bytes: pattern(50) });
  assert.deepEqual(
    net.sent.map(({ bytes, from, to }) => [bytes.length, from.port, to?.port]),
    [
      [100, 2000, 9],
      [100, 2000, 9],
      [50, 2000, 9],
      [50, 1000, 9],
    ],
  );

  net.sinks[0]!.datagrams(pattern(30), machine.to, 10, 0);
  assert.deepEqual(told.slice(1), ["datagrams 30/10 1000"]);
  driver.close();
  await new Promise(setImmediate);
  assert.deepEqual(told.slice(2), ["closed", "over"]);
});

test("a blocked datagram port holds the machine back until it is writable", async () => {
  const host = new ManualHost();
  const net = new ManualDatagrams();
  const told: string[] = [];
  const driver = new DatagramDriver<Input, Event>(host, new Plain(100), {
    event: ({ what }) => void told.push(what),
    writable: () => void told.push("writable"),
  });
  await driver.bind(net.network, { address: "192.0.2.1", port: 1000 });
  net.blocked = true;
  assert.equal(driver.handle({ kind: "send", bytes: pattern(250) }), false);
  assert.equal(net.sent.length, 0);
  net.blocked = false;
  net.sinks[0]!.writable?.();
  assert.equal(net.sent.length, 3);
  assert.deepEqual(told, ["opened", "writable"]);
});
