import assert from "node:assert/strict";
import { equal } from "../../src/bytes/index.js";
import type { LinkOptions, World } from "../../src/hosts/simulator/index.js";
import { pattern } from "../laws/port.js";
import { type QuicPair, type QuicPairOptions, quicPair, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

// Named as the interop world names its cases (quic-interop-runner), and a few more.

const options = { start: startOfTime };

/** Makes a pair, sends so much each way on one stream, and sees that it arrived; answers the time it took. */
async function exchange(world: World, size: number, how: QuicPairOptions = {}): Promise<QuicPair & { ms: number }> {
  const pair = await quicPair(world, { echoes: true, ...how });
  const { client } = pair;
  const sent = pattern(size, 7);
  const stream = client.open();
  stream.stream.write(sent);
  stream.stream.finish();
  await world.until(() => stream.isEnded || client.isClosed);
  assert.equal(client.failure, undefined);
  assert.ok(equal(stream.all(), sent), "what was sent came back");
  return Object.assign(pair, { ms: world.elapsed });
}

async function end(world: World, { client, listener }: QuicPair): Promise<void> {
  client.session.close();
  await world.until(() => client.isClosed);
  await world.finish(listener.closeAll());
}

scenario(
  "handshakeloss: fifty connections, one after another, when three packets in ten are lost",
  [1, 2],
  async (world) => {
    const pair = await exchange(world, 1_000, { link: { loss: { in: 3, of: 10 }, delayMs: 15 } });
    for (let i = 1; i < 50; i++) {
      const client = pair.connect();
      const stream = client.open();
      stream.stream.write(pattern(1_000, i));
      stream.stream.finish();
      await world.until(() => stream.isEnded || client.isClosed);
      assert.equal(client.failure, undefined, `connection ${i}`);
      assert.equal(stream.size, 1_000);
      client.session.close();
    }
    pair.link.set({ loss: { in: 0, of: 1 } });
    await end(world, pair);
  },
  options,
);

scenario(
  "handshakecorruption: the same when three in ten are corrupted",
  [1, 2],
  async (world) => {
    const pair = await exchange(world, 1_000, { link: { corruption: { in: 3, of: 10 }, delayMs: 15 } });
    for (let i = 1; i < 50; i++) {
      const client = pair.connect();
      const stream = client.open();
      stream.stream.write(pattern(1_000, i));
      stream.stream.finish();
      await world.until(() => stream.isEnded || client.isClosed);
      assert.equal(client.failure, undefined, `connection ${i}`);
      assert.equal(stream.size, 1_000);
      client.session.close();
    }
    pair.link.set({ corruption: { in: 0, of: 1 } });
    await end(world, pair);
  },
  options,
);

const disturbed: Readonly<Record<string, LinkOptions>> = {
  "transferloss: two in a hundred are lost": { loss: { in: 2, of: 100 } },
  "transfercorruption: two in a hundred are corrupted": { corruption: { in: 2, of: 100 } },
  "reordering: one in ten is overtaken": { reordering: { in: 1, of: 10 }, reorderMs: 8 },
  "duplication: one in five comes twice": { duplication: { in: 1, of: 5 } },
  "all of it at once, and jitter": {
    loss: { in: 1, of: 100 },
    corruption: { in: 1, of: 100 },
    reordering: { in: 5, of: 100 },
    duplication: { in: 5, of: 100 },
    jitterMs: 5,
  },
};

for (const [name, link] of Object.entries(disturbed)) {
  scenario(
    name,
    [1, 2, 3],
    async (world) => {
      const pair = await exchange(world, 500_000, { link: { bitsPerSecond: 10_000_000, delayMs: 15, ...link } });
      await end(world, pair);
    },
    options,
  );
}

scenario(
  "blackhole: the link is down for two seconds in the middle of a transfer",
  [1, 2, 3],
  async (world) => {
    const pair = await quicPair(world, { echoes: true, link: { bitsPerSecond: 10_000_000, delayMs: 15 } });
    const { client, link } = pair;
    const sent = pattern(1_000_000, 1);
    const stream = client.open();
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.size > 100_000);
    link.down();
    await world.run(2_000);
    link.up();
    await world.until(() => stream.isEnded || client.isClosed);
    assert.ok(equal(stream.all(), sent));
    assert.ok(world.elapsed < 9_000, `${world.elapsed}`);
    await end(world, pair);
  },
  options,
);

scenario(
  "longrtt: a round trip of one and a half seconds",
  [1],
  async (world) => {
    const pair = await exchange(world, 100_000, { link: { delayMs: 750 } });
    assert.ok(pair.ms < 15_000, `${pair.ms}`);
    await end(world, pair);
  },
  options,
);

scenario(
  "goodput: ten megabytes over 10 Mbit/s and 30 ms come at nine tenths of the rate",
  [1],
  async (world) => {
    const pair = await quicPair(world, { link: { bitsPerSecond: 10_000_000, delayMs: 15, queueBytes: 37_500 } });
    const { client } = pair;
    const stream = client.open();
    await world.until(() => pair.server?.outcome !== undefined);
    const began = world.elapsed;
    stream.stream.write(pattern(10_000_000, 1));
    stream.stream.finish();
    await world.until(() => pair.server.streams[0]?.isEnded === true);
    const rate = (10_000_000 * 8) / (world.elapsed - began) / 1_000;
    assert.ok(rate > 9, `${rate} Mbit/s`);
    await end(world, pair);
  },
  options,
);

scenario(
  "multiconnect: fifty handshakes at a time",
  [1, 2],
  async (world) => {
    const pair = await exchange(world, 1_000);
    const clients = Array.from({ length: 50 }, () => pair.connect());
    const streams = clients.map((client) => {
      const stream = client.open();
      stream.stream.write(pattern(2_000, 3));
      stream.stream.finish();
      return stream;
    });
    await world.until(() => streams.every(({ isEnded }) => isEnded));
    assert.equal(pair.listener.connections, 51);
    for (const client of clients) client.session.close();
    await end(world, pair);
  },
  options,
);

scenario(
  "a thousand streams at once: the urgent come first, and equals come together",
  [1],
  async (world) => {
    const link = { bitsPerSecond: 20_000_000, delayMs: 15, queueBytes: 75_000 };
    const pair = await quicPair(world, { link, server: { peerUnidirectionalStreams: 1_000 } });
    await world.until(() => pair.client.outcome !== undefined && pair.servers[0]?.outcome !== undefined);
    const ends = new Map<number, number>();
    for (let i = 0; i < 1_000; i++) {
      const { stream } = pair.client.open({ direction: "unidirectional", priority: i < 900 ? 100 : 1 });
      stream.write(pattern(3_000, i));
      stream.finish();
    }
    const arrived = () => {
      for (const { stream, isEnded } of pair.server.streams) {
        if (isEnded && !ends.has(stream.id)) ends.set(stream.id, world.elapsed);
      }
      return ends.size === 1_000;
    };
    await world.until(arrived);
    const times = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ends.get(4 * (from + i) + 2)!).sort((a, b) => a - b);
    const [equals, urgent] = [times(0, 900), times(900, 1_000)];
    assert.ok(urgent[99]! < equals[10]!, `${urgent[99]} and ${equals[10]}`);
    // By turns: none of them is through before most of all has been sent.
    assert.ok(
      equals[10]! - urgent[0]! > 0.4 * (equals[899]! - urgent[0]!),
      `${urgent[0]}, ${equals[10]}, ${equals[899]}`,
    );
    for (const each of pair.server.streams) assert.equal(each.size, 3_000);
    await end(world, pair);
  },
  options,
);

scenario(
  "ipv6",
  [1],
  async (world) => {
    const pair = await exchange(world, 100_000, { isIpv6: true, link: { mtu: 1_280 } });
    await end(world, pair);
  },
  options,
);

for (const isBlackHole of [false, true]) {
  scenario(
    `a link of 1280 bytes${isBlackHole ? " that tells nobody" : ""}`,
    [1],
    async (world) => {
      const pair = await exchange(world, 300_000, { link: { mtu: 1_280, isBlackHole } });
      const { mtu } = pair.client.session.statistics;
      assert.ok(mtu >= 1_200 && mtu <= 1_252, `${mtu}`);
      await end(world, pair);
    },
    options,
  );
}

scenario(
  "jumbo frames are found where they pass, once enough is sent",
  [1],
  async (world) => {
    const pair = await exchange(world, 5_000_000, { link: { mtu: 9_000, bitsPerSecond: 1_000_000_000 } });
    assert.equal(pair.client.session.statistics.mtu, 8_952);
    await end(world, pair);
  },
  options,
);

scenario(
  "the path's MTU is found, and when it shrinks the transfer goes on",
  [1],
  async (world) => {
    const pair = await exchange(world, 500_000, { link: { bitsPerSecond: 20_000_000 } });
    const { client, link } = pair;
    assert.equal(client.session.statistics.mtu, 1_452);
    link.set({ mtu: 1_300, isBlackHole: true });
    const stream = client.open();
    const sent = pattern(500_000, 2);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.isEnded || client.isClosed);
    assert.ok(equal(stream.all(), sent));
    assert.ok(client.session.statistics.mtu <= 1_272, `${client.session.statistics.mtu}`);
    await end(world, pair);
  },
  options,
);
