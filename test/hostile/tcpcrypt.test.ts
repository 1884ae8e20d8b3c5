import assert from "node:assert/strict";
import { test } from "node:test";
import { equal, utf8 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import {
  connect,
  symCiphers,
  type TcpcryptEvent,
  type TcpcryptFailure,
  TcpcryptMachine,
  tcpcryptConfig,
  teps,
} from "../../src/protocols/tcpcrypt/index.js";
import { KeySchedule } from "../../src/protocols/tcpcrypt/keys.js";
import { FrameSealer } from "../../src/protocols/tcpcrypt/record/frames.js";
import { halfOpenMax } from "../../src/stack/limits.js";
import { addresses, type EnoWorld, enoWorld } from "../support/eno-world.js";
import { Ack, Fin, type ForgedSegment, forge, Psh, Rst, readSegment, Syn, withoutOption } from "../support/packets.js";
import { provider as crypto } from "../support/provider.js";
import { runScenario, scenario } from "../support/scenario.js";
import { Ear, exchange, pattern, port, type TcpcryptPair, tcpcryptPair } from "../support/tcpcrypt-pair.js";

type Segment = ReturnType<typeof readSegment>;

/** Changes segments on their way. */
function meddle(wire: EnoWorld, change: (segment: Segment, from: 0 | 1) => Partial<ForgedSegment> | undefined): void {
  wire.meddle = (packet, from) => {
    const segment = readSegment(packet);
    const changed = change(segment, from);
    return [changed === undefined ? packet : forge({ ...segment, ...changed })];
  };
}

const isSyn = ({ flags }: ForgedSegment): boolean => (flags & Syn) !== 0;
const reasonOf = (failure: unknown): string | undefined => (failure as TcpcryptFailure | undefined)?.reason;
const atOf = (failure: unknown): string | undefined => (failure as TcpcryptFailure | undefined)?.at;

/** Watches the wire: bytes of the application in the clear. */
function watchClear(wire: EnoWorld): () => boolean {
  const words = pattern(24);
  let seen = false;
  const before = wire.meddle;
  wire.meddle = (packet, from) => {
    for (let at = 0; at + words.length <= packet.length && !seen; at++) {
      if (packet[at] === words[0] && equal(packet.subarray(at, at + words.length), words)) seen = true;
    }
    return before(packet, from);
  };
  return () => seen;
}

const kindAt = (options: Uint8Array): number => {
  for (let at = 0; at < options.length && options[at] !== 0; at += options[at] === 1 ? 1 : options[at + 1]!) {
    if (options[at] === 69) return at;
  }
  return -1;
};

for (const side of [0, 1] as const) {
  scenario(
    `a bit of ${side === 0 ? "A" : "B"}'s ENO option that changes on the way never makes a connection`,
    1,
    async (world) => {
      const wire = await enoWorld(world);
      const bits = (side === 0 ? 4 : 2) * 8;
      for (let bit = 0; bit < bits; bit++) {
        meddle(wire, (segment, from) => {
          const at = kindAt(segment.options);
          if (!isSyn(segment) || from !== side || at < 0) return undefined;
          const options = segment.options.slice();
          options[at + 2 + (bit >> 3)]! ^= 1 << (bit & 7);
          return { options };
        });
        const isClear = watchClear(wire);
        const pair = await tcpcryptPair(world, wire, {}, {}, 1_000 + bit);
        pair.session.write(pattern(100));
        pair.session.finish();
        await world.until(() => pair.a.isOver);
        assert.ok(pair.a.failure !== undefined, `bit ${bit}`);
        assert.deepEqual([pair.a.received, pair.b.received, isClear()], [0, 0, false], `bit ${bit}`);
        await world.finish(pair.listener.close());
      }
    },
  );
}

scenario(
  "a bit of any message that changes on the way is found, and nothing wrong is delivered",
  40,
  async (world, seed) => {
    const wire = await enoWorld(world);
    let messages = 0;
    meddle(wire, ({ payload }) => {
      if (payload.length === 0 || messages++ !== seed % 5) return undefined;
      const flipped = payload.slice();
      const at = Math.floor((((seed * 7_919) % 1_000) * payload.length) / 1_000);
      flipped[at]! ^= 1 << (seed & 7);
      return { payload: flipped };
    });
    const pair = await tcpcryptPair(world, wire);
    pair.session.write(pattern(2_000));
    await world.run(2_000);
    pair.session.finish();
    // Who waits for a message whose length has changed is cut off in its time.
    await world.until(() => pair.a.isOver && pair.b.isOver);
    assert.ok(pair.a.isRight && pair.b.isRight);
    assert.ok(pair.a.failure !== undefined || pair.b.failure !== undefined);
  },
);

for (const [what, when, reasons] of [
  ["a SYN", (segment: Segment, from: 0 | 1) => isSyn(segment) && from === 0, ["no-option", "no-option"]],
  ["a SYN-ACK", (segment: Segment, from: 0 | 1) => isSyn(segment) && from === 1, ["no-option", "not-acknowledged"]],
  ["what follows", (segment: Segment) => !isSyn(segment), [undefined, "not-acknowledged"]],
] as const) {
  scenario(
    `the option stripped off ${what} is a refusal with its reason, and no byte in the clear`,
    1,
    async (world) => {
      const wire = await enoWorld(world);
      meddle(wire, (segment, from) =>
        when(segment, from) ? { options: withoutOption(segment.options, 69) } : undefined,
      );
      const isClear = watchClear(wire);
      const pair = await tcpcryptPair(world, wire);
      pair.session.write(pattern(1_000));
      pair.session.finish();
      await world.until(() => pair.a.isOver && (pair.b.isOver || pair.b.session === undefined));
      if (reasons[0] !== undefined)
        assert.deepEqual([reasonOf(pair.a.failure), atOf(pair.a.failure)], ["not-negotiated", reasons[0]]);
      assert.ok(pair.a.failure !== undefined);
      if (pair.b.session !== undefined) assert.equal(atOf(pair.b.failure), reasons[1]);
      assert.deepEqual([pair.b.received, isClear()], [0, false]);
    },
  );
}

scenario("a better TEP taken out of A's offer is no connection with the worse one", 1, async (world) => {
  const wire = await enoWorld(world);
  meddle(wire, (segment, from) => {
    const at = kindAt(segment.options);
    if (!isSyn(segment) || from === 1 || at < 0) return undefined;
    const options = segment.options.slice();
    // 23 24 21 22: only the last is left, four times.
    options.fill(0x22, at + 2, at + 5);
    options[at + 5] = 0x22;
    options[at + 1] = 3;
    options.fill(1, at + 3, at + 6);
    return { options };
  });
  const pair = await tcpcryptPair(world, wire);
  pair.session.write(pattern(100));
  pair.session.finish();
  await world.until(() => pair.a.isOver && pair.b.isOver);
  assert.equal(pair.b.session?.outcome?.encrypted && pair.b.session.outcome.tep, "TCPCRYPT_ECDHE_P521");
  assert.ok(pair.a.failure !== undefined && pair.b.failure !== undefined);
  assert.equal(pair.b.received, 0);
});

scenario("two ENO options on a SYN are none (RFC 8547 §4.1)", 1, async (world) => {
  const wire = await enoWorld(world);
  meddle(wire, (segment, from) =>
    isSyn(segment) && from === 0 ? { options: Uint8Array.of(69, 3, 0x23, 69, 3, 0x23, 1, 1) } : undefined,
  );
  const pair = await tcpcryptPair(world, wire);
  await world.until(() => pair.a.isOver);
  assert.equal(atOf(pair.a.failure), "no-option");
});

scenario("data in a SYN are neither acknowledged nor delivered (RFC 8547 §4.7)", 1, async (world) => {
  const wire = await enoWorld(world);
  const numbers: number[] = [];
  meddle(wire, (segment, from) => {
    if (!isSyn(segment)) return undefined;
    numbers.push(from === 0 ? segment.sequence + 1 : segment.acknowledgment!);
    return from === 0 ? { payload: utf8("early, and in the clear") } : undefined;
  });
  const pair = await tcpcryptPair(world, wire);
  await exchange(world, pair, 1_000);
  assert.equal(numbers[0], numbers[1]);
  assert.deepEqual(
    [pair.a.failure, pair.b.failure, pair.b.received, pair.b.isRight],
    [undefined, undefined, 1_000, true],
  );
});

/** Both confirmed, and the last segment of the active end seen, for whoever wants to write the next one. */
async function confirmed(
  world: Parameters<typeof tcpcryptPair>[0],
): Promise<{ readonly wire: EnoWorld; readonly pair: TcpcryptPair; next(): ForgedSegment }> {
  const wire = await enoWorld(world);
  let last: Segment | undefined;
  meddle(wire, (segment, from) => {
    if (from === 0) last = segment;
    return undefined;
  });
  const pair = await tcpcryptPair(world, wire);
  await world.until(() => pair.a.outcome !== undefined && pair.b.outcome !== undefined);
  pair.session.write(pattern(1_000));
  await world.until(() => pair.a.received === 1_000);
  await world.run(500);
  return {
    wire,
    pair,
    next: () => ({ ...last!, sequence: last!.sequence + last!.payload.length, payload: new Uint8Array(0) }),
  };
}

for (const [what, forged, reason] of [
  ["a frame", { flags: Ack | Psh, payload: Uint8Array.of(0, 0, 20, ...new Uint8Array(20)) }, "bad-frame"],
  ["a rekey bit", { flags: Ack | Psh, payload: Uint8Array.of(1, 0, 20, ...new Uint8Array(20)) }, "bad-frame"],
  [
    "a frame too short for its tag",
    { flags: Ack | Psh, payload: Uint8Array.of(0, 0, 16, ...new Uint8Array(16)) },
    "malformed-frame",
  ],
  ["a FIN", { flags: Ack | Fin }, "truncated-stream"],
  ["a reset", { flags: Rst }, "connection-lost"],
] as const) {
  scenario(`${what} of an attacker who knows every number ends in a failure that is no end`, 1, async (world) => {
    const { wire, pair, next } = await confirmed(world);
    wire.inject(forge({ ...next(), ...forged }), 1);
    await world.until(() => pair.b.isOver);
    assert.equal(reasonOf(pair.b.failure), reason);
    assert.deepEqual([pair.b.hasEnded, pair.b.received, pair.b.isRight], [false, 1_000, true]);
  });
}

test("a flood of SYNs leaves cookies, which know nothing of TCP-ENO: refused with that reason, never in the clear", () =>
  runScenario("flood", 1, async (world) => {
    const wire = await enoWorld(world);
    const isClear = watchClear(wire);
    const pair = await tcpcryptPair(world, wire, {}, {}, port);
    await world.until(() => pair.a.outcome !== undefined && pair.b.outcome !== undefined);
    for (let i = 0; i < 2 * halfOpenMax; i++) {
      const from = `10.0.0.${3 + (i % 200)}`;
      const syn = { from, to: addresses[1], sourcePort: 1_024 + i, destinationPort: port, sequence: i, flags: Syn };
      wire.inject(forge({ ...syn, options: Uint8Array.of(69, 3, 0x23) }), 1);
    }
    await world.run(100);
    const ear = new Ear();
    ear.session = connect(wire.hosts[0], { address: addresses[1], port }, {}, ear, { network: wire.ends[0].network });
    ear.session.write(pattern(1_000));
    await world.until(() => ear.isOver);
    assert.deepEqual([reasonOf(ear.failure), atOf(ear.failure), isClear()], ["not-negotiated", "no-option", false]);
    await world.until(() => pair.others.every(({ isOver }) => isOver));
    for (const { failure } of pair.others) assert.equal(atOf(failure), "cookie");
    // Who was there before goes on.
    await exchange(world, pair, 5_000);
    assert.deepEqual([pair.a.received, pair.a.failure], [5_000, undefined]);
  }));

/** A machine that plays B, and a peer who has all the keys and no manners. */
function withKeys(): {
  machine: TcpcryptMachine;
  sealer: FrameSealer;
  failure: () => string | undefined;
  out: () => number;
} {
  const [tep] = teps;
  const secret = new Uint8Array(32).fill(9);
  const session = { tep, cipher: symCiphers[0], role: "B", secret: new Secret(secret.slice()) } as const;
  const nonces = new Uint8Array(16);
  const config = tcpcryptConfig({ crypto, entropy: { fill: (into) => into } }, "passive", {});
  const machine = new TcpcryptMachine(config, {
    outcome: {
      kind: "encrypted",
      role: "B",
      tep,
      tepByte: 0x80 | tep.id,
      transcript: new Uint8Array(0),
      peerAware: false,
      resumed: { session, nonces },
    },
  });
  machine.handle({ kind: "opened" }, 0);
  const schedule = new KeySchedule(crypto);
  const master = schedule.masterKey(new Secret(secret), nonces);
  const sealer = new FrameSealer({ crypto, schedule, cipher: symCiphers[0], role: "A", master });
  const events: TcpcryptEvent[] = [];
  const into = new Uint8Array(1 << 16);
  const out = (): number => {
    let size = 0;
    for (let each = machine.transmit(into, 0); each !== undefined; each = machine.transmit(into, 0)) size += each.size;
    for (let event = machine.event(); event !== undefined; event = machine.event()) events.push(event);
    return size;
  };
  const failure = () => {
    out();
    const failed = events.find((event) => event.kind === "failed");
    return failed?.kind === "failed" ? failed.failure.reason : undefined;
  };
  return { machine, sealer, failure, out };
}

function sealed(sealer: FrameSealer, data: Uint8Array, finp: boolean, rekey: boolean): Uint8Array {
  const bytes = new Uint8Array(data.length + 64);
  bytes.set(data, sealer.dataAt(0, undefined));
  return bytes.slice(0, sealer.seal(bytes, 0, data.length, finp, undefined, rekey));
}

test("a peer that rekeys without end is answered frame by frame, and cut off", () => {
  const { machine, sealer, failure, out } = withKeys();
  let answered = 0;
  let frames = 0;
  for (; frames < 2_000 && failure() === undefined; frames++) {
    machine.handle({ kind: "bytes", bytes: sealed(sealer, new Uint8Array(0), false, true) }, 0);
    answered += out();
  }
  assert.equal(failure(), "too-many-empty-frames");
  assert.equal(frames, 1_025);
  assert.ok(answered <= frames * 20);
});

test("nothing may follow the frame with FINp, and a frame needs its flags", () => {
  const after = withKeys();
  after.machine.handle({ kind: "bytes", bytes: sealed(after.sealer, utf8("bye"), true, false) }, 0);
  after.machine.handle({ kind: "bytes", bytes: sealed(after.sealer, utf8("and"), false, false) }, 0);
  assert.equal(after.failure(), "data-after-end");
});

test("an Init that announces more than may be is refused before there is memory for it", () => {
  const [tep] = teps;
  const config = tcpcryptConfig({ crypto, entropy: { fill: (into) => into } }, "passive", {});
  const outcome = { kind: "encrypted", role: "B", tep, tepByte: tep.id, transcript: new Uint8Array(0) } as const;
  for (const [bytes, reason] of [
    [[0x15, 0x10, 0x1a, 0x0e, 0xff, 0xff, 0xff, 0xff], "init-too-large"],
    [[0x15, 0x10, 0x1a, 0x0e, 0, 0, 0, 7], "malformed-init"],
    [[0x09, 0x71, 0x05, 0xe0, 0, 0, 0, 74], "malformed-init"],
    [[...utf8("GET / HT")], "malformed-init"],
    [[0x15, 0x10, 0x1a, 0x0e, 0, 0, 0, 9, 0], "malformed-init"],
    [[0x15, 0x10, 0x1a, 0x0e, 0, 0, 0, 73, 0, ...new Uint8Array(64)], "no-common-cipher"],
    [[0x15, 0x10, 0x1a, 0x0e, 0, 0, 0, 75, 1, 0, 1, ...new Uint8Array(64)], "invalid-public-key"],
  ] as const) {
    const machine = new TcpcryptMachine(config, { outcome: { ...outcome, peerAware: false, resumed: undefined } });
    machine.handle({ kind: "opened" }, 0);
    for (const byte of bytes) machine.handle({ kind: "bytes", bytes: Uint8Array.of(byte) }, 0);
    const failed = machine.event();
    assert.equal(failed?.kind === "failed" ? failed.failure.reason : failed?.kind, reason);
    assert.equal(machine.transmit(new Uint8Array(1 << 16), 0), undefined);
  }
});

test("an Init1 that never comes is not waited for without end", () => {
  const [tep] = teps;
  const config = tcpcryptConfig({ crypto, entropy: { fill: (into) => into } }, "passive", {});
  const outcome = { kind: "encrypted", role: "B", tep, tepByte: tep.id, transcript: new Uint8Array(0) } as const;
  const machine = new TcpcryptMachine(config, { outcome: { ...outcome, peerAware: false, resumed: undefined } });
  machine.handle({ kind: "opened" }, 0);
  const by = machine.deadline();
  assert.ok(by !== undefined);
  machine.handle({ kind: "wake" }, by);
  const failed = machine.event();
  assert.equal(failed?.kind === "failed" ? failed.failure.reason : undefined, "timed-out");
});
