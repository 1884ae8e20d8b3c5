import assert from "node:assert/strict";
import { equal, utf8 } from "../../src/bytes/index.js";
import type { Nat } from "../../src/hosts/simulator/index.js";
import { type GquicVersion, MemoryKnownServers } from "../../src/protocols/gquic/index.js";
import { pattern } from "../laws/port.js";
import { type GquicPair, gquicPair } from "../support/gquic-pair.js";
import { scenario } from "../support/scenario.js";
import { startOfTime } from "../support/tls-pair.js";

const options = { start: startOfTime };
const versions: readonly GquicVersion[] = ["Q039", "Q043", "Q044", "Q046", "Q050"];

/** A stream goes there and back. */
async function echoed(
  world: { until(isSo: () => boolean): Promise<void> },
  pair: GquicPair,
  bytes: Uint8Array,
): Promise<void> {
  const stream = pair.client.open();
  stream.stream.write(bytes);
  stream.stream.finish();
  await world.until(() => stream.isEnded || pair.client.isClosed);
  assert.equal(pair.client.failure, undefined);
  assert.ok(equal(stream.all(), bytes));
  await world.until(() => stream.isClosed);
}

for (const version of versions) {
  scenario(
    `${version}: two ends shake hands, and what one writes the other reads`,
    2,
    async (world, seed) => {
      const only = { versions: [version] };
      const pair = await gquicPair(world, { echoes: true, client: only, server: only });
      const { client, servers, listener } = pair;
      await world.until(() => (client.outcome !== undefined && servers[0]?.outcome !== undefined) || client.isClosed);
      assert.equal(client.failure, undefined);
      assert.equal(client.outcome?.version, version);
      assert.equal(client.outcome?.roundTrips, 2);
      assert.equal(client.outcome?.peer?.kind, "certificate");
      await echoed(world, pair, pattern(100_000, seed));
      client.session.close();
      await world.until(() => servers[0]!.isClosed && client.isClosed);
      assert.equal(servers[0]!.failure, undefined);
      assert.equal(client.failure, undefined);
      await world.finish(listener.closeAll());
    },
    options,
  );

  scenario(
    `${version}: a bad network delays a stream, and changes nothing in it`,
    4,
    async (world, seed) => {
      const only = { versions: [version], handshakeTimeoutMs: 60_000 };
      const link = {
        loss: { in: 1, of: 12 },
        reordering: { in: 1, of: 10 },
        reorderMs: 30,
        duplication: { in: 1, of: 20 },
        corruption: { in: 1, of: 50 },
        delayMs: 15,
      };
      const pair = await gquicPair(world, { echoes: true, client: only, server: only, link });
      await echoed(world, pair, pattern(200_000, seed));
      const { packetsLost } = pair.client.session.statistics;
      assert.ok(packetsLost > 0, "packets were lost");
      pair.client.session.close();
      await world.finish(pair.listener.closeAll());
    },
    options,
  );
}

scenario(
  "a client that knows its server speaks at once, and the server takes what it says early",
  3,
  async (world) => {
    const known = new MemoryKnownServers();
    const pair = await gquicPair(world, { echoes: true, client: { known } });
    await world.until(() => pair.client.outcome !== undefined);
    pair.client.session.close();
    await world.until(() => pair.client.isClosed);
    const again = pair.connect();
    const stream = again.open({ early: true });
    stream.stream.write(utf8("early"));
    stream.stream.finish();
    const begun = world.elapsed;
    await world.until(() => pair.servers[1]?.streams[0]?.size === 5);
    // The hello and what is under its keys take one way.
    assert.ok(world.elapsed - begun < 15, `${world.elapsed - begun} ms`);
    assert.equal(pair.servers[1]!.streams[0]!.stream.early, true);
    await world.until(() => stream.isEnded);
    assert.equal(again.outcome?.resumed, true);
    assert.equal(again.outcome?.roundTrips, 1);
    assert.ok(again.told.includes("early data accepted"));
    again.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "a server that has begun anew knows no config: what was early goes again by itself",
  3,
  async (world) => {
    const known = new MemoryKnownServers();
    const pair = await gquicPair(world, { echoes: true, client: { known } });
    await world.until(() => pair.client.outcome !== undefined);
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
    const listener = await pair.listenAgain();
    const again = pair.connect();
    const stream = again.open({ early: true });
    const sent = pattern(5_000, 1);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.isEnded || again.isClosed);
    assert.equal(again.failure, undefined);
    assert.ok(equal(stream.all(), sent));
    assert.equal(again.outcome?.resumed, false);
    assert.ok(again.told.includes("early data rejected"));
    again.session.close();
    await world.finish(listener.closeAll());
  },
  options,
);

for (const [first, second] of [
  ["Q050", "Q046"],
  ["Q050", "Q043"],
  ["Q046", "Q043"],
  ["Q043", "Q046"],
  ["Q043", "Q050"],
] as const) {
  scenario(
    `a client begins with ${first}, and the server has ${second} alone`,
    2,
    async (world, seed) => {
      const pair = await gquicPair(world, {
        echoes: true,
        client: { versions: [first, second] },
        server: { versions: [second] },
      });
      await echoed(world, pair, pattern(30_000, seed));
      assert.equal(pair.client.outcome?.version, second);
      assert.equal(pair.client.outcome?.versionNegotiated, true);
      pair.client.session.close();
      await world.finish(pair.listener.closeAll());
    },
    options,
  );
}

scenario(
  "nothing in common is told at once",
  2,
  async (world) => {
    const { client, listener } = await gquicPair(world, {
      client: { versions: ["Q050"] },
      server: { versions: ["Q043"] },
    });
    await world.until(() => client.isClosed);
    assert.equal(client.failure?.reason, "no-common-version");
    assert.ok(world.elapsed < 1_000);
    await world.finish(listener.closeAll());
  },
  options,
);

scenario(
  "many streams both ways at a time, more than the peer allows",
  3,
  async (world) => {
    const pair = await gquicPair(world, { echoes: true, server: { peerStreams: 5 } });
    await world.until(() => pair.client.outcome !== undefined && pair.servers.length === 1);
    const streams = Array.from({ length: 40 }, (_, i) => {
      const stream = pair.client.open();
      stream.stream.write(pattern(3_000 + i, i));
      stream.stream.finish();
      return stream;
    });
    const back = pair.server.open();
    back.stream.write(utf8("from the server"));
    back.stream.finish();
    await world.until(() => streams.every((stream) => stream.isClosed) && pair.client.streams[0]?.isEnded === true);
    for (const [i, stream] of streams.entries()) assert.ok(equal(stream.all(), pattern(3_000 + i, i)));
    assert.equal(new TextDecoder().decode(pair.client.streams[0]!.all()), "from the server");
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "who does not read holds the writer back, of one stream and of all",
  2,
  async (world) => {
    const window = {
      receiveWindow: 65_536,
      receiveWindowMax: 65_536,
      streamReceiveWindow: 32_768,
      streamReceiveWindowMax: 32_768,
    };
    const pair = await gquicPair(world, { server: window });
    const streams = [0, 1, 2, 3].map(() => pair.client.open());
    for (const { stream } of streams) {
      stream.write(pattern(200_000, 3));
      stream.finish();
    }
    await world.until(() => pair.servers[0]?.streams.length === 4);
    for (const { stream } of pair.server.streams) stream.pause();
    await world.run(3_000);
    const held = pair.client.session.statistics.bytesSent;
    await world.run(3_000);
    assert.ok(pair.client.session.statistics.bytesSent - held < 1_000, "nothing more comes");
    for (const { stream } of pair.server.streams) stream.resume();
    await world.until(() => pair.server.streams.every((stream) => stream.isEnded));
    for (const stream of pair.server.streams) assert.ok(equal(stream.all(), pattern(200_000, 3)));
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "a stream that is reset ends on both sides, and the window of all is settled",
  3,
  async (world, seed) => {
    const pair = await gquicPair(world);
    await world.until(() => pair.client.outcome !== undefined);
    const stream = pair.client.open();
    stream.stream.write(pattern(100_000, 1));
    await world.until(() => (pair.servers[0]?.streams[0]?.size ?? 0) > 0);
    if (seed % 2 === 0) stream.stream.reset(7);
    else pair.server.streams[0]!.stream.stopSending(7);
    await world.until(() => stream.isClosed && pair.server.streams[0]!.isClosed);
    const other = pair.client.open();
    other.stream.write(utf8("still here"));
    other.stream.finish();
    await world.until(() => pair.server.streams[1]?.isEnded === true);
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "silence ends a connection, and a PING keeps one",
  2,
  async (world) => {
    const pair = await gquicPair(world, { server: { idleTimeoutMs: 5_000 } });
    await world.until(() => pair.client.outcome !== undefined);
    assert.equal(pair.client.outcome?.idleTimeoutMs, 5_000);
    const kept = pair.connect({ keepAliveMs: 1_000 });
    await world.until(() => kept.outcome !== undefined);
    await world.run(20_000);
    assert.equal(pair.client.failure?.reason, "idle-timeout");
    assert.equal(pair.servers[0]!.failure?.reason, "idle-timeout");
    assert.equal(kept.isClosed, false);
    kept.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "a client goes on from another port, and one whose NAT forgot it does not even know",
  3,
  async (world) => {
    const pair = await gquicPair(world, { echoes: true });
    await world.until(() => pair.client.outcome !== undefined);
    await echoed(world, pair, pattern(10_000, 1));
    const before = pair.server.session.remote.port;
    await world.finish(pair.client.session.migrate());
    await echoed(world, pair, pattern(10_000, 2));
    assert.notEqual(pair.server.session.remote.port, before);
    assert.ok(pair.client.told.includes("moved") && pair.server.told.includes("moved"));
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "a NAT gives a client another address in the middle of a stream",
  3,
  async (world, seed) => {
    let nat: Nat | undefined;
    const pair = await gquicPair(world, {
      echoes: true,
      between: (near, far) => {
        nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2"] });
        world.link(near, nat.inside, { delayMs: 5 });
        return world.link(nat.outside, far, { delayMs: 5 });
      },
    });
    const stream = pair.client.open();
    const sent = pattern(400_000, seed);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.size > 50_000);
    nat!.rebind({ newAddress: seed % 2 === 0 });
    await world.until(() => stream.isEnded || pair.client.isClosed);
    assert.equal(pair.client.failure, undefined);
    assert.ok(equal(stream.all(), sent));
    assert.ok(pair.server.told.includes("moved"));
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "packets grow to what the path carries, and shrink when it carries less",
  2,
  async (world, seed) => {
    const pair = await gquicPair(world, { echoes: true, link: { mtu: 1_500, delayMs: 10 } });
    await echoed(world, pair, pattern(300_000, seed));
    assert.equal(pair.client.session.statistics.mtu, 1_452);
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "messages that may be lost, and what became of them",
  2,
  async (world) => {
    const pair = await gquicPair(world);
    await world.until(() => pair.client.outcome !== undefined && pair.servers.length === 1);
    const fates: string[] = [];
    assert.ok(pair.client.session.datagramMax > 1_000);
    assert.ok(pair.client.session.sendDatagram(utf8("hello"), { fate: (fate) => void fates.push(fate) }));
    await world.until(() => pair.server.datagrams.length === 1 && fates.length === 1);
    assert.deepEqual(fates, ["acknowledged"]);
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "many clients on one port, each with its own",
  2,
  async (world) => {
    const pair = await gquicPair(world, { echoes: true });
    const clients = [pair.client, ...Array.from({ length: 20 }, () => pair.connect())];
    const streams = clients.map((client, i) => {
      const stream = client.open();
      stream.stream.write(pattern(5_000, i));
      stream.stream.finish();
      return stream;
    });
    await world.until(() => streams.every((stream) => stream.isEnded));
    for (const [i, stream] of streams.entries()) assert.ok(equal(stream.all(), pattern(5_000, i)));
    assert.equal(pair.listener.connections, 21);
    await world.finish(pair.listener.closeAll());
    assert.ok(clients.every((client) => client.isClosed && client.failure === undefined));
  },
  options,
);

scenario(
  "the loss of any one of the first packets delays a connection, and no more",
  12,
  async (world, seed) => {
    const version = versions[seed % versions.length]!;
    const only = { versions: [version] };
    const pair = await gquicPair(world, { echoes: true, client: only, server: only });
    let count = 0;
    pair.link.script(() => (++count === seed ? "drop" : undefined));
    await echoed(world, pair, pattern(20_000, seed));
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
  },
  options,
);
