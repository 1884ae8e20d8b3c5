import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concat, utf8 } from "../../../../src/bytes/index.js";
import { Failure } from "../../../../src/contract/index.js";
import { Held } from "../../../../src/protocols/quic/contents.js";
import type { StreamEvent } from "../../../../src/protocols/quic/streams/index.js";
import { type Frame, framesOf, limits, pair, Side, settle, text } from "./streams-pair.js";

const refused = (reason: string) => (error: unknown) => error instanceof Failure && error.reason === reason;
const nothing = new Uint8Array(0);
const stream = (id: number, offset: number, data: Uint8Array, fin = false): Frame => ({
  type: 0x0e | (fin ? 1 : 0),
  values: [id, offset],
  data,
});

test("a request and its answer, each to its end, and nothing is left", () => {
  const { client, server } = pair();
  const id = client.streams.open("bidirectional");
  client.streams.write(id, utf8("question"));
  client.streams.finish(id);
  const first = settle(client, server);
  assert.equal(text(first.server, id), "question");
  assert.deepEqual(
    first.server.map(({ kind }) => kind),
    ["opened", "bytes", "ended"],
  );
  server.streams.write(id, utf8("answer"));
  server.streams.finish(id);
  const second = settle(client, server);
  assert.equal(text(second.client, id), "answer");
  assert.deepEqual(second.client.slice(-2), [
    { kind: "ended", id },
    { kind: "over", id },
  ]);
  assert.deepEqual(second.server, [{ kind: "over", id }]);
  assert.equal(client.streams.count + server.streams.count, 0);
});

test("in order, bytes are told as views of the packet; writes are released when they are acknowledged", () => {
  const { client, server } = pair();
  const id = client.streams.open("unidirectional");
  const released: string[] = [];
  client.streams.write(id, new Uint8Array(700), () => released.push("first"));
  client.streams.write(id, new Uint8Array(700), () => released.push("second"));
  const packets = [client.packet()!, client.packet()!];
  server.take(packets[0]!);
  const bytes = server.events().find((event) => event.kind === "bytes");
  assert.equal(bytes?.kind === "bytes" && bytes.bytes.buffer, packets[0]!.bytes.buffer);
  const run = () => {
    for (const event of client.events()) if (event.kind === "released") event.released();
  };
  client.acknowledged(packets[1]!);
  run();
  assert.deepEqual(released, []);
  client.acknowledged(packets[0]!);
  run();
  assert.deepEqual(released, ["first", "second"]);
  assert.equal(client.streams.get(id)?.send?.acknowledgedBytes, 1_400);
});

test("whatever is lost, doubled and overtaken, each stream arrives whole (seed 11)", () => {
  const draw = fc.record({
    sizes: fc.array(fc.array(fc.nat(6_000), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 }),
    fates: fc.infiniteStream(fc.nat(99)),
    packetSize: fc.integer({ min: 40, max: 1_400 }),
  });
  fc.assert(
    fc.property(draw, ({ sizes, fates, packetSize }) => {
      const small = { maxData: 9_000, maxStreamDataUni: 4_000, maxStreamsUni: 2 };
      const { client, server } = pair({ server: small });
      let value = 0;
      const sent = new Map<number, Uint8Array>();
      for (const writes of sizes) {
        const id = client.streams.open("unidirectional");
        const pieces = writes.map((size) => Uint8Array.from({ length: size }, () => value++ % 251));
        for (const piece of pieces) client.streams.write(id, piece);
        client.streams.finish(id);
        sent.set(id, concat(...pieces));
      }
      const got = new Map<number, Uint8Array[]>();
      const ended = new Set<number>();
      let late: ReturnType<Side["packet"]>[] = [];
      const deliver = (from: Side, to: Side, packet: NonNullable<ReturnType<Side["packet"]>>) => {
        to.take({ ...packet, bytes: packet.bytes.slice() });
        for (const event of to.events()) {
          if (event.kind === "bytes") got.set(event.id, [...(got.get(event.id) ?? []), event.bytes.slice()]);
          if (event.kind === "ended") ended.add(event.id);
        }
        from.acknowledged(packet);
      };
      for (let round = 0; ended.size < sent.size; round++) {
        assert.ok(round < 5_000, "it comes to an end");
        for (const [from, to] of [
          [client, server],
          [server, client],
        ] as const) {
          const packet = from.packet(packetSize);
          if (packet === undefined) continue;
          const fate = fates.next().value ?? 0;
          if (fate < 20) from.lost(packet);
          else if (fate < 30 && from === client) late.push(packet);
          else deliver(from, to, packet);
          // Found lost, and arrived after all.
          if (fate >= 95) from.lost(packet);
        }
        if (round % 7 === 6) {
          for (const packet of late) deliver(client, server, packet!);
          late = [];
        }
      }
      for (const [id, bytes] of sent) assert.deepEqual(concat(...(got.get(id) ?? [])), bytes);
      for (const packet of late) deliver(client, server, packet!);
      settle(client, server);
      assert.equal(client.streams.count, 0);
    }),
    { seed: 11, numRuns: 150 },
  );
});

test("the peer's limits hold us, and we tell it so once (RFC 9000 §4.1)", () => {
  const { client, server } = pair({ server: { maxData: 3_000, maxStreamDataUni: 2_000 } });
  const a = client.streams.open("unidirectional");
  const b = client.streams.open("unidirectional");
  client.streams.write(a, new Uint8Array(5_000));
  client.streams.write(b, new Uint8Array(5_000));
  const frames: Frame[] = [];
  for (let packet = client.packet(); packet !== undefined; packet = client.packet())
    frames.push(...framesOf(packet.bytes));
  const sum = (id: number) => frames.reduce((all, { values, data }) => (values[0] === id ? all + data.length : all), 0);
  assert.ok(sum(a) <= 2_000 && sum(b) <= 2_000);
  assert.equal(sum(a) + sum(b), 3_000);
  assert.equal(frames.filter(({ type }) => type === 0x14).length, 1, "DATA_BLOCKED");
  client.streams.onMaxData(20_000);
  const more: Frame[] = [];
  for (let packet = client.packet(); packet !== undefined; packet = client.packet())
    more.push(...framesOf(packet.bytes));
  frames.push(...more);
  assert.equal(sum(a), 2_000);
  assert.equal(sum(b), 2_000);
  assert.deepEqual(
    more
      .filter(({ type }) => type === 0x15)
      .map(({ values }) => values)
      .sort(([a = 0], [b = 0]) => a - b),
    [
      [a, 2_000],
      [b, 2_000],
    ],
  );
  assert.equal(client.streams.wants, false);
  assert.equal(server.streams.wants, false);
});

test("the peer is held to ours", () => {
  const server = new Side(false, { maxData: 150, maxStreamDataBidiRemote: 100, maxStreamsBidi: 2 });
  for (const id of [0, 4]) {
    server.frame(stream(id, 0, nothing));
    server.streams.pause(id);
  }
  server.frame(stream(0, 0, new Uint8Array(100)));
  assert.throws(() => server.frame(stream(0, 100, new Uint8Array(1))), refused("flow-control"));
  assert.throws(() => server.frame(stream(4, 0, new Uint8Array(90))), refused("flow-control"), "the connection's");
  assert.throws(() => server.frame(stream(8, 0, nothing)), refused("stream-limit"));
  assert.throws(() => server.frame({ type: 4, values: [4, 0, 90], data: nothing }), refused("flow-control"));
});

test("final sizes hold (§4.5)", () => {
  const wrong: readonly (readonly Frame[])[] = [
    [stream(0, 0, new Uint8Array(10), true), stream(0, 10, new Uint8Array(1))],
    [stream(0, 5, new Uint8Array(10)), stream(0, 0, new Uint8Array(10), true)],
    [stream(0, 5, new Uint8Array(10), true), stream(0, 0, new Uint8Array(2), true)],
    [stream(0, 0, new Uint8Array(10)), { type: 4, values: [0, 0, 9], data: nothing }],
    [stream(0, 5, new Uint8Array(5), true), { type: 4, values: [0, 0, 11], data: nothing }],
  ];
  for (const [index, frames] of wrong.entries()) {
    const server = new Side(false);
    for (const frame of frames.slice(0, -1)) server.frame(frame);
    assert.throws(() => server.frame(frames[frames.length - 1]!), refused("final-size"), `case ${index}`);
  }
});

test("streams that cannot be meant are refused (§19)", () => {
  const cases: readonly (readonly [isClient: boolean, Frame])[] = [
    // We only write to it; it is ours and was never opened; the peer only writes to it.
    [true, stream(2, 0, nothing)],
    [true, stream(0, 0, nothing)],
    [true, { type: 4, values: [2, 0, 0], data: nothing }],
    [true, { type: 5, values: [3, 0], data: nothing }],
    [true, { type: 5, values: [0, 0], data: nothing }],
    [true, { type: 0x11, values: [3, 1], data: nothing }],
    [true, { type: 0x11, values: [4, 1], data: nothing }],
    [true, { type: 0x15, values: [2, 1], data: nothing }],
    [false, stream(3, 0, nothing)],
    [false, { type: 5, values: [2, 0], data: nothing }],
  ];
  for (const [isClient, frame] of cases) {
    const side = new Side(isClient);
    assert.throws(() => side.frame(frame), refused("stream-state"), JSON.stringify(frame));
  }
  const client = new Side(true);
  const id = client.streams.open("unidirectional");
  assert.throws(() => client.frame(stream(id, 0, nothing)), refused("stream-state"));
});

test("a later stream opens those before it, in order (§3.2)", () => {
  const server = new Side(false);
  server.frame({ type: 0x11, values: [8, 5], data: nothing });
  assert.deepEqual(server.events(), [
    { kind: "opened", id: 0 },
    { kind: "opened", id: 4 },
    { kind: "opened", id: 8 },
  ]);
});

test("reset and stop: both sides come to their end", () => {
  const { client, server } = pair();
  const id = client.streams.open("bidirectional");
  let released = 0;
  client.streams.write(id, new Uint8Array(50_000), () => released++);
  server.take(client.packet()!);
  server.events();
  server.streams.stopSending(id, 7, 1_000);
  server.streams.reset(id, 8);
  const heard = settle(client, server);
  for (const event of heard.client) if (event.kind === "released") event.released();
  const told = (events: readonly StreamEvent[]) => events.filter(({ kind }) => kind !== "released");
  assert.deepEqual(told(heard.client), [
    { kind: "reset", id, code: 8 },
    { kind: "stopped", id, code: 7 },
    { kind: "over", id },
  ]);
  assert.deepEqual(
    told(heard.server).map(({ kind }) => kind),
    ["reset", "over"],
  );
  assert.equal(released, 1);
  assert.equal(client.streams.count + server.streams.count, 0);
});

test("what a reset stream had not delivered goes back to the connection's credit", () => {
  const { client, server } = pair({ server: { maxData: 2_000 } });
  const lost = client.streams.open("unidirectional");
  client.streams.write(lost, new Uint8Array(2_000));
  client.packet();
  client.packet();
  client.streams.reset(lost, 1);
  settle(client, server);
  const id = client.streams.open("unidirectional");
  client.streams.write(id, new Uint8Array(1_500));
  client.streams.finish(id);
  const heard = settle(client, server);
  assert.ok(heard.server.some((event) => event.kind === "ended" && event.id === id));
});

test("a paused stream is told nothing, keeps its place in the window, and goes on whole", () => {
  const { client, server } = pair({ server: { maxStreamDataUni: 3_000 } });
  const id = client.streams.open("unidirectional");
  const bytes = Uint8Array.from({ length: 9_000 }, (_, i) => i % 253);
  client.streams.write(id, bytes);
  client.streams.finish(id);
  server.take(client.packet()!);
  const got: Uint8Array[] = [];
  const collect = (events: readonly StreamEvent[]) => {
    for (const event of events) if (event.kind === "bytes") got.push(event.bytes.slice());
  };
  collect(server.events());
  server.streams.pause(id);
  const quiet = settle(client, server);
  collect(quiet.server);
  const before = concat(...got).length;
  assert.ok(before < 3_000);
  server.streams.resume(id, 1_000);
  collect(server.events());
  assert.ok(concat(...got).length > before);
  for (const event of settle(client, server).server) collect([event]);
  assert.deepEqual(concat(...got), bytes);
});

test("windows that are used up within two round trips double, up to their maximum", () => {
  const { client, server } = pair({ server: { maxStreamDataUni: 10_000, maxData: 15_000 } });
  const id = client.streams.open("unidirectional");
  client.streams.write(id, new Uint8Array(2_000_000));
  const limitsSeen: number[] = [];
  for (let round = 0; round < 400; round++) {
    const packet = client.packet();
    if (packet !== undefined) server.take(packet);
    server.now += 0.5;
    server.events();
    const answer = server.packet();
    if (answer === undefined) continue;
    for (const { type, values } of framesOf(answer.bytes)) if (type === 0x11) limitsSeen.push(values[1]!);
    client.take(answer);
  }
  const window = server.streams.get(id)?.receive?.window.size ?? 0;
  assert.ok(window > 100_000 && window <= 16_777_216, `${window}`);
  assert.ok(limitsSeen.length < 20, `${limitsSeen.length} updates`);
});

test("lower priority numbers go first, equals by turns", () => {
  const { client } = pair();
  const low = client.streams.open("unidirectional", { priority: 200 });
  const a = client.streams.open("unidirectional");
  const b = client.streams.open("unidirectional");
  for (const id of [low, a, b]) client.streams.write(id, new Uint8Array(3_000));
  const order: number[] = [];
  const next = () => order.push(...framesOf(client.packet(1_000)!.bytes).map(({ values }) => values[0]!));
  for (let i = 0; i < 4; i++) next();
  assert.ok(!order.includes(low));
  assert.equal(order.filter((id) => id === a).length, order.filter((id) => id === b).length);
  client.streams.setPriority(low, 1);
  order.length = 0;
  next();
  assert.deepEqual(order, [low]);
});

test("a thousand streams share without anyone being walked over in vain", () => {
  const many = { maxStreamsUni: 1_000, maxData: 10_000_000 };
  const { client, server } = pair({ server: many });
  const ids = Array.from({ length: 1_000 }, () => client.streams.open("unidirectional"));
  for (const id of ids) {
    client.streams.write(id, new Uint8Array(2_500));
    client.streams.finish(id);
  }
  const firstHalf = new Set<number>();
  for (let i = 0; i < 1_000; i++) {
    const packet = client.packet()!;
    for (const { values } of framesOf(packet.bytes)) firstHalf.add(values[0]!);
    server.take(packet);
    client.acknowledged(packet);
  }
  assert.ok(firstHalf.size > 950, `${firstHalf.size} had their turn`);
  settle(client, server);
  assert.equal(client.streams.count + server.streams.count, 0);
});

test("more streams than the peer lets us wait, and are told of; as streams end, limits move (§4.6)", () => {
  const { client, server } = pair({ server: { maxStreamsBidi: 2 } });
  const ids = Array.from({ length: 7 }, () => client.streams.open("bidirectional"));
  for (const id of ids) {
    client.streams.write(id, utf8(`${id}`));
    client.streams.finish(id);
  }
  // One is given up before the peer could hear of it: it hears of it in its turn.
  client.streams.reset(ids[4]!, 3);
  const first = client.packet()!;
  const frames = framesOf(first.bytes);
  assert.ok(frames.some(({ type, values }) => type === 0x16 && values[0] === 2));
  assert.ok(frames.every(({ type, values }) => type === 0x16 || values[0]! <= 4));
  server.take(first);
  client.acknowledged(first);
  const seen: StreamEvent[] = [];
  for (let round = 0; round < 10; round++) {
    const events = [...server.events(), ...settle(client, server).server];
    seen.push(...events);
    for (const event of events) if (event.kind === "opened") server.streams.finish(event.id);
  }
  assert.deepEqual(
    seen.flatMap((event) => (event.kind === "opened" ? [event.id] : [])),
    ids,
  );
  assert.ok(seen.some((event) => event.kind === "reset" && event.id === ids[4]));
  assert.equal(client.streams.count + server.streams.count, 0);
});

test("0-RTT: only early streams leave; rejected, they leave again under the limits that hold now", () => {
  const client = new Side(true);
  const early = client.streams.open("bidirectional", { early: true });
  const late = client.streams.open("bidirectional");
  client.streams.write(early, utf8("early words"));
  client.streams.write(late, utf8("late"));
  assert.equal(client.streams.wants, false);
  client.streams.startEarly(limits);
  const packet = client.packet()!;
  assert.deepEqual(
    framesOf(packet.bytes).map(({ values }) => values[0]),
    [early],
  );
  assert.equal(client.packet(), undefined);
  client.lost(packet);
  client.streams.earlyRejected();
  client.streams.start({ ...limits, maxStreamDataBidiRemote: 5 });
  const again = framesOf(client.packet()!.bytes);
  assert.deepEqual(
    again.filter(({ data }) => data.length > 0).map(({ values, data }) => [values[0], new TextDecoder().decode(data)]),
    [
      [early, "early"],
      [late, "late"],
    ],
  );
});

test("an empty write makes the peer hear of the stream, and does so again if it is lost", () => {
  const { client, server } = pair();
  const id = client.streams.open("bidirectional");
  client.streams.write(id, nothing);
  const packet = client.packet()!;
  client.lost(packet);
  server.take(client.packet()!);
  assert.deepEqual(server.events(), [{ kind: "opened", id }]);
  assert.equal(client.streams.wants, false);
});

test("an empty write is released with what stands before it, or at once", () => {
  const { client, server } = pair();
  const id = client.streams.open("bidirectional");
  const released: string[] = [];
  const run = () => {
    for (const event of client.events()) if (event.kind === "released") event.released();
  };
  client.streams.write(id, utf8("before"), () => released.push("before"));
  client.streams.write(id, nothing, () => released.push("empty"));
  run();
  assert.equal(released.length, 0);
  for (const event of settle(client, server).client) if (event.kind === "released") event.released();
  assert.equal(released.join(" "), "before empty");
  client.streams.write(id, nothing, () => released.push("alone"));
  run();
  assert.equal(released.join(" "), "before empty alone");
});

test("frames of flow control that are lost are sent again only while they hold", () => {
  const server = new Side(false, { maxData: 100, maxStreamDataUni: 100 });
  server.streams.start(limits);
  server.frame(stream(2, 0, new Uint8Array(60)));
  const first = server.packet()!;
  assert.deepEqual(
    first.held.map(([kind]) => kind).sort((a, b) => a - b),
    [Held.maxData, Held.maxStreamData],
  );
  server.lost(first);
  const second = server.packet()!;
  assert.deepEqual(second.held, first.held);
  server.frame(stream(2, 60, new Uint8Array(100)));
  const third = server.packet()!;
  assert.notDeepEqual(third.held, second.held);
  server.lost(second);
  assert.ok(!server.packet()?.held.some(([kind]) => kind === Held.maxStreamData));
});

test("more gaps than a bound are an attack (§21.6)", () => {
  const server = new Side(false, { maxData: 10_000_000, maxStreamDataUni: 10_000_000 });
  const one = new Uint8Array(1);
  assert.throws(() => {
    for (let offset = 1; offset < 20_000; offset += 2) server.frame(stream(2, offset, one));
  }, refused("stream-fragmentation"));
  assert.ok(server.streams.get(2)!.receive!.heldBytes <= 16_384);
});

test("at the end every write is released", () => {
  const { client } = pair();
  const id = client.streams.open("bidirectional");
  client.streams.write(id, new Uint8Array(10), () => {});
  client.packet();
  client.streams.close();
  assert.deepEqual(
    client.events().map(({ kind }) => kind),
    ["released"],
  );
});
