import assert from "node:assert/strict";
import { equal } from "../../src/bytes/index.js";
import { type Failure, networkFailure, type TraceEvent } from "../../src/contract/index.js";
import type { Link, Nat, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import { pattern } from "../laws/port.js";
import { ipv4ServerAddress, type QuicPair, quicPair, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

const options = { start: startOfTime };

/** A NAT between the two, with two addresses outside. */
async function behindNat(world: World, more: Parameters<typeof quicPair>[1] = {}): Promise<QuicPair & { nat: Nat }> {
  let nat: Nat | undefined;
  const between = (near: SimulatedHost, far: SimulatedHost): Link => {
    nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2"] });
    world.link(near, nat.inside, { delayMs: 1 });
    return world.link(nat.outside, far, { delayMs: 14, bitsPerSecond: 10_000_000 });
  };
  const pair = await quicPair(world, { ...more, between });
  return Object.assign(pair, { nat: nat! });
}

async function end(world: World, { client, listener }: QuicPair): Promise<void> {
  client.session.close();
  await world.until(() => client.isClosed);
  await world.finish(listener.closeAll());
}

for (const [name, newAddress] of [
  ["rebind-port: the NAT gives other ports every 400 ms", false],
  ["rebind-address: the NAT gives other addresses and ports every 400 ms", true],
] as const) {
  scenario(
    name,
    [1, 2, 3],
    async (world) => {
      const pair = await behindNat(world);
      const { client, nat } = pair;
      const stream = client.open();
      const sent = pattern(1_500_000, 1);
      stream.stream.write(sent);
      stream.stream.finish();
      await world.until(() => client.outcome !== undefined);
      let rebindings = 0;
      const isOver = () => pair.server?.streams[0]?.isEnded === true || client.isClosed;
      while (!isOver()) {
        await world.run(400);
        if (isOver()) break;
        nat.rebind({ newAddress });
        rebindings++;
      }
      assert.equal(client.failure, undefined);
      assert.ok(equal(pair.server.streams[0]!.all(), sent));
      assert.ok(rebindings >= 2, `${rebindings}`);
      assert.ok(pair.server.told.filter((word) => word === "moved").length >= 2, `${pair.server.told}`);
      assert.ok(world.elapsed < 8_000, `${world.elapsed}`);
      await end(world, pair);
    },
    options,
  );
}

scenario(
  "connectionmigration: the client goes on from another port in the middle of a transfer, each way",
  [1, 2, 3],
  async (world) => {
    const pair = await quicPair(world, { echoes: true, link: { bitsPerSecond: 10_000_000, delayMs: 15 } });
    const { client } = pair;
    const stream = client.open();
    const sent = pattern(500_000, 2);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.size > 50_000);
    const before = client.session.local.port;
    await world.finish(client.session.migrate());
    assert.notEqual(client.session.local.port, before);
    await world.until(() => stream.isEnded || client.isClosed);
    assert.ok(equal(stream.all(), sent));
    assert.ok(client.told.includes("moved") && pair.server.told.includes("moved"));
    await end(world, pair);
  },
  options,
);

scenario(
  "a client that has spoken from another port speaks nowhere else: the server follows it once, and not back and forth",
  [1, 2, 3],
  async (world) => {
    const moves: string[] = [];
    const trace = ({ name, data }: TraceEvent): void => {
      if (name === "quic:migration_state_updated") moves.push(JSON.stringify(data["tuple_remote"]));
    };
    const link = { bitsPerSecond: 10_000_000, delayMs: 15 };
    const pair = await quicPair(world, { server: { trace }, link });
    const { client } = pair;
    const stream = client.open();
    const sent = pattern(2_000_000, 4);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => (pair.server?.streams[0]?.size ?? 0) > 100_000);
    const { port } = client.session.local;
    // What the server says to the new port is lost for as long as the client is in doubt: a server that follows who is not sure yet.
    let lost = 0;
    pair.link.script(({ to }, { name }) =>
      name === "server" && to.port !== port && to.port !== 443 && lost++ < 60 ? "drop" : undefined,
    );
    await world.finish(client.session.migrate());
    assert.ok(lost > 3, `${lost}`);
    await world.until(() => pair.server.streams[0]!.isEnded || client.isClosed);
    assert.ok(equal(pair.server.streams[0]!.all(), sent));
    assert.equal(moves.length, 1, `${moves}`);
    await end(world, pair);
  },
  options,
);

scenario(
  "a path that is not there is not moved to",
  [1],
  async (world) => {
    const pair = await quicPair(world, { echoes: true });
    const { client } = pair;
    await world.until(() => client.outcome !== undefined);
    const { port } = client.session.local;
    // The old port alone gets through.
    pair.link.script((packet) => (packet.from.port === port || packet.to.port === port ? undefined : "drop"));
    await assert.rejects(world.finish(client.session.migrate()));
    assert.equal(client.session.local.port, port);
    const stream = client.open();
    stream.stream.write(pattern(10_000, 3));
    stream.stream.finish();
    await world.until(() => stream.isEnded || client.isClosed);
    assert.equal(stream.size, 10_000);
    await end(world, pair);
  },
  options,
);

scenario(
  "crosstraffic: two transfers share a bottleneck, and neither starves",
  [1, 2],
  async (world) => {
    const rate = 10_000_000;
    const pair = await quicPair(world, { link: { bitsPerSecond: rate, delayMs: 15, queueBytes: 50_000 } });
    const clients = [pair.client, pair.connect()];
    await world.until(() => clients.every(({ outcome }) => outcome !== undefined));
    const began = world.elapsed;
    const streams = clients.map((client) => {
      const stream = client.open();
      stream.stream.write(new Uint8Array(30_000_000));
      return stream;
    });
    await world.run(20_000);
    const received = pair.servers.map(({ streams: [stream] }) => stream?.size ?? 0);
    const total = (8 * received.reduce((sum, each) => sum + each, 0)) / (world.elapsed - began) / 1_000;
    assert.ok(total > 0.9 * (rate / 1e6), `${total} Mbit/s`);
    assert.ok(Math.min(...received) > 0.2 * Math.max(...received), `${received}`);
    assert.equal(streams.length, received.length);
    for (const client of clients) client.session.abort();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "marks instead of losses: a path with ECN loses nothing",
  [1],
  async (world) => {
    const link = { bitsPerSecond: 10_000_000, delayMs: 15, queueBytes: 150_000, ecnMarkBytes: 30_000 };
    const pair = await quicPair(world, { link });
    const stream = pair.client.open();
    stream.stream.write(new Uint8Array(5_000_000));
    stream.stream.finish();
    await world.until(() => pair.server?.streams[0]?.isEnded === true);
    const { ecn, packetsLost } = pair.client.session.statistics;
    assert.equal(ecn, "capable");
    assert.ok(pair.link.counters.marked > 0);
    assert.ok(packetsLost <= pair.link.counters.overflowed, `${packetsLost} and ${pair.link.counters.overflowed}`);
    assert.ok(world.elapsed < 5_500, `${world.elapsed}`);
    await end(world, pair);
  },
  options,
);

scenario(
  "an idle connection ends by itself, on both sides, and says why",
  [1],
  async (world) => {
    const pair = await quicPair(world, { client: { idleTimeoutMs: 5_000 } });
    await world.until(() => pair.client.outcome !== undefined && pair.server?.outcome !== undefined);
    await world.run(1_000);
    assert.equal(pair.client.isClosed, false);
    await world.until(() => pair.client.isClosed && pair.server.isClosed, 10_000);
    assert.equal(pair.client.failure?.reason, "idle-timeout");
    assert.equal(pair.server.failure?.reason, "idle-timeout");
    await world.finish(pair.listener.close());
  },
  options,
);

scenario(
  "a server that restarted ends what it does not know with a stateless reset",
  [1],
  async (world) => {
    const { Secret } = await import("../../src/contract/index.js");
    const secret = () => new Secret(new Uint8Array(32).fill(4));
    const pair = await quicPair(world, { server: { secret: secret() } });
    await world.until(() => pair.client.outcome !== undefined && pair.server?.outcome !== undefined);
    await world.run(500);
    // It vanishes without a word, and another with the same secret takes its place.
    pair.link.down();
    pair.server.session.abort();
    await world.finish(pair.listener.closeAll());
    await world.run(100);
    pair.link.up();
    const again = await pair.listenAgain({ secret: secret() });
    const stream = pair.client.open();
    stream.stream.write(new Uint8Array(100));
    await world.until(() => pair.client.isClosed, 20_000);
    assert.equal(pair.client.failure?.reason, "stateless-reset");
    await world.finish(again.closeAll());
  },
  options,
);

scenario(
  "a listener whose port is taken from it says so, with what took it; its connections end",
  [1],
  async (world) => {
    const pair = await quicPair(world, {
      server: { preferredAddress: { ipv4: { ...ipv4ServerAddress, port: 8443 } } },
    });
    await world.until(() => pair.client.outcome !== undefined && pair.server?.outcome !== undefined);
    let closed: Failure | undefined;
    void pair.listener.closed.then((failure) => (closed = failure));
    await world.run(500);
    // The preferred address alone is no listener.
    pair.far.network.failPort(443, networkFailure("network-failed", "the interface is gone"));
    await world.until(() => closed !== undefined && pair.server.isClosed);
    const { protocol, reason, cause } = closed!;
    assert.deepEqual([protocol, reason, (cause as Failure).reason], ["QUIC", "connection-lost", "network-failed"]);
    pair.client.session.abort();
    await world.until(() => pair.client.isClosed);
    // And one that is closed says that nothing failed.
    const again = await pair.listenAgain();
    let end: "open" | Failure | undefined = "open";
    void again.closed.then((failure) => (end = failure));
    await world.finish(again.close());
    await world.until(() => end !== "open");
    assert.equal(end, undefined);
  },
  options,
);
