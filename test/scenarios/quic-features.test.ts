import assert from "node:assert/strict";
import { equal, utf8 } from "../../src/bytes/index.js";
import type { DatagramFate, Failure } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { Nat, World } from "../../src/hosts/simulator/index.js";
import type { QuicClientOptions, QuicServerOptions } from "../../src/protocols/quic/index.js";
import {
  ClientSessionCache,
  MemorySessionStore,
  StrikeRegister,
  TicketKeyRing,
} from "../../src/protocols/tls/index.js";
import { pattern } from "../laws/port.js";
import { provider } from "../support/provider.js";
import { type QuicPair, quicPair, type SessionRecorder, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

const options = { start: startOfTime };
const day = 86_400_000;

/** What both sides need to go on with a session, and for 0-RTT. */
const resumable = (): { client: QuicClientOptions; server: QuicServerOptions } => ({
  client: { sessions: new ClientSessionCache(new MemorySessionStore()), earlyData: true },
  server: {
    tickets: new TicketKeyRing({ crypto: provider, entropy: seededEntropy("tickets") }),
    antiReplay: new StrikeRegister(startOfTime - day),
    earlyData: true,
  },
});

/** Waits until both sides are confirmed and all handshake packets are settled. */
async function confirmed(world: World, { client, servers }: QuicPair, index = 0): Promise<void> {
  await world.until(() => client.outcome !== undefined && servers[index]?.outcome !== undefined);
  await world.run(200);
}

/** Sends bytes there and back, and sees to it that they are the same. */
async function echoes(world: World, session: SessionRecorder, size: number, seed = 1): Promise<void> {
  const stream = session.open();
  const sent = pattern(size, seed);
  stream.stream.write(sent);
  stream.stream.finish();
  await world.until(() => stream.isEnded || session.isClosed);
  assert.equal(session.failure, undefined);
  assert.ok(equal(stream.all(), sent));
}

scenario(
  "a session is resumed, and what is written early arrives with the first packets",
  3,
  async (world) => {
    const pair = await quicPair(world, { ...resumable(), echoes: true });
    await confirmed(world, pair);
    assert.ok(pair.client.told.includes("ticket"));
    pair.client.session.close();
    await world.run(1_000);

    const second = pair.connect();
    const began = world.elapsed;
    const stream = second.open({ early: true });
    const late = second.open();
    stream.stream.write(utf8("early bird"));
    stream.stream.finish();
    late.stream.write(utf8("after the handshake"));
    late.stream.finish();
    await world.until(() => stream.isEnded);
    assert.equal(new TextDecoder().decode(stream.all()), "early bird");
    // One round trip of 20 ms, and no more.
    assert.ok(world.elapsed - began < 30, `${world.elapsed - began} ms`);
    await world.until(() => late.isEnded);
    assert.equal(second.outcome?.mode, "resumed");
    assert.equal(second.outcome?.earlyData, "accepted");
    assert.ok(second.told.includes("early data accepted"));
    assert.deepEqual(
      pair.servers[1]!.streams.map(({ stream: { id, early } }) => [id, early]),
      [
        [0, true],
        [4, false],
      ],
    );
  },
  options,
);

scenario(
  "a server that closes because of early data has finished its flight: the client knew it before it was closed",
  3,
  async (world) => {
    const pair = await quicPair(world, resumable());
    await confirmed(world, pair);
    pair.client.session.close();
    await world.run(1_000);

    const second = pair.connect();
    second.open({ early: true }).stream.write(utf8("early bird"));
    await world.until(() => pair.servers.length === 2);
    const server = pair.servers[1]!;
    const take = server.stream.bind(server);
    server.stream = (stream) => {
      server.session.close(7, "no early birds");
      return take(stream);
    };
    await world.until(() => second.isClosed && server.isClosed);
    assert.equal(second.outcome?.earlyData, "accepted");
    assert.equal(second.failure?.reason, "closed-by-application");
    assert.equal(second.failure?.code, 7);
  },
  options,
);

scenario(
  "0-RTT that the server does not take goes again by itself after the handshake",
  3,
  async (world) => {
    const both = resumable();
    const { antiReplay: _, ...server } = both.server;
    const pair = await quicPair(world, { client: both.client, server, echoes: true });
    await confirmed(world, pair);
    pair.client.session.close();
    await world.run(1_000);
    const second = pair.connect();
    const stream = second.open({ early: true });
    const sent = pattern(5_000, 3);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.isEnded);
    assert.ok(equal(stream.all(), sent));
    assert.equal(second.outcome?.earlyData, "rejected");
    assert.ok(second.told.includes("early data rejected"));
    assert.equal(pair.servers[1]!.streams[0]!.stream.early, false);
  },
  options,
);

scenario(
  "a server that allows less than before takes no 0-RTT under the old limits",
  1,
  async (world) => {
    const both = resumable();
    const pair = await quicPair(world, { ...both, echoes: true });
    await confirmed(world, pair);
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
    const other = await import("../../src/protocols/quic/index.js");
    const { identityFor, trusting } = await import("../support/tls-pair.js");
    await other.listen(
      pair.far,
      pair.listener.local,
      { ...both.server, identity: identityFor("Ed25519"), alpn: ["test"], verify: trusting, receiveWindow: 2_048 },
      () => ({ stream: () => undefined, closed: () => undefined }),
    );
    const second = pair.connect();
    const stream = second.open({ early: true });
    stream.stream.write(utf8("early"));
    await world.until(() => second.outcome !== undefined);
    assert.equal(second.outcome?.earlyData, "rejected");
    assert.equal(second.outcome?.mode, "resumed");
  },
  options,
);

scenario(
  "a server proves addresses with a Retry, and a token of NEW_TOKEN spares the next connection one",
  3,
  async (world) => {
    const tokens = new Map<string, Uint8Array>();
    const client = {
      tokens: {
        take: (server: string) => tokens.get(server),
        add: (server: string, token: Uint8Array) => void tokens.set(server, token),
      },
    };
    const pair = await quicPair(world, { client, server: { retry: "always" }, echoes: true });
    await confirmed(world, pair);
    assert.equal(pair.client.outcome?.addressRetried, true);
    await echoes(world, pair.client, 10_000);
    assert.deepEqual([...tokens.keys()], ["server.test:443"]);
    const second = pair.connect();
    await world.until(() => second.outcome !== undefined);
    assert.equal(second.outcome?.addressRetried, false);
    // A token is good once.
    const third = pair.connect();
    await world.until(() => third.outcome !== undefined);
    assert.equal(pair.servers.length, 3);
  },
  options,
);

for (const [client, server, version, changed] of [
  [["1", "2"], ["1", "2"], "1", "no"],
  [["2"], ["1", "2"], "2", "no"],
  [["1", "2"], ["2", "1"], "2", "compatible"],
  [["2", "1"], ["1", "2"], "1", "compatible"],
  [["2", "1"], ["1"], "1", "incompatible"],
  [["1", "2"], ["2"], "2", "incompatible"],
] as const) {
  scenario(
    `versions: a client with ${client} and a server with ${server} speak ${version}`,
    2,
    async (world) => {
      const pair = await quicPair(world, { client: { versions: client }, server: { versions: server }, echoes: true });
      const stream = pair.client.open();
      stream.stream.write(utf8("written before anything was agreed on"));
      stream.stream.finish();
      await world.until(() => stream.isEnded || pair.client.isClosed);
      assert.equal(pair.client.failure, undefined);
      assert.equal(stream.size, 37);
      assert.equal(pair.client.outcome?.version, version);
      assert.equal(pair.client.outcome?.versionChanged, changed);
    },
    options,
  );
}

scenario(
  "without a common version both would go on asking; the client says so and ends",
  1,
  async (world) => {
    const pair = await quicPair(world, { client: { versions: ["1"] }, server: { versions: ["2"] } });
    await world.until(() => pair.client.isClosed);
    assert.equal(pair.client.failure?.reason, "no-common-version");
    assert.equal(pair.client.failure?.fault, "incompatible");
  },
  options,
);

scenario(
  "either side updates keys, and both follow",
  3,
  async (world, seed) => {
    const pair = await quicPair(world, { echoes: true });
    await confirmed(world, pair);
    await echoes(world, pair.client, 20_000, seed);
    pair.client.session.updateKeys();
    await echoes(world, pair.client, 20_000, seed);
    await world.run(1_000);
    pair.server.session.updateKeys();
    await echoes(world, pair.client, 20_000, seed);
    assert.deepEqual(
      pair.client.told.filter((each) => each.startsWith("keys")),
      ["keys updated by us", "keys updated by peer"],
    );
    assert.deepEqual(
      pair.server.told.filter((each) => each.startsWith("keys")),
      ["keys updated by peer", "keys updated by us"],
    );
    assert.equal(pair.client.session.statistics.keyGeneration, 2);
  },
  options,
);

scenario(
  "keys are updated by themselves before they have sealed too many packets",
  2,
  async (world) => {
    const pair = await quicPair(world, { client: { packetsPerKeyMax: 100 }, echoes: true });
    await confirmed(world, pair);
    for (let i = 0; i < 3; i++) {
      await echoes(world, pair.client, 300_000);
      await world.run(500);
    }
    assert.ok(pair.client.session.statistics.keyGeneration >= 2);
    assert.ok(pair.client.told.includes("keys expiring"));
  },
  options,
);

scenario(
  "a client moves to another port on purpose, and nobody can link its ids",
  3,
  async (world, seed) => {
    const pair = await quicPair(world, { echoes: true });
    await confirmed(world, pair);
    const before = pair.client.session.local;
    const ids = new Map<number, Set<string>>();
    const backIds = new Map<number, Set<string>>();
    pair.link.script((packet) => {
      if (packet.bytes[0]! >= 0x80) return undefined;
      const [all, { port }] = packet.to.port === 443 ? [ids, packet.from] : [backIds, packet.to];
      const seen = all.get(port) ?? new Set();
      all.set(port, seen.add(packet.bytes.slice(1, 9).join()));
      return undefined;
    });
    await echoes(world, pair.client, 10_000, seed);
    await world.finish(pair.client.session.migrate());
    await echoes(world, pair.client, 50_000, seed);
    assert.notEqual(pair.client.session.local.port, before.port);
    assert.equal(pair.server.session.remote.port, pair.client.session.local.port);
    assert.ok(pair.client.told.includes("moved") && pair.server.told.includes("moved"));
    for (const each of [ids, backIds]) {
      const [old, fresh] = [...each.values()];
      assert.ok(old && fresh && each.size === 2);
      for (const id of fresh) assert.ok(!old.has(id), "an id is used on two paths");
    }
  },
  options,
);

for (const newAddress of [false, true]) {
  scenario(
    `a NAT gives the client another ${newAddress ? "address" : "port"}, and the transfer goes on`,
    3,
    async (world, seed) => {
      let nat!: Nat;
      const tokens: Uint8Array[] = [];
      const pair = await quicPair(world, {
        echoes: true,
        client: { tokens: { take: () => undefined, add: (_, token) => void tokens.push(token) } },
        between: (near, far) => {
          nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2"], filtering: "endpoint-independent" });
          world.link(near, nat.inside, { delayMs: 1 });
          return world.link(nat.outside, far, { delayMs: 10 });
        },
      });
      await confirmed(world, pair);
      await echoes(world, pair.client, 10_000, seed);
      const before = pair.server.session.remote;
      nat.rebind({ newAddress });
      await echoes(world, pair.client, 300_000, seed);
      await world.run(500);
      assert.notDeepEqual(pair.server.session.remote, before);
      assert.ok(pair.server.told.includes("moved"));
      // RFC 9000 §9.3: the old token is for the old address.
      assert.equal(tokens.length, newAddress ? 2 : 1);
    },
    options,
  );
}

scenario(
  "datagrams arrive, and their fates are told",
  3,
  async (world) => {
    const datagramFrameMax = 1_200;
    const pair = await quicPair(world, { client: { datagramFrameMax }, server: { datagramFrameMax } });
    await confirmed(world, pair);
    const fates: DatagramFate[] = [];
    const { session } = pair.client;
    assert.ok(session.datagramMax > 1_000);
    assert.equal(session.sendDatagram(new Uint8Array(session.datagramMax + 1)), false);
    for (let i = 0; i < 5; i++) {
      assert.ok(session.sendDatagram(utf8(`number ${i}`), { fate: (fate) => void fates.push(fate) }));
    }
    await world.until(() => fates.length === 5);
    assert.deepEqual(fates, Array(5).fill("acknowledged"));
    assert.equal(pair.server.datagrams.length, 5);
    pair.link.script(() => "drop");
    session.sendDatagram(utf8("into the void"), { fate: (fate) => void fates.push(fate) });
    await world.run(50);
    pair.link.script(() => undefined);
    session.ping();
    await world.until(() => fates.length === 6);
    assert.equal(fates[5], "lost");
  },
  options,
);

scenario(
  "one that takes no datagrams is sent none",
  1,
  async (world) => {
    const pair = await quicPair(world);
    await confirmed(world, pair);
    assert.equal(pair.client.session.datagramMax, 0);
    assert.equal(pair.client.session.sendDatagram(utf8("no")), false);
  },
  options,
);

scenario(
  "silence ends a connection, and a PING in time keeps it",
  2,
  async (world) => {
    const silent = await quicPair(world, { client: { idleTimeoutMs: 5_000 } });
    await confirmed(world, silent);
    const began = world.elapsed;
    await world.until(() => silent.client.isClosed && silent.server.isClosed);
    assert.equal(silent.client.failure?.reason, "idle-timeout");
    assert.ok(world.elapsed - began > 4_000 && world.elapsed - began < 6_000);
    const kept = silent.connect({ keepAliveMs: 2_000 });
    await world.until(() => kept.outcome !== undefined);
    await world.run(60_000);
    assert.equal(kept.isClosed, false);
  },
  options,
);

scenario(
  "a close tells its code and its reason, and all streams end",
  2,
  async (world) => {
    const pair = await quicPair(world);
    await confirmed(world, pair);
    const stream = pair.client.open();
    stream.stream.write(utf8("unfinished"));
    await world.until(() => pair.server.streams.length === 1);
    pair.server.session.close(77, "we are full");
    await world.until(() => pair.client.isClosed && pair.server.isClosed);
    assert.equal(pair.client.failure?.reason, "closed-by-application");
    assert.equal(pair.client.failure?.code, 77);
    assert.equal(pair.client.failure?.byPeer, true);
    assert.match(pair.client.failure!.message, /we are full/);
    assert.ok(stream.isClosed);
    assert.equal(pair.server.failure, undefined);
    assert.throws(() => pair.client.session.openStream(stream), /closed/);
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "streams are reset and stopped, each with its code",
  2,
  async (world) => {
    const pair = await quicPair(world);
    await confirmed(world, pair);
    const reset = pair.client.open();
    reset.stream.write(utf8("a"));
    const stopped = pair.client.open({ direction: "unidirectional" });
    stopped.stream.write(utf8("b"));
    await world.until(() => pair.server.streams.length === 2);
    const [first, second] = pair.server.streams as [(typeof pair.server.streams)[0], (typeof pair.server.streams)[0]];
    reset.stream.reset(5);
    second.stream.stopSending(6);
    await world.until(() => first.resetCode !== undefined && stopped.isClosed);
    assert.equal(first.resetCode, 5);
    assert.equal(stopped.stoppedCode, 6);
  },
  options,
);

scenario(
  "a server that has forgotten its connections resets them, and the client believes it",
  2,
  async (world) => {
    const { Secret } = await import("../../src/contract/index.js");
    const { listen } = await import("../../src/protocols/quic/index.js");
    const { identityFor, trusting } = await import("../support/tls-pair.js");
    const secret = () => new Secret(new Uint8Array(32).fill(7));
    const pair = await quicPair(world, { server: { secret: secret() } });
    await confirmed(world, pair);
    pair.server.session.abort();
    await world.finish(pair.listener.closeAll());
    assert.equal(pair.client.isClosed, false);
    await listen(
      pair.far,
      pair.listener.local,
      { identity: identityFor("Ed25519"), alpn: ["test"], verify: trusting, secret: secret() },
      () => ({ stream: () => undefined, closed: () => undefined }),
    );
    const stream = pair.client.open();
    stream.stream.write(pattern(500, 1));
    await world.until(() => pair.client.isClosed);
    assert.equal(pair.client.failure?.reason, "stateless-reset");
  },
  options,
);

scenario(
  "a client goes to the address that the server prefers",
  2,
  async (world, seed) => {
    const preferredAddress = { ipv4: { address: "198.51.100.1", port: 8443 } };
    const pair = await quicPair(world, { server: { preferredAddress }, echoes: true });
    await confirmed(world, pair);
    await world.until(() => pair.client.told.includes("moved"));
    await echoes(world, pair.client, 50_000, seed);
    assert.equal(pair.client.session.remote.port, 8443);
  },
  options,
);

scenario(
  "a client that is not trusted, and a server that is not, fail with TLS's reason",
  1,
  async (world) => {
    const refused = await quicPair(world, {
      client: {
        verify: () => {
          throw new Error("never heard of it");
        },
      },
    });
    await world.until(() => refused.client.isClosed && refused.servers[0]!.isClosed);
    const failure = refused.client.failure as Failure;
    assert.equal(failure.reason, "handshake");
    assert.equal(failure.fault, "authentication");
    // certificate_unknown
    assert.equal(failure.code, 0x100 + 46);
    assert.equal(refused.server.failure?.byPeer, true);
    assert.equal(refused.server.failure?.code, 0x100 + 46);
    await assert.rejects(refused.client.session.confirmed, /never heard of it/);
  },
  options,
);

scenario(
  "who closes early is heard with the application's code by a peer that has the keys to read it (RFC 9000 §10.2.3)",
  [1, 2, 3],
  async (world) => {
    // The client has all keys when the close arrives, of which the server cannot know: it closes at every level, and below 1-RTT
    // without the application's code.
    const late = await quicPair(world, { link: { delayMs: 30 } });
    await world.until(() => late.servers.length > 0);
    await world.run(5);
    late.server.session.close(7, "not today");
    await world.until(() => late.client.isClosed && late.server.isClosed);
    assert.deepEqual([late.client.failure?.reason, late.client.failure?.code], ["closed-by-application", 7]);
    assert.match(late.client.failure!.message, /not today/);
    await world.finish(late.listener.closeAll());
  },
  options,
);

scenario(
  "a client that has lost the flight hears APPLICATION_ERROR, since no keys of its own open more; an early end without a code is in order",
  [1, 2, 3],
  async (world) => {
    const pair = await quicPair(world, { link: { delayMs: 30 } });
    let isClosing = false;
    pair.link.script((_, { name }) => (name === "server" && !isClosing ? "drop" : undefined));
    await world.until(() => pair.servers.length > 0);
    await world.run(5);
    isClosing = true;
    pair.server.session.close(7, "not today");
    await world.until(() => pair.client.isClosed);
    assert.deepEqual([pair.client.failure?.reason, pair.client.failure?.code], ["closed-by-peer", 0x0c]);
    assert.doesNotMatch(pair.client.failure!.message, /not today/);

    pair.link.script(undefined);
    const second = pair.connect();
    await world.until(() => pair.servers.length > 1);
    await world.run(5);
    pair.servers[1]!.session.close();
    await world.until(() => second.isClosed);
    assert.equal(second.failure, undefined);
    await world.finish(pair.listener.closeAll());
  },
  options,
);

scenario(
  "both ends export the same keys",
  1,
  async (world) => {
    const pair = await quicPair(world);
    await confirmed(world, pair);
    const mine = pair.client.session.exportKey("EXPORTER-test", 32, utf8("context"));
    assert.ok(equal(mine, pair.server.session.exportKey("EXPORTER-test", 32, utf8("context"))));
  },
  options,
);

scenario(
  "where nobody listens, a client is told at once",
  1,
  async (world) => {
    const pair = await quicPair(world);
    await confirmed(world, pair);
    pair.client.session.close();
    await world.finish(pair.listener.closeAll());
    const began = world.elapsed;
    const second = pair.connect();
    await world.until(() => second.isClosed);
    assert.equal(second.failure?.reason, "connection-lost");
    assert.equal(second.failure?.fault, "unreachable");
    assert.ok(world.elapsed - began < 50);
  },
  options,
);
