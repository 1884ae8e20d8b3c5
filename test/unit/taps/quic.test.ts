import assert from "node:assert/strict";
import { test } from "node:test";
import { equal, fromUtf8, utf8 } from "../../../src/bytes/index.js";
import {
  type Connection,
  ConnectionError,
  dial,
  EstablishmentError,
  type Listener,
  lengthPrefixed,
  ReceiveError,
  type SecurityInit,
  SendError,
  secure,
  serve,
  TapsFailure,
  TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { type Neighbours, type NeighboursOptions, neighbours, serverAddress, vouchedFor } from "../../support/taps.js";

const { root, identity } = vouchedFor("server.test");
const alpn = ["test"];
const remote = { host: "server.test", port: 443 };
const local = { port: 443 };

interface Ends extends Neighbours {
  readonly listener: Listener;
  readonly connection: Connection;
}

interface Setup {
  readonly world?: NeighboursOptions;
  readonly transport?: TransportProperties;
  readonly serving?: TransportProperties;
  /** The client's address. */
  readonly from?: string;
  readonly client?: SecurityInit;
  readonly server?: SecurityInit;
}

const client = (init: SecurityInit = {}) => secure({ allowed: ["QUIC"], alpn, ...init });
const server = (init: SecurityInit = {}) => secure({ allowed: ["QUIC"], alpn, identity, ...init });

async function between(setup: Setup, scenario: (ends: Ends) => Promise<void>): Promise<void> {
  const both = neighbours({ roots: [root], ...setup.world });
  await both.world.finish(
    (async () => {
      const { transport, serving, from } = setup;
      const listener = await both.server
        .preconnection({ local, security: server(setup.server), ...(serving && { transport: serving }) })
        .listen();
      const connection = await both.client
        .preconnection({
          remote,
          security: client(setup.client),
          ...(transport && { transport }),
          ...(from !== undefined && { local: { address: from } }),
        })
        .connect();
      await scenario({ ...both, listener, connection });
      await listener.stop();
    })(),
    120_000,
  );
}

const sleep = ({ clientHost }: Ends, ms: number): Promise<void> =>
  new Promise((resolve) => void clientHost.wakeAt(clientHost.now() + ms, resolve));

/** Reads to the final Message. */
async function whole(connection: Connection): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const { data } of connection) pieces.push(data);
  return Uint8Array.from(Buffer.concat(pieces));
}

async function say(from: Connection, to: Connection, text: string): Promise<void> {
  await from.send(utf8(text));
  assert.equal(fromUtf8((await to.receive()).data), text);
}

test("a stream of QUIC echoes through a Listener, half-closes with a final Message, and closes", () =>
  between({}, async (ends) => {
    const { connection, listener } = ends;
    assert.equal(connection.stack, "QUIC/UDP");
    const data = ends.clientHost.entropy.fill(new Uint8Array(300_000));
    const sent = connection.send(data, { final: true });
    const accepted = (await listener.accept())!;
    const heard = await whole(accepted);
    await sent;
    assert.ok(equal(heard, data));
    await accepted.send(heard, { final: true });
    assert.ok(equal(await whole(connection), data));
    await Promise.all([connection.close(), accepted.close()]);
  }));

test("clones of a QUIC Connection are streams that do not wait for one another, at a loss of 5 %", () =>
  between(
    { world: { link: { delayMs: 20, loss: { in: 1, of: 20 } } } },
    async ({ connection, listener, clientHost }) => {
      const clones = await Promise.all(Array.from({ length: 20 }, () => connection.clone().ready));
      const data = clientHost.entropy.fill(new Uint8Array(20_000));
      const echo = listener.serve(async (each) => void (await each.send(await whole(each), { final: true })));
      await connection.send(utf8("first"), { final: true });
      for (const [at, clone] of clones.entries()) void clone.send(data.subarray(at), { final: true });
      const heard = await Promise.all(clones.map(whole));
      for (const [at, bytes] of heard.entries()) assert.ok(equal(bytes, data.subarray(at)), `clone ${at}`);
      assert.equal(fromUtf8(await whole(connection)), "first");
      await connection.group.close();
      await listener.stop();
      await echo;
    },
  ));

test("activeReadBeforeSend: the server hears of the stream at once, and speaks first; without it nobody does", async () => {
  const transport = new TransportProperties().require("activeReadBeforeSend");
  await between({ transport }, async ({ connection, listener }) => {
    assert.equal(connection.get("activeReadBeforeSend"), true);
    await say((await listener.accept())!, connection, "welcome");
    const clone = await connection.clone().ready;
    await say((await listener.accept())!, clone, "welcome again");
  });
  await between({}, async ({ connection, listener }) => {
    assert.equal(connection.get("activeReadBeforeSend"), false);
    await assert.rejects(listener.accept({ timeout: 1_000 }), TapsFailure);
  });
});

test("a thousand clones: those above the peer's limit of streams wait their turn, and all come back", () =>
  between({}, async ({ connection, listener }) => {
    const echo = listener.serve(async (each) => void (await each.send(await whole(each), { final: true })));
    const clones = await Promise.all(Array.from({ length: 1_000 }, () => connection.clone().ready));
    for (const [at, clone] of clones.entries()) void clone.send(utf8(`stream ${at}`), { final: true });
    const heard = await Promise.all(clones.map(async (clone) => fromUtf8(await whole(clone))));
    assert.deepEqual(
      heard,
      clones.map((_, at) => `stream ${at}`),
    );
    await connection.group.close();
    await listener.stop();
    await echo;
  }));

test("a server's streams reach a client that listens to its session", () =>
  between({}, async ({ connection, listener }) => {
    await connection.send(utf8("hello"));
    const accepted = (await listener.accept())!;
    await accepted.receive();
    const passive = connection.listen();
    const pushed = await accepted.clone().ready;
    await pushed.send(utf8("pushed"));
    const received = (await passive.accept())!;
    assert.equal(fromUtf8((await received.receive()).data), "pushed");
    await say(received, pushed, "thanks");
    assert.equal(connection.group.size, 2);
  }));

test("Abort of a stream is a reset at the peer, and its siblings live on", () =>
  between({}, async ({ connection, listener }) => {
    await connection.send(utf8("a"));
    const first = (await listener.accept())!;
    await first.receive();
    const clone = await connection.clone().ready;
    await clone.send(utf8("b"));
    const second = (await listener.accept())!;
    await second.receive();
    connection.abort();
    await assert.rejects(first.receive(), (error) => error instanceof ReceiveError || error instanceof ConnectionError);
    await assert.rejects(first.closed, (error) => error instanceof ConnectionError && error.byPeer);
    await say(second, clone, "still here");
  }));

test("the session ends with its last stream: the server hears CONNECTION_CLOSE and not an idle timeout", () =>
  between({}, async (ends) => {
    const { connection, listener } = ends;
    await connection.send(utf8("only"), { final: true });
    const accepted = (await listener.accept())!;
    const clone = await connection.clone().ready;
    await clone.send(utf8("left open"));
    const open = (await listener.accept())!;
    await whole(accepted);
    await Promise.all([accepted.close(), connection.close()]);
    clone.abort();
    await assert.rejects(open.closed, ConnectionError);
    const from = ends.clientHost.now();
    await listener.stop();
    assert.ok(ends.clientHost.now() - from < 10_000);
  }));

test("frames keep Messages apart on a stream, and the Listener's clones have the same framers", async () => {
  const both = neighbours({ roots: [root] });
  const framers = [lengthPrefixed()];
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local, security: server(), framers }).listen();
      const connection = await both.client.preconnection({ remote, security: client(), framers }).connect();
      await connection.send(utf8("one"));
      await connection.send(utf8("two"));
      const accepted = (await listener.accept())!;
      assert.equal(fromUtf8((await accepted.receive()).data), "one");
      assert.equal(fromUtf8((await accepted.receive()).data), "two");
      const clone = await connection.clone().ready;
      await clone.send(utf8("three"));
      assert.equal(fromUtf8((await (await listener.accept())!.receive()).data), "three");
    })(),
  );
});

test("a session is resumed, and InitiateWithSend goes as 0-RTT, flagged early", async () => {
  const both = neighbours({ roots: [root] });
  const transport = new TransportProperties({ zeroRttMsg: "prefer" });
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local, security: server(), transport }).listen();
      const pre = both.client.preconnection({ remote, security: client(), transport });
      const first = await pre.connect();
      await first.send(utf8("first"), { final: true });
      const accepted = (await listener.accept())!;
      await whole(accepted);
      await Promise.all([accepted.close(), first.close()]);
      // A strike register that has just begun cannot know what it has not seen (RFC 9846 §8.2).
      await new Promise<void>((resolve) => void both.clientHost.wakeAt(both.clientHost.now() + 11_000, resolve));
      const early = pre.initiateWithSend(utf8("early"), { safelyReplayable: true });
      const second = (await listener.accept())!;
      const received = await second.receive();
      assert.equal(fromUtf8(received.data), "early");
      assert.equal(received.context.metadata.early, true);
      await early.ready;
      assert.ok(early.security?.protocol === "QUIC");
      assert.equal(early.security.outcome?.mode, "resumed");
      assert.equal(early.security.outcome.earlyData, "accepted");
      await say(early, second, "and later");
    })(),
  );
});

test("unreliable Messages are DATAGRAM frames with fates, and long ones SendErrors", () =>
  between({ transport: unreliableDatagram, serving: unreliableDatagram }, async ({ connection, listener }) => {
    assert.equal(connection.stack, "QUIC/UDP messages");
    const accepted = (await listener.accept())!;
    assert.equal(await connection.send(utf8("ping")), "sent");
    assert.equal(fromUtf8((await accepted.receive()).data), "ping");
    await accepted.send(utf8("pong"));
    assert.equal(fromUtf8((await connection.receive()).data), "pong");
    const max = connection.get("singularTransmissionMsgMaxLen")!;
    assert.ok(max > 1_100, `${max}`);
    assert.equal(await connection.send(new Uint8Array(max)), "sent");
    await assert.rejects(connection.send(new Uint8Array(max + 1)), SendError);
    assert.equal((await accepted.receive()).data.length, max);
    await connection.close();
    await accepted.closed;
  }));

test("sessions and address tokens are shared between Connections, but not where the session is isolated or none are cached", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const always = { protocolOptions: { QUIC: { retry: "always" } } } as const;
      await both.server.preconnection({ local, security: server(always) }).listen();
      const visit = async (init: SecurityInit, isolateSession: boolean) => {
        const transport = new TransportProperties({ isolateSession });
        const connection = await both.client.preconnection({ remote, security: client(init), transport }).connect();
        await new Promise<void>((resolve) => void both.clientHost.wakeAt(both.clientHost.now() + 200, resolve));
        assert.ok(connection.security?.protocol === "QUIC");
        const { mode, addressRetried } = connection.security.outcome!;
        await connection.close();
        return `${mode}${addressRetried ? " after a Retry" : ""}`;
      };
      assert.equal(await visit({}, false), "full after a Retry");
      assert.equal(await visit({}, false), "resumed", "a token of the first spares the Retry");
      assert.equal(await visit({}, true), "full after a Retry");
      assert.equal(await visit({ maxCachedSessions: 0 }, false), "full");
    })(),
  );
});

test("PathChange tells that the path takes larger packets, and singularTransmissionMsgMaxLen moves with it", () =>
  between({ transport: unreliableDatagram, serving: unreliableDatagram }, async (ends) => {
    const { connection, listener } = ends;
    const accepted = (await listener.accept())!;
    const before = connection.get("singularTransmissionMsgMaxLen")!;
    const told: unknown[] = [];
    connection.on("pathChange", ({ what }) => told.push(what));
    await connection.send(utf8("something to acknowledge"));
    await sleep(ends, 2_000);
    assert.ok(told.length > 0 && told.every((what) => what === "mtu"), told.join());
    const after = connection.get("singularTransmissionMsgMaxLen")!;
    assert.ok(after > before + 100, `${before} before, ${after} after`);
    await accepted.receive();
    assert.equal(await connection.send(new Uint8Array(after)), "sent");
    assert.equal((await accepted.receive()).data.length, after);
  }));

test("reliable Messages without an order arrive whole through loss", () => {
  const transport = new TransportProperties({ preserveMsgBoundaries: "require", preserveOrder: "none" });
  return between(
    { transport, serving: transport, world: { link: { delayMs: 10, loss: { in: 1, of: 20 } } } },
    async ({ connection, listener }) => {
      const accepted = (await listener.accept())!;
      for (let i = 0; i < 50; i++) void connection.send(utf8(`${i} `.padEnd(3_000, ".")));
      const seen = new Set<number>();
      while (seen.size < 50) seen.add(Number(fromUtf8((await accepted.receive()).data)!.split(" ", 1)[0]));
      await connection.close();
      await accepted.closed;
    },
  );
});

test("reliable Messages are never lost: a reader that is slow gets all, and one that sleeps an error", async () => {
  const transport = new TransportProperties({ preserveMsgBoundaries: "require", preserveOrder: "none" });
  const count = 6_000;
  await between({ transport, serving: transport }, async ({ connection, listener }) => {
    const accepted = (await listener.accept())!;
    const large = connection.send(new Uint8Array(3_000_000));
    for (let i = 0; i < count; i++) void connection.send(utf8(`${i}`));
    const seen = new Set<string>();
    while (seen.size <= count) {
      const { data, context } = await accepted.receive();
      assert.equal(context.metadata.reliable, true);
      seen.add(data.length > 10 ? "large" : fromUtf8(data)!);
    }
    await large;
    assert.ok(seen.has("large"));
    await connection.close();
    await accepted.closed;
  });
  await between({ transport, serving: transport }, async ({ connection, listener }) => {
    const accepted = (await listener.accept())!;
    for (let i = 0; i < count; i++) connection.send(utf8(`${i}`)).catch(() => {});
    await assert.rejects(accepted.closed, (error) => error instanceof ConnectionError && error.reason === "queue-full");
  });
});

test("keys are updated, exporters agree, and the peer is known: security of a QUIC Connection", () =>
  between({}, async ({ connection, listener }) => {
    await connection.send(utf8("hello"));
    const accepted = (await listener.accept())!;
    await accepted.receive();
    const [ours, theirs] = [connection.security, accepted.security];
    assert.ok(ours?.protocol === "QUIC" && theirs?.protocol === "QUIC");
    assert.equal(ours.peer?.kind, "certificate");
    assert.equal(ours.outcome?.alpn, "test");
    assert.deepEqual(ours.exportKey("EXPORTER-test", 32), theirs.exportKey("EXPORTER-test", 32));
    ours.updateKeys();
    await say(connection, accepted, "under new keys");
    await say(accepted, connection, "and back");
    assert.equal(ours.statistics.keyGeneration, 1);
    assert.equal(theirs.statistics.keyGeneration, 1);
  }));

test("what security asks of QUIC reaches the handshake: versions, suites, pins, pre-shared keys, client certificates", async () => {
  const psk = { identity: "us", key: new Uint8Array(32).fill(7) };
  await between(
    { client: { allowed: ["QUIC v2"], ciphersuites: ["TLS_CHACHA20_POLY1305_SHA256"] } },
    async ({ connection }) => {
      assert.ok(connection.security?.protocol === "QUIC");
      const { version, suite } = connection.security.outcome!;
      assert.deepEqual([version, suite], ["2", "TLS_CHACHA20_POLY1305_SHA256"]);
    },
  );
  await between({ client: { preSharedKeys: [psk] }, server: { preSharedKeys: [psk] } }, async ({ connection }) => {
    assert.ok(connection.security?.protocol === "QUIC");
    assert.equal(connection.security.outcome?.mode, "psk");
  });
  const failing = between({ client: { trust: [] } }, async () => {});
  await assert.rejects(failing, (error) => error instanceof EstablishmentError && error.fault === "authentication");
  const asked: string[] = [];
  const verify: SecurityInit["verify"] = ({ protocol, validated }) => asked.push(`${protocol} ${validated}`) > 0;
  await between({ client: { verify } }, async () => {});
  assert.deepEqual(asked, ["QUIC true"]);
});

test("a client moves to another address with AddLocal and RemoveLocal, and every Connection hears of the PathChange", () => {
  const clientAddresses = ["192.0.2.1", "192.0.2.7"];
  const transport = new TransportProperties({ multipath: "active" });
  return between({ transport, world: { clientAddresses, serverAddresses: [serverAddress] } }, async (ends) => {
    const { connection, listener } = ends;
    await connection.send(utf8("hello"));
    const accepted = (await listener.accept())!;
    await accepted.receive();
    const told: string[] = [];
    connection.on("pathChange", ({ what }) => told.push(`ours ${what}`));
    accepted.on("pathChange", ({ what }) => told.push(`theirs ${what}`));
    const from = connection.localEndpoint!;
    assert.ok(connection.addLocal({ address: "192.0.2.7" }).ok);
    assert.ok(connection.removeLocal(from).ok);
    await sleep(ends, 1_000);
    assert.equal(connection.localEndpoint?.address, "192.0.2.7");
    await say(connection, accepted, "from there");
    assert.equal(accepted.remoteEndpoint?.address, "192.0.2.7");
    const moves = told.filter((each) => each.endsWith("handover"));
    assert.deepEqual(moves.sort(), ["ours handover", "theirs handover"]);
  });
});

test("a path from which nothing leaves any more is left for another that is known", () => {
  const clientAddresses = ["192.0.2.1", "192.0.2.7"];
  const transport = new TransportProperties({ multipath: "active" });
  const world = { clientAddresses, serverAddresses: [serverAddress] };
  return between({ transport, from: "192.0.2.1", world }, async (ends) => {
    const { connection, listener, clientHost } = ends;
    await connection.send(utf8("hello"));
    const accepted = (await listener.accept())!;
    await accepted.receive();
    assert.ok(connection.addLocal({ address: "192.0.2.7" }).ok);
    clientHost.setAddresses("eth0", ["192.0.2.7"]);
    await say(connection, accepted, "from elsewhere");
    assert.equal(connection.localEndpoint?.address, "192.0.2.7");
    assert.equal(accepted.remoteEndpoint?.address, "192.0.2.7");
  });
});

test("advertisesAltaddr: a Listener's other address is told to clients, who go there if they may move", async () => {
  const other = "192.0.2.3";
  for (const multipath of ["active", "disabled"] as const) {
    const both = neighbours({ roots: [root], serverAddresses: [serverAddress, other] });
    await both.world.finish(
      (async () => {
        const listener = await both.server
          .preconnection({
            local: [
              { address: serverAddress, port: 443 },
              { address: other, port: 443 },
            ],
            security: server(),
            transport: new TransportProperties({ advertisesAltaddr: true }),
          })
          .listen();
        const connection = await both.client
          .preconnection({
            remote: { address: serverAddress, port: 443 },
            security: client({ serverName: "server.test" }),
            transport: new TransportProperties({ multipath }),
          })
          .connect();
        await connection.send(utf8("hello"));
        const accepted = (await listener.accept())!;
        await accepted.receive();
        await new Promise<void>((resolve) => void both.clientHost.wakeAt(both.clientHost.now() + 1_000, resolve));
        assert.equal(connection.remoteEndpoint?.address, multipath === "active" ? other : serverAddress);
        assert.equal(accepted.get("advertisesAltaddr"), true);
        await say(connection, accepted, "there");
        await listener.stop();
      })(),
    );
  }
});

test("a peer that goes dark is an idle timeout after connTimeout", () =>
  between({ transport: new TransportProperties({ connTimeout: 5_000 }) }, async (ends) => {
    const { connection, clientHost } = ends;
    const from = clientHost.now();
    await assert.rejects(connection.closed, (error) => error instanceof ConnectionError);
    const silence = clientHost.now() - from;
    assert.ok(silence > 4_000 && silence < 8_000, `${silence} ms`);
  }));

test("keep-alives keep a silent session, at once or from later on", async () => {
  const transport = new TransportProperties({ connTimeout: 5_000 });
  await between({ transport: transport.require("keepAlive"), serving: transport }, async (ends) => {
    await sleep(ends, 30_000);
    assert.equal(ends.connection.state, "established");
    assert.ok(ends.connection.set("keepAliveTimeout", "disabled").ok);
    await assert.rejects(ends.connection.closed, ConnectionError);
  });
  await between({ transport, serving: transport }, async (ends) => {
    assert.ok(ends.connection.set("keepAliveTimeout", 1_000).ok);
    await sleep(ends, 30_000);
    assert.equal(ends.connection.state, "established");
  });
});

test("dial and serve speak QUIC by URL", async () => {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const echo = async (each: Connection) => void (await each.send(await whole(each), { final: true }));
      const serving = await serve(both.server, "quic://*:443", echo, { identity, alpn });
      const connection = await dial(both.client, "quic://server.test:443", { alpn });
      await connection.send(utf8("by URL"), { final: true });
      assert.equal(fromUtf8(await whole(connection)), "by URL");
      await connection.close();
      await serving.close();
    })(),
  );
});

test("QUIC and TLS on one port: each client takes its own, and equivalents race over the real stacks", async () => {
  const both = neighbours({ roots: [root] });
  const allowed = ["QUIC", "TLS"] as const;
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local, security: server({ allowed }) }).listen();
      assert.deepEqual(listener.stacks, ["QUIC/UDP", "TLS/TCP"]);
      for (const each of allowed) {
        const connection = await both.client.preconnection({ remote, security: client({ allowed: [each] }) }).connect();
        assert.equal(connection.security?.protocol, each);
        await connection.send(utf8(each));
        const accepted = (await listener.accept())!;
        assert.equal(fromUtf8((await accepted.receive()).data), each);
        await Promise.all([connection.close(), accepted.close()]);
      }
      const security = client({ allowed, equivalent: [allowed] });
      const raced = await both.client.preconnection({ remote, security }).connect();
      assert.equal(raced.stack, "QUIC/UDP");
    })(),
  );
});
