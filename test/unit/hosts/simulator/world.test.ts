import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, utf8 } from "../../../../src/bytes/index.js";
import type {
  DatagramOptions,
  DatagramPort,
  Ecn,
  Failure,
  Network,
  SocketAddress,
} from "../../../../src/contract/index.js";
import {
  type LinkOptions,
  Random,
  type SimulatedHost,
  simulate,
  type World,
} from "../../../../src/hosts/simulator/index.js";
import { Recorder as Sink } from "../../../laws/port.js";
import { blocksOf } from "../../../support/pcapng.js";
import { commandFor, runScenario, scenario } from "../../../support/scenario.js";

const a4 = "192.0.2.1";
const b4 = "198.51.100.1";

interface Heard {
  readonly port: DatagramPort;
  readonly got: { readonly bytes: Uint8Array; readonly from: SocketAddress; readonly ecn: Ecn; readonly at: number }[];
  readonly soft: Failure[];
}

async function bind(host: SimulatedHost, port: number, options?: DatagramOptions, address = "::"): Promise<Heard> {
  const got: Heard["got"] = [];
  const soft: Failure[] = [];
  const bound = await host.network.bindDatagrams(
    { address, port },
    {
      datagrams: (bytes, from, _, ecn) => void got.push({ bytes, from, ecn, at: host.now() }),
      softError: (failure) => void soft.push(failure),
      closed: () => {},
    },
    options,
  );
  return { port: bound, got, soft };
}

async function two(link: LinkOptions, seed = 1) {
  const world = simulate({ seed });
  const client = world.host("client", { addresses: [a4] });
  const server = world.host("server", { addresses: [b4] });
  const wire = world.link(client, server, link);
  const a = await bind(client, 1000);
  const b = await bind(server, 2000);
  const send = (size: number, ecn: Ecn = 0): void => a.port.send(new Uint8Array(size), to, size, ecn);
  const to = { address: b4, port: 2000 };
  return { world, client, server, wire, a, b, to, send };
}

test("a packet takes a link's delay, and its size over the rate", async () => {
  const { world, b, send } = await two({ delayMs: 30, bitsPerSecond: 1_000_000 });
  const start = world.now();
  send(1222); // 1250 bytes on the wire: 10 ms at 1 Mbit/s
  send(1222);
  await world.run(1000);
  assert.deepEqual(
    b.got.map(({ at }) => at - start),
    [40, 50],
  );
});

test("a queue drops what it cannot hold, and marks before that what may be marked", async () => {
  const { world, b, send, wire } = await two({ bitsPerSecond: 1_000_000, queueBytes: 12_500, ecnMarkBytes: 5000 });
  for (let i = 0; i < 20; i++) send(1222, i % 2 === 0 ? 2 : 0);
  await world.run(1000);
  assert.equal(b.got.length, 10);
  assert.equal(wire.counters.overflowed, 10);
  assert.deepEqual(
    b.got.map(({ ecn }) => ecn),
    [2, 0, 2, 0, 3, 0, 3, 0, 3, 0],
  );
});

test("loss, duplication and corruption come as often as their ratios say", async () => {
  const { world, b, send, wire } = await two({
    loss: { in: 1, of: 10 },
    duplication: { in: 1, of: 20 },
    corruption: { in: 1, of: 5 },
  });
  for (let i = 0; i < 10_000; i++) send(100);
  await world.run(1000);
  const { lost, duplicated, corrupted, sent, delivered } = wire.counters;
  assert.equal(sent, 10_000);
  assert.ok(Math.abs(lost - 1000) < 150, `${lost} lost`);
  assert.ok(Math.abs(duplicated - 450) < 100, `${duplicated} duplicated`);
  assert.ok(Math.abs(corrupted - 1800) < 200, `${corrupted} corrupted`);
  assert.equal(delivered, sent - lost + duplicated);
  assert.equal(b.got.length, delivered);
  const flipped = b.got.filter(({ bytes }) => bytes.some((byte) => byte !== 0));
  assert.ok(flipped.length >= corrupted);
  assert.ok(
    flipped.every(
      ({ bytes }) => bytes.reduce((bits, byte) => bits + byte.toString(2).replaceAll("0", "").length, 0) === 1,
    ),
  );
});

test("order is kept through jitter, and not through reordering", async () => {
  const order = async (link: LinkOptions): Promise<boolean> => {
    const { world, a, b, to } = await two(link);
    for (let i = 0; i < 200; i++) {
      a.port.send(Uint8Array.of(i), to);
      await world.run(1);
    }
    await world.run(1000);
    return b.got.every(({ bytes }, i) => bytes[0] === i);
  };
  assert.equal(await order({ jitterMs: 20 }), true);
  assert.equal(await order({ reordering: { in: 1, of: 10 } }), false);
});

test("too large a datagram is dropped: told to a port with a fixed peer, untold by a black hole", async () => {
  const { world, client, to, wire } = await two({ mtu: 1280 });
  const fixed = await bind(client, 3000, { remote: to }, a4);
  fixed.port.send(new Uint8Array(1252));
  fixed.port.send(new Uint8Array(1253));
  await world.run(100);
  assert.deepEqual(
    fixed.soft.map(({ reason }) => reason),
    ["message-too-big"],
  );
  wire.set({ isBlackHole: true });
  fixed.port.send(new Uint8Array(1253));
  await world.run(100);
  assert.equal(fixed.soft.length, 1);
  assert.equal(wire.counters.tooBig, 2);
});

test("a port where nobody listens is told to a port with a fixed peer, a round trip later", async () => {
  const { world, client } = await two({ delayMs: 25 });
  const fixed = await bind(client, 3000, { remote: { address: b4, port: 9 } }, a4);
  fixed.port.send(utf8("x"));
  await world.run(49);
  assert.equal(fixed.soft.length, 0);
  await world.run(1);
  assert.equal(fixed.soft[0]?.reason, "refused-connection");
});

test("a script decides the fate of single packets", async () => {
  const { world, a, b, to, wire } = await two({ delayMs: 10 });
  let count = 0;
  wire.script(
    (packet) =>
      ([undefined, "drop", "duplicate", "corrupt", { delayMs: 500 }][count++] as ReturnType<
        Parameters<typeof wire.script>[0] & {}
      >) ?? (packet.bytes.length > 9 ? "drop" : undefined),
  );
  for (let i = 0; i < 6; i++) a.port.send(Uint8Array.of(i * 16), to);
  await world.run(1000);
  assert.deepEqual(
    b.got
      .map(({ bytes }) => bytes[0]! >> 4)
      .filter((first) => first !== 3)
      .sort(),
    [0, 2, 2, 4, 5],
  );
  assert.equal(b.got.length, 6);
  assert.equal(b.got.at(-1)!.bytes[0], 64);
  wire.script(undefined);
  wire.down();
  a.port.send(utf8("lost"), to);
  await world.run(100);
  wire.up();
  a.port.send(utf8("back"), to);
  await world.run(100);
  assert.deepEqual(b.got.at(-1)!.bytes, utf8("back"));
  assert.equal(b.got.length, 7);
});

async function behindNat(options: {
  idleMs?: number;
  filtering?: "endpoint-independent" | "address" | "address-and-port";
}) {
  const world = simulate({ seed: 5 });
  const client = world.host("client", { addresses: ["10.0.0.2"] });
  const nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2"], ...options });
  const core = world.router("core");
  const server = world.host("server", { addresses: [b4] });
  const other = world.host("other", { addresses: ["198.51.100.2"] });
  world.link(client, nat.inside, { delayMs: 1 });
  world.link(nat.outside, core, { delayMs: 1 });
  world.link(core, server, { delayMs: 1 });
  world.link(core, other, { delayMs: 1 });
  return { world, nat, a: await bind(client, 1000), b: await bind(server, 2000), c: await bind(other, 3000) };
}

test("a NAT translates, lets answers in and keeps strangers out", async () => {
  const { world, a, b, c, nat } = await behindNat({});
  a.port.send(utf8("hello"), { address: b4, port: 2000 });
  await world.run(10);
  const outside = b.got[0]!.from;
  assert.equal(outside.address, "203.0.113.1");
  b.port.send(utf8("answer"), outside);
  c.port.send(utf8("intruder"), outside);
  await world.run(10);
  assert.deepEqual(
    a.got.map(({ bytes }) => new TextDecoder().decode(bytes)),
    ["answer"],
  );
  assert.equal(nat.mappings, 1);
  a.port.send(utf8("and you?"), { address: "198.51.100.2", port: 3000 });
  await world.run(10);
  assert.deepEqual(c.got[0]!.from, outside, "one mapping for all peers");
  c.port.send(utf8("now you hear me"), outside);
  await world.run(10);
  assert.equal(a.got.length, 2);
});

test("a NAT that filters by nothing lets everybody answer", async () => {
  const { world, a, b, c } = await behindNat({ filtering: "endpoint-independent" });
  a.port.send(utf8("hello"), { address: b4, port: 2000 });
  await world.run(10);
  c.port.send(utf8("hi"), b.got[0]!.from);
  await world.run(10);
  assert.equal(a.got.length, 1);
});

test("an idle mapping expires, and the peer then sees another port", async () => {
  const { world, a, b } = await behindNat({ idleMs: 30_000 });
  const to = { address: b4, port: 2000 };
  a.port.send(utf8("1"), to);
  await world.run(29_000);
  a.port.send(utf8("2"), to);
  await world.run(29_000);
  b.port.send(utf8("in time"), b.got[1]!.from);
  await world.run(2000);
  assert.equal(a.got.length, 1);
  b.port.send(utf8("too late"), b.got[1]!.from);
  await world.run(1000);
  assert.equal(a.got.length, 1);
  a.port.send(utf8("3"), to);
  await world.run(1000);
  assert.deepEqual(b.got[0]!.from, b.got[1]!.from);
  assert.notDeepEqual(b.got[2]!.from, b.got[1]!.from);
});

test("a rebinding moves a peer to another port, or to another address", async () => {
  const { world, a, b, nat } = await behindNat({});
  const to = { address: b4, port: 2000 };
  a.port.send(utf8("1"), to);
  await world.run(10);
  nat.rebind();
  a.port.send(utf8("2"), to);
  await world.run(10);
  nat.rebind({ newAddress: true });
  a.port.send(utf8("3"), to);
  await world.run(10);
  const [one, two_, three] = b.got.map(({ from }) => from);
  assert.equal(one!.address, two_!.address);
  assert.notEqual(one!.port, two_!.port);
  assert.equal(three!.address, "203.0.113.2");
});

test("streams pass a NAT too", async () => {
  const world = simulate({ seed: 6 });
  const client = world.host("client", { addresses: ["10.0.0.2"] });
  const nat = world.nat("nat", { addresses: ["203.0.113.1"] });
  const server = world.host("server", { addresses: [b4] });
  world.link(client, nat.inside);
  world.link(nat.outside, server);
  const { near, far } = await connected(world, client.network, server.network, b4);
  assert.equal(far.port.remote.address, "203.0.113.1");
  near.port.write(utf8("through"));
  await world.until(() => far.size === 7);
});

test("a host with two interfaces uses the one that leads there, or the one that was asked for", async () => {
  const world = simulate({ seed: 7 });
  const phone = world.host("phone", {
    interfaces: {
      wlan0: { type: "wifi", addresses: ["10.0.0.2"] },
      wwan0: { type: "cellular", addresses: ["100.64.0.2"] },
    },
  });
  const core = world.router("core");
  const server = world.host("server", { addresses: [b4] });
  const wifi = world.link(phone.interface("wlan0"), core);
  world.link(phone.interface("wwan0"), core);
  world.link(core, server);
  const b = await bind(server, 2000);
  const to = { address: b4, port: 2000 };
  const any = await bind(phone, 1000);
  const cellular = await bind(phone, 1001, { interface: "wwan0" });
  any.port.send(utf8("x"), to);
  cellular.port.send(utf8("y"), to);
  await world.run(100);
  assert.deepEqual(b.got.map(({ from }) => from.address).sort(), ["10.0.0.2", "100.64.0.2"]);
  wifi.down();
  phone.setAddresses("wlan0", []);
  any.port.send(utf8("z"), to);
  await world.run(100);
  assert.equal(b.got.at(-1)!.from.address, "100.64.0.2");
  assert.deepEqual(
    phone.network.interfaces().map(({ name, type }) => [name, type]),
    [
      ["lo", "loopback"],
      ["wlan0", "wifi"],
      ["wwan0", "cellular"],
    ],
  );
});

test("a host reaches itself, in no time but not at once", async () => {
  const world = simulate({ seed: 8 });
  const host = world.host("host");
  const { near, far } = await connected(world, host.network, host.network, "127.0.0.1");
  near.port.write(utf8("me"));
  assert.equal(far.size, 0);
  await world.until(() => far.size === 2);
  assert.equal(world.elapsed, 0);
});

test("names resolve after their delay, and fail in their ways", async () => {
  const world = simulate({ seed: 9 });
  const host = world.host("host", { addresses: [a4] });
  world.name("both.example", { addresses: ["2001:db8::1", b4], delay6Ms: 300, delay4Ms: 20 });
  world.name("mute.example", { delayMs: 5000 });
  assert.deepEqual(await world.finish(host.network.resolve("both.example", { family: 4 })), [b4]);
  assert.equal(world.elapsed, 20);
  assert.deepEqual(await world.finish(host.network.resolve("both.example", { family: 6 })), ["2001:db8::1"]);
  assert.equal(world.elapsed, 320);
  assert.deepEqual(await world.finish(host.network.resolve(b4)), [b4]);
  const reasons: string[] = [];
  for (const name of ["mute.example", "none.example"]) {
    await world.finish(host.network.resolve(name)).catch((failure: Failure) => void reasons.push(failure.reason));
  }
  assert.deepEqual(reasons, ["name-server-failed", "name-not-found"]);
  const abort = new AbortController();
  const asked = host.network.resolve("mute.example", { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(world.finish(asked), /enough/);
});

test("promises have their place between events, however long their chains", async () => {
  const world = simulate({ seed: 10 });
  const host = world.host("host");
  const order: string[] = [];
  host.wakeAt(world.now() + 5, () => {
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve();
      order.push("chain");
      host.soon(() => order.push("soon"));
    })();
    order.push("first");
  });
  host.wakeAt(world.now() + 5, () => void order.push("second"));
  host.wakeAt(world.now() + 4, () => void order.push("never")).cancel();
  await world.run(5);
  assert.deepEqual(order, ["first", "chain", "soon", "second"]);
});

test("virtual time waits for what is held", async () => {
  const world = simulate({ seed: 11 });
  const host = world.host("host");
  const order: string[] = [];
  host.wakeAt(world.now() + 1, () => {
    void world.hold(new Promise((resolve) => setImmediate(resolve))).then(() => order.push("real"));
  });
  host.wakeAt(world.now() + 2, () => void order.push("later"));
  await world.run(2);
  assert.deepEqual(order, ["real", "later"]);
});

test("what cannot come to pass is said so, and what spins is stopped", async () => {
  const world = simulate({ seed: 12 });
  const host = world.host("host");
  await assert.rejects(
    world.until(() => false),
    /nothing is left to happen/,
  );
  host.wakeAt(world.now() + 2000, () => {});
  await assert.rejects(
    world.until(() => false, 1000),
    /not within 1000 ms/,
  );
});

test("a clock may be ahead of the world's", () => {
  const world = simulate({ seed: 13 });
  const host = world.host("host", { clockAheadMs: 60_000 });
  assert.equal(host.now() - world.now(), 60_000);
});

test("streams are stalled and reset by chance", async () => {
  const world = simulate({ seed: 14 });
  const streams = { stall: { in: 1, of: 3 }, stallMs: 2000 };
  const client = world.host("client", { addresses: [a4] });
  const server = world.host("server", { addresses: [b4], streams });
  world.link(client, server);
  const { near, far } = await connected(world, client.network, server.network, b4);
  const start = world.elapsed;
  near.port.write(new Uint8Array(50_000));
  await world.until(() => far.size === 50_000);
  assert.ok(world.elapsed - start >= 2000);

  const shaky = world.host("shaky", { addresses: ["198.51.100.3"], streams: { reset: { in: 1, of: 20 } } });
  world.link(client, shaky);
  const second = await connected(world, client.network, shaky.network, "198.51.100.3");
  second.near.port.write(new Uint8Array(2_000_000));
  await world.until(() => second.near.isClosed && second.far.isClosed);
  assert.equal(second.near.failure?.reason, "reset");
  assert.equal(second.far.failure?.reason, "reset");
});

test("a peer that goes silent is given up in the end", async () => {
  const { world, client, server, wire } = await two({});
  const { near } = await connected(world, client.network, server.network, b4);
  wire.down();
  near.port.write(utf8("anyone?"));
  await world.until(() => near.isClosed, 1e9);
  assert.equal(near.failure?.reason, "timed-out");
  const late = new Sink();
  late.attach(client.network.connectStream({ address: b4, port: 1 }, late));
  await world.until(() => late.isClosed, 1e9);
  assert.equal(late.failure?.reason, "timed-out");
});

test("a host without an address of the family has no way", async () => {
  const { world, client, a } = await two({});
  const near = new Sink();
  near.attach(client.network.connectStream({ address: "2001:db8::1", port: 1 }, near));
  a.port.send(utf8("x"), { address: "2001:db8::1", port: 1 });
  await world.until(() => near.isClosed && a.soft.length > 0);
  assert.equal(near.failure?.reason, "no-route");
  assert.equal(a.soft[0]?.reason, "no-route");
});

test("a capture holds every packet, with what became of it", async () => {
  const world = simulate({ seed: 15, isCapturing: true });
  const client = world.host("client", { addresses: [a4] });
  const server = world.host("server", { addresses: [b4] });
  const wire = world.link(client, server);
  const a = await bind(client, 1000);
  await bind(server, 2000);
  client.keyLog("CLIENT_RANDOM 00 11");
  a.port.send(utf8("one"), { address: b4, port: 2000 });
  wire.down();
  a.port.send(utf8("two"), { address: b4, port: 2000 });
  await world.run(100);
  wire.up();
  await connected(world, client.network, server.network, b4);
  const blocks = blocksOf(world.capture());
  assert.deepEqual(
    blocks.map(({ type }) => type),
    [0x0a0d0d0a, 1, 10, 6, 6, 6, 6, 6],
  );
  assert.deepEqual(
    blocks.flatMap(({ packet }) => packet?.comment ?? []),
    ["client–server", "client–server: lost", ...Array<string>(3).fill("client–server")],
  );
  assert.deepEqual(world.keyLog, ["CLIENT_RANDOM 00 11"]);
});

async function busy(seed: number): Promise<{ digest: string; got: Uint8Array; elapsed: number }> {
  const world = simulate({ seed });
  const streams = { pieceMax: 100 };
  const client = world.host("client", { addresses: [a4], streams });
  const server = world.host("server", { addresses: [b4], streams });
  world.link(client, server, { jitterMs: 7, loss: { in: 1, of: 20 }, reordering: { in: 1, of: 10 } });
  const { near, far } = await connected(world, client.network, server.network, b4);
  const random = client.entropy.fork("payload");
  near.port.write(random.fill(new Uint8Array(200_000)));
  await world.until(() => far.size === 200_000);
  return {
    digest: world.digest(),
    got: concat(far.all(), ...far.chunks.map(({ length }) => Uint8Array.of(length))),
    elapsed: world.elapsed,
  };
}

test("the same seed puts the same bytes on the wires at the same moments; another seed, others", async () => {
  const [one, again, other] = [await busy(21), await busy(21), await busy(22)];
  assert.deepEqual(again, one);
  assert.notEqual(other.digest, one.digest);
});

test("what one part draws does not change what another gets", () => {
  const random = new Random(1);
  const before = new Random(1).fork("x").next();
  random.next();
  assert.equal(random.fork("x").next(), before);
  assert.notEqual(random.fork("y").next(), before);
});

scenario("a scenario runs its seeds, with crypto", [1, 2], async (world, seed) => {
  assert.equal(world.seed, seed);
  assert.ok(world.host("host").crypto.has("SHA-256"));
});

test("a scenario that fails names its seed and the command that replays it", async () => {
  const ran: number[] = [];
  await assert.rejects(
    runScenario("it breaks", 9, async (_, seed) => {
      ran.push(seed);
      if (seed === 3) throw new Error("broken");
    }),
    (error: Error) => {
      assert.match(error.message, /"it breaks" failed with seed 3 .*SEALPORT_SEED=3 node scripts\/test\.mjs/);
      assert.match(String(error.cause), /broken/);
      return true;
    },
  );
  assert.deepEqual(ran, [1, 2, 3]);
  assert.equal(
    commandFor(7, `${process.cwd()}/dist/test/scenarios/tls.test.js`),
    "SEALPORT_SEED=7 node scripts/test.mjs scenarios/tls",
  );
});

async function connected(
  world: World,
  from: Network,
  to: Network,
  address: string,
): Promise<{ near: Sink; far: Sink }> {
  let far: Sink | undefined;
  const listener = await to.listenStreams({ address, port: 0 }, (port) => (far = new Sink().attach(port)));
  const near = new Sink();
  near.attach(from.connectStream(listener.local, near));
  await world.until(() => near.told.includes("opened") && far !== undefined);
  return { near, far: far! };
}
