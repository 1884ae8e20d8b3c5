import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import type { LinkOptions, Nat, World } from "../../src/hosts/simulator/index.js";
import {
  type Algorithms,
  bind,
  MemoryZrtpCache,
  type ZrtpOptions,
  type ZrtpSession,
  type ZrtpSink,
} from "../../src/protocols/zrtp/index.js";
import { rtcpPacket, rtpPacket } from "../support/rtp.js";
import { scenario } from "../support/scenario.js";
import { type End, ZrtpPair } from "../support/zrtp-pair.js";

const near = { address: "192.0.2.1", port: 5004 };
const far = { address: "198.51.100.1", port: 5004 };
const media = (i: number): Uint8Array => rtpPacket({ sequence: (65_500 + i) & 0xffff, ssrc: 5, payload: `frame ${i}` });
const quick: Partial<Algorithms> = { keyAgreements: ["X255", "Mult"] };

interface Call {
  readonly a: ZrtpSession;
  readonly b: ZrtpSession;
  /** What came to b. */
  readonly delivered: string[];
}

/** Two hosts on a link that call each other. */
async function call(world: World, link: LinkOptions, a: ZrtpOptions = {}, b: ZrtpOptions = a): Promise<Call> {
  const caller = world.host("caller", { addresses: [near.address] });
  const callee = world.host("callee", { addresses: [far.address] });
  world.link(caller, callee, link);
  const delivered: string[] = [];
  const quiet: ZrtpSink = { datagrams: () => {}, closed: () => {} };
  const telling: ZrtpSink = { ...quiet, datagrams: (bytes) => void delivered.push(toHex(bytes)) };
  return {
    b: await bind(callee, { local: far, remote: near }, { algorithms: quick, ...b }, telling),
    a: await bind(caller, { local: near, remote: far }, { algorithms: quick, ...a }, quiet),
    delivered,
  };
}

scenario(
  "keys are agreed on and media come through, over loss, repetition, reordering and spoiled packets",
  12,
  async (world) => {
    const bad: LinkOptions = {
      delayMs: 20,
      loss: { in: 1, of: 6 },
      duplication: { in: 1, of: 8 },
      reordering: { in: 1, of: 5 },
      reorderMs: 40,
      corruption: { in: 1, of: 12 },
    };
    const { a, b, delivered } = await call(
      world,
      bad,
      { cache: new MemoryZrtpCache() },
      { cache: new MemoryZrtpCache() },
    );
    a.send(media(9_999)); // before there are keys: goes nowhere
    await world.until(() => a.outcome !== undefined && b.outcome !== undefined, 30_000);
    assert.equal(a.outcome!.words!.text, b.outcome!.words!.text);
    const sent = new Set<string>();
    for (let i = 0; i < 200; i++) {
      const packet = i % 20 === 19 ? rtcpPacket({ ssrc: 5, words: 6 + i }) : media(i);
      sent.add(toHex(packet));
      a.send(packet);
      await world.run(3);
    }
    await world.run(500);
    assert.equal(new Set(delivered).size, delivered.length, "nothing comes twice");
    assert.ok(delivered.every((packet) => sent.has(packet)));
    assert.ok(delivered.length > 110, `${delivered.length} of 200 came`);
    a.close();
    b.close();
    await world.run(200);
  },
);

/** The modes, each with what its two ends have beforehand. */
const secret = (): Secret => new Secret(new Uint8Array(32).fill(7));
const entry = () => ({ rs1: secret(), rs2: undefined, pbx: undefined, verified: true, expiresAt: undefined });
const modes: Readonly<Record<string, () => ZrtpPair>> = {
  "Diffie-Hellman": () => ZrtpPair.of(1, { algorithms: quick, passive: true }, { algorithms: quick }),
  Preshared: () => {
    const options = { algorithms: { keyAgreements: ["X255", "Prsh"] }, cached: true } as const;
    const pair = ZrtpPair.of(1, { ...options, passive: true }, options);
    pair.retained.a = entry();
    pair.retained.b = entry();
    return pair;
  },
  Multistream: () => {
    const first = ZrtpPair.of(1, { algorithms: quick }).run();
    const [a, b] = [first.ends.a.association!, first.ends.b.association!];
    return ZrtpPair.of(2, { algorithms: quick, association: a, passive: true }, { algorithms: quick, association: b });
  },
};

for (const [mode, make] of Object.entries(modes)) {
  test(`${mode}: any one message lost, or any of them lost five times, ends within the RFC's timers`, () => {
    const flow = make().run();
    assert.ok(flow.outcome("a") && flow.outcome("b"));
    const types = [...new Set(flow.sent.map(({ from, type }) => `${from} ${type}`))];
    assert.ok(types.length >= 8);
    for (const lost of types) {
      for (const times of [1, 5]) {
        const pair = make();
        const { now } = pair;
        let left = times;
        pair.edit = (packet, from, type) => (`${from} ${type}` === lost && left-- > 0 ? undefined : packet);
        pair.run();
        assert.ok(
          pair.outcome("a") && pair.outcome("b"),
          `${lost} lost ${times} times: ${pair.failure("a")} ${pair.failure("b")}`,
        );
        // Once: one interval of T2 at the most. Five times: five of them.
        const took = pair.sent.at(-1)!.at - now;
        assert.ok(took <= (times === 1 ? 150 : 150 + 300 + 600 + 1200 + 1200), `${lost}: ${took} ms`);
      }
    }
  });

  test(`${mode}: every message twice, and every one overtaken by the next`, () => {
    const twice = make();
    twice.edit = (packet) => [packet, packet.slice()];
    twice.run();
    assert.ok(twice.outcome("a") && twice.outcome("b"));
    const overtaken = make();
    const held: Partial<Record<End, Uint8Array>> = {};
    overtaken.edit = (packet, from) => {
      const before = held[from];
      if (before === undefined) held[from] = packet.slice();
      else delete held[from];
      return before === undefined ? undefined : [packet, before];
    };
    overtaken.run();
    assert.ok(overtaken.outcome("a") && overtaken.outcome("b"));
  });
}

test("what never gets through is given up by the schedule, on both sides", () => {
  for (const [lost, limit] of [
    ["DHPart1", 11_000],
    ["Confirm1", 11_000],
    ["Conf2ACK", 11_000],
    ["Hello", 24_000],
  ] as const) {
    const pair = modes["Diffie-Hellman"]!();
    const { now } = pair;
    pair.edit = (packet, from, type) => (from === "a" && type === lost ? undefined : packet);
    pair.run();
    assert.ok(pair.failure("b"), lost);
    assert.match(pair.failure("b")!.reason, /^(timeout|no-answer)$/);
    const last = pair.sent.filter(({ type }) => type !== "Error" && type !== "ErrorACK").at(-1)!.at - now;
    assert.ok(last <= limit, `${lost}: ${last} ms`);
  }
});

scenario(
  "the caller's address changes in the middle of the key agreement, and again when media flow",
  6,
  async (world) => {
    const caller = world.host("caller", { addresses: ["10.0.0.1"] });
    const callee = world.host("callee", { addresses: [far.address] });
    const nat: Nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2"] });
    world.link(caller, nat.inside, { delayMs: 5 });
    world.link(nat.outside, callee, { delayMs: 20 });
    const delivered: string[] = [];
    const back: string[] = [];
    const telling = (list: string[]): ZrtpSink => ({
      datagrams: (bytes) => void list.push(toHex(bytes)),
      closed: () => {},
    });
    const b = await bind(callee, { local: far }, { algorithms: quick, passive: true }, telling(delivered));
    const a = await bind(
      caller,
      { local: { address: "10.0.0.1", port: 5004 }, remote: far },
      { algorithms: quick },
      telling(back),
    );
    await world.run(60);
    nat.rebind({ newAddress: true });
    await world.until(() => a.outcome !== undefined && b.outcome !== undefined, 15_000);
    a.send(media(1));
    await world.until(() => delivered.length === 1, 2_000);
    b.send(media(2));
    await world.until(() => back.length === 1, 2_000);
    nat.rebind({ newAddress: true });
    a.send(media(3));
    await world.until(() => delivered.length === 2, 2_000);
    b.send(media(4));
    await world.until(() => back.length === 2, 2_000);
    assert.deepEqual(back, [media(2), media(4)].map(toHex));
    a.close();
    b.close();
    await world.run(100);
  },
);

scenario("a call that nobody takes ends with a failure, and what was sent meanwhile went nowhere", 1, async (world) => {
  const { a, b } = await call(world, { delayMs: 10, loss: { in: 1, of: 1 } });
  const outcome = a.confirmed.then(
    () => "confirmed",
    (failure: { reason: string }) => failure.reason,
  );
  a.send(media(1));
  await world.run(5_000);
  assert.equal(await outcome, "no-answer");
  b.abort();
  await world.run(100);
});

scenario(
  "closing destroys the keys: nothing goes out any more, and the other side is not disturbed",
  1,
  async (world) => {
    const { a, b, delivered } = await call(world, { delayMs: 10 });
    await world.until(() => a.outcome !== undefined && b.outcome !== undefined, 5_000);
    a.send(media(1));
    await world.run(50);
    assert.deepEqual(delivered, [toHex(media(1))]);
    a.close();
    a.send(media(2));
    await world.run(50);
    assert.equal(delivered.length, 1);
    assert.equal(a.association?.session, undefined, "the key of the call is gone");
    b.close();
    await world.run(50);
  },
);

scenario(
  "users are asked whether the words are the same: yes is a peer that is known, no ends the call",
  1,
  async (world) => {
    const asked: string[] = [];
    const answers: (boolean | undefined)[] = [true, false];
    const verify: ZrtpOptions["verify"] = async (words, outcome) => {
      asked.push(words.text);
      assert.equal(outcome.words!.text, words.text);
      return answers.shift();
    };
    const first = await call(world, { delayMs: 10 }, { verify }, {});
    await world.until(() => first.a.outcome?.verified === true, 5_000);
    assert.equal(first.a.peer?.kind, "zid");
    assert.equal(first.b.peer, undefined, "nobody was asked there");
    first.a.close();
    first.b.close();
    await world.run(100);
    const second = await anotherCall(world, { verify });
    await world.until(() => second.closed.length > 0, 5_000);
    assert.match(second.closed[0]!, /different words/);
    assert.equal(asked.length, 2);
    second.a.send(media(1));
    await world.run(100);
    assert.deepEqual(second.delivered, []);
  },
);

/** Two more hosts, of which the caller tells how its call ended. */
async function anotherCall(world: World, options: ZrtpOptions) {
  const [caller, callee] = [
    world.host("caller 2", { addresses: ["192.0.2.3"] }),
    world.host("callee 2", { addresses: ["198.51.100.3"] }),
  ];
  world.link(caller, callee, { delayMs: 10 });
  const delivered: string[] = [];
  const closed: string[] = [];
  const [local, remote] = [
    { address: "192.0.2.3", port: 5004 },
    { address: "198.51.100.3", port: 5004 },
  ];
  const waiting = await bind(
    callee,
    { local: remote, remote: local },
    { algorithms: quick },
    {
      datagrams: (bytes) => void delivered.push(toHex(bytes)),
      closed: () => {},
    },
  );
  const calling = await bind(
    caller,
    { local, remote },
    { algorithms: quick, ...options },
    {
      datagrams: () => {},
      closed: (failure) => void closed.push(String(failure)),
    },
  );
  return { a: calling, b: waiting, delivered, closed };
}

scenario(
  "a cache that cannot be read or written is a peer without a past, and a call all the same",
  1,
  async (world) => {
    const broken = {
      get: () => Promise.reject(new Error("no such disk")),
      set: () => Promise.reject(new Error("no such disk")),
      delete: () => undefined,
    };
    const { a, b } = await call(world, { delayMs: 10 }, { cache: broken }, { cache: new MemoryZrtpCache() });
    await world.until(() => a.outcome !== undefined && b.outcome !== undefined, 5_000);
    assert.equal(a.outcome!.continuity, "none");
    await world.run(50);
    a.close();
    b.close();
    await world.run(50);
  },
);
