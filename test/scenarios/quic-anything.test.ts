import assert from "node:assert/strict";
import { equal } from "../../src/bytes/index.js";
import type { Nat } from "../../src/hosts/simulator/index.js";
import { pattern } from "../laws/port.js";
import { quicPair, type SessionRecorder, type StreamRecorder, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

interface Sending {
  readonly stream: StreamRecorder;
  readonly from: SessionRecorder;
  readonly to: () => SessionRecorder;
  readonly bytes: Uint8Array;
  written: number;
  isGivenUp: boolean;
}

const roundsMax = 300;

scenario(
  "anything at any moment, over a bad path: what was not given up arrives whole",
  6,
  async (world, seed) => {
    const random = world.random.fork("what they do");
    let nat: Nat | undefined;
    const pair = await quicPair(world, {
      client: { datagramFrameMax: 1_200, congestion: seed % 3 === 0 ? "bbr" : seed % 3 === 1 ? "cubic" : "newreno" },
      server: { datagramFrameMax: 1_200, streamReceiveWindow: 20_000, receiveWindow: 60_000 },
      between: (near, far) => {
        nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2"] });
        world.link(near, nat.inside, { delayMs: 1 });
        return world.link(nat.outside, far, {
          delayMs: 5 + random.below(60),
          jitterMs: random.below(10),
          bitsPerSecond: 2_000_000 + random.below(20_000_000),
          queueBytes: 20_000 + random.below(100_000),
          loss: { in: random.below(4), of: 100 },
          corruption: { in: random.below(2), of: 100 },
          duplication: { in: random.below(4), of: 100 },
          reordering: { in: random.below(5), of: 100 },
          mtu: 1_300 + random.below(200),
          isBlackHole: random.below(2) === 0,
        });
      },
    });
    const { client } = pair;
    await world.until(() => client.outcome !== undefined && pair.servers[0]?.outcome !== undefined);
    const server = pair.server;
    const sendings: Sending[] = [];
    const paused = new Set<StreamRecorder>();
    const fates: string[] = [];
    let datagrams = 0;
    const writeMore = (each: Sending): void => {
      const size = Math.min(each.bytes.length - each.written, 1 + random.below(30_000));
      each.stream.stream.write(each.bytes.slice(each.written, each.written + size));
      each.written += size;
      if (each.written === each.bytes.length) each.stream.stream.finish();
    };
    const deeds: readonly (() => void)[] = [
      () => {
        const from = random.below(2) === 0 ? client : server;
        const stream = from.open({ direction: "unidirectional", priority: random.below(3) });
        const bytes = pattern(1 + random.below(80_000), sendings.length);
        const to = () => (from === client ? server : client);
        sendings.push({ stream, from, to, bytes, written: 0, isGivenUp: false });
      },
      () => {
        for (const each of sendings) if (each.written < each.bytes.length && !each.isGivenUp) writeMore(each);
      },
      () => {
        const each = sendings[random.below(Math.max(1, sendings.length))];
        if (each === undefined || random.below(4) > 0) return;
        each.isGivenUp = true;
        each.stream.stream.reset(9);
      },
      () => {
        const all = [...server.streams, ...client.streams].filter(({ isClosed }) => !isClosed);
        const stream = all[random.below(Math.max(1, all.length))];
        if (stream === undefined) return;
        paused.add(stream);
        stream.stream.pause();
      },
      () => {
        for (const stream of paused) stream.stream.resume();
        paused.clear();
      },
      () => {
        const each = sendings[random.below(Math.max(1, sendings.length))];
        each?.stream.stream.setPriority(random.below(5));
      },
      () => {
        const from = random.below(2) === 0 ? client : server;
        const fate = (word: string) => void fates.push(word);
        if (from.session.sendDatagram(pattern(1 + random.below(1_000), 1), { fate, lifetimeMs: 1_000 })) datagrams++;
      },
      () => {
        if (random.below(5) === 0) (random.below(2) === 0 ? client : server).session.updateKeys();
      },
      () => {
        if (random.below(6) === 0) nat!.rebind({ newAddress: random.below(2) === 0 });
      },
      () => {
        if (random.below(8) === 0) client.session.migrate().catch(() => {});
      },
      () => (random.below(2) === 0 ? client : server).session.ping(),
    ];
    for (let round = 0; round < roundsMax && !client.isClosed && !server.isClosed; round++) {
      deeds[random.below(deeds.length)]!();
      await world.run(random.below(40));
    }
    for (const stream of paused) stream.stream.resume();
    for (const each of sendings) while (each.written < each.bytes.length && !each.isGivenUp) writeMore(each);
    assert.equal(client.failure ?? server.failure, undefined);
    const arrived = (each: Sending): boolean => {
      const mine = each.to().streams.find(({ stream }) => stream.id === each.stream.stream.id);
      return each.isGivenUp ? true : mine?.isEnded === true;
    };
    await world.until(() => sendings.every(arrived) || client.isClosed || server.isClosed);
    assert.equal(client.failure ?? server.failure, undefined);
    assert.ok(sendings.length > 5);
    for (const each of sendings) {
      const mine = each.to().streams.find(({ stream }) => stream.id === each.stream.stream.id);
      if (!each.isGivenUp)
        assert.ok(mine !== undefined && equal(mine.all(), each.bytes), `stream ${each.stream.stream.id}`);
    }
    await world.until(() => fates.length === datagrams, 60_000);
    client.session.close();
    await world.until(() => client.isClosed && server.isClosed);
    await world.finish(pair.listener.closeAll());
  },
  { start: startOfTime },
);
