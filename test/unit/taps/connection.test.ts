import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import type { SocketAddress, StreamPort } from "../../../src/contract/index.js";
import {
  CloneError,
  type Connection,
  ConnectionError,
  type ConnectionEvents,
  type ConnectionProperties,
  disabled,
  EstablishmentError,
  type Listener,
  lengthPrefixed,
  type Scheduler,
  type SecurityMode,
  secure,
  serve,
  TapsFailure,
  TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { type Neighbours, type NeighboursOptions, neighbours, serverAddress, vouchedFor } from "../../support/taps.js";

const security = disabled();
const remote = { address: serverAddress, port: 7 };
const framers = [lengthPrefixed()];

interface Ends extends Neighbours {
  readonly connection: Connection;
  readonly accepted: Connection;
  readonly listener: Listener;
  /** What was asked of the client's stream ports. */
  readonly asked: (readonly [option: string, value: number])[];
}

async function between(
  init: {
    readonly transport?: TransportProperties;
    readonly framers?: typeof framers;
    readonly world?: NeighboursOptions;
    readonly canSet?: boolean;
  },
  scenario: (ends: Ends) => Promise<void>,
): Promise<void> {
  const both = neighbours(init.world);
  const { world: _, canSet, ...parts } = init;
  const asked: [string, number][] = [];
  if (canSet === true) {
    const { network } = both.clientHost;
    const connect = network.connectStream.bind(network);
    network.connectStream = (to, sink, options): StreamPort => {
      if (options?.keepAliveMs !== undefined) asked.push(["keepAliveMs", options.keepAliveMs]);
      const port = connect(to, sink, options);
      port.set = (option, value) => asked.push([option, value]) > 0;
      return port;
    };
  }
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local: { port: 7 }, security, ...(init.framers && { framers }) })
        .listen();
      const connection = await both.client.preconnection({ remote, security, ...parts }).connect();
      const accepted = (await listener.accept())!;
      await scenario({ ...both, connection, accepted, listener, asked });
      await listener.stop();
    })(),
  );
}

const unsupported = (result: ReturnType<Connection["set"]>) => !result.ok && result.error.reason === "unsupported";

// Connection Properties (§8).

test("SetProperty answers failures and does not end the Connection", () =>
  between({}, async ({ connection, accepted }) => {
    const wrong = connection.set("connTimeout", -1);
    assert.ok(!wrong.ok && wrong.error instanceof TapsFailure && wrong.error.reason === "invalid-configuration");
    const unknown = connection.set("connState" as "connTimeout", 1);
    assert.ok(!unknown.ok && unknown.error.reason === "invalid-configuration");
    assert.equal(connection.get("connTimeout"), "disabled");
    await connection.send(utf8("alive"));
    assert.equal(fromUtf8((await accepted.receive()).data), "alive");
    assert.deepEqual(
      [connection.has("connTimeout"), connection.has("canSend"), connection.has("nothing")],
      [true, true, false],
    );
  }));

test("maxSendRate: no second carries more than the rate", () =>
  between({}, async ({ connection, accepted, world }) => {
    assert.deepEqual(connection.set("maxSendRate", 80_000), { ok: true });
    const from = world.now();
    const arrivals: [at: number, bytes: number][] = [];
    const reading = (async () => {
      let total = 0;
      while (total < 30_000) {
        const { data } = await accepted.receive();
        arrivals.push([world.now(), data.length]);
        total += data.length;
      }
    })();
    await connection.send(new Uint8Array(30_000));
    await reading;
    // 10,000 bytes a second: the first tenth goes at once, the last after 2.9 seconds.
    assert.ok(world.now() - from >= 2_900 && world.now() - from < 3_200, `${world.now() - from} ms`);
    for (const [at] of arrivals) {
      const inSecond = arrivals
        .filter(([other]) => other >= at && other < at + 1_000)
        .reduce((sum, [, n]) => sum + n, 0);
      assert.ok(inSecond <= 10_000, `${inSecond} bytes in a second`);
    }
    assert.deepEqual(connection.set("maxSendRate", "unlimited"), { ok: true });
  }));

test("maxRecvRate: the reader takes no more than the rate, and the sender feels it", () =>
  between({}, async ({ connection, accepted, world }) => {
    assert.deepEqual(accepted.set("maxRecvRate", 8_000_000), { ok: true });
    const from = world.now();
    let total = 0;
    void connection.send(new Uint8Array(3_000_000), { final: true });
    for await (const { data } of accepted) total += data.length;
    assert.equal(total, 3_000_000);
    assert.ok(world.now() - from > 2_500, `${world.now() - from} ms`);
    assert.ok(unsupported(connection.set("minSendRate", 1_000)));
    assert.ok(unsupported(connection.set("minRecvRate", 1_000)));
  }));

test("connTimeout: data that makes no progress for so long end the Connection", async () => {
  const run = (connTimeout: number | "disabled") => {
    let outcome: unknown = "alive";
    return between(
      { transport: new TransportProperties({ connTimeout }) },
      async ({ connection, accepted, clientHost, world }) => {
        clientHost.setAddresses("eth0", []);
        void connection.send(new Uint8Array(10_000_000)).catch(() => {});
        connection.closed.catch((error: unknown) => {
          outcome = error;
        });
        await new Promise<void>((resolve) => clientHost.wakeAt(world.now() + 5_000, resolve));
        accepted.abort();
        connection.abort();
      },
    ).then(() => outcome);
  };
  const timedOut = await run(3_000);
  assert.ok(timedOut instanceof ConnectionError && timedOut.reason === "timeout" && timedOut.at === "connTimeout");
  const local = await run("disabled");
  assert.ok(!(local instanceof ConnectionError) || local.reason !== "timeout");
});

test("keepAlive and keepAliveTimeout turn TCP's keep-alives on, and a time longer than connTimeout turns them off", async () => {
  const plain = new TransportProperties();
  await between({ canSet: true, transport: plain.require("keepAlive") }, async ({ connection, asked }) => {
    assert.ok(asked.some(([option, value]) => option === "keepAliveMs" && value === 7_200_000));
    assert.equal(connection.get("keepAlive"), true);
    assert.deepEqual(connection.set("keepAliveTimeout", 5_000), { ok: true });
    assert.deepEqual(asked.at(-1), ["keepAliveMs", 5_000]);
  });
  const longer = plain.require("keepAlive").with({ keepAliveTimeout: 60_000, connTimeout: 1_000 });
  await between({ canSet: true, transport: longer }, async ({ asked }) => {
    assert.ok(!asked.some(([option, value]) => option === "keepAliveMs" && value > 0));
  });
  await between({ canSet: true, transport: plain }, async ({ connection, asked }) => {
    assert.ok(!asked.some(([option]) => option === "keepAliveMs"));
    assert.equal(connection.get("keepAlive"), false);
  });
});

test("connCapacityProfile sets the DSCP where the network can, and answers unsupported where it cannot", async () => {
  await between(
    { canSet: true, transport: new TransportProperties({ connCapacityProfile: "scavenger" }) },
    async ({ connection, asked }) => {
      assert.deepEqual(asked.at(-1), ["dscp", 1]);
      assert.deepEqual(connection.set("connCapacityProfile", "low-latency-interactive"), { ok: true });
      assert.deepEqual(asked.at(-1), ["dscp", 34]);
    },
  );
  await between({}, async ({ connection, world }) => {
    assert.ok(unsupported(connection.set("connCapacityProfile", "scavenger")));
    assert.equal(connection.get("connCapacityProfile"), "default");
    assert.equal(world.traces.filter(({ name }) => name === "taps:property_unsupported").length, 0);
  });
});

test("tcp.userTimeoutValue reaches TCP where the network can, and is not changeable once connTimeout is used", () =>
  between({ canSet: true }, async ({ connection, asked }) => {
    assert.equal(connection.get("tcp.userTimeoutChangeable"), true);
    assert.deepEqual(connection.set("tcp.userTimeoutValue", 9_000), { ok: true });
    assert.deepEqual(asked.at(-1), ["userTimeoutMs", 9_000]);
    assert.deepEqual(connection.set("connTimeout", 4_000), { ok: true });
    assert.deepEqual(asked.at(-1), ["userTimeoutMs", 4_000]);
    assert.equal(connection.get("tcp.userTimeoutChangeable"), false);
    assert.equal(connection.set("tcp.userTimeoutChangeable", true).ok, false);
    assert.ok(unsupported(connection.set("tcp.userTimeoutEnabled", true)));
  }));

test("what no stack can make act answers unsupported and keeps its value", () =>
  between({}, async ({ connection }) => {
    assert.ok(unsupported(connection.set("recvChecksumLen", 8)));
    assert.equal(connection.get("recvChecksumLen"), "full-coverage");
    assert.ok(unsupported(connection.set("multipathPolicy", "aggregate")));
    assert.ok(unsupported(connection.set("groupConnLimit", 2)));
    const late = connection.set("isolateSession", true);
    assert.ok(!late.ok && late.error.reason === "wrong-state");
  }));

test("read-only properties follow the Connection", () =>
  between({}, async ({ connection }) => {
    assert.equal(connection.get("connState"), "established");
    assert.deepEqual([connection.get("canSend"), connection.get("canReceive")], [true, true]);
    assert.equal(connection.get("singularTransmissionMsgMaxLen"), undefined);
    assert.equal(connection.get("sendMsgMaxLen"), Number.POSITIVE_INFINITY);
    await connection.close();
    assert.equal(connection.get("connState"), "closed");
    assert.deepEqual([connection.get("canSend"), connection.get("canReceive")], [false, false]);
    assert.deepEqual([connection.get("sendMsgMaxLen"), connection.get("recvMsgMaxLen")], [0, 0]);
  }));

// Groups (§7.4).

test("a clone is a Connection of its own in the group, with properties shared but connPriority", () =>
  between({}, async ({ connection, listener }) => {
    const clone = connection.clone({ connPriority: 5 });
    await clone.ready;
    const second = (await listener.accept())!;
    await clone.send(utf8("from the clone"));
    assert.equal(fromUtf8((await second.receive()).data), "from the clone");
    assert.deepEqual([...connection.group], [connection, clone]);
    assert.deepEqual(connection.set("maxSendRate", 1_000_000), { ok: true });
    assert.equal(clone.get("maxSendRate"), 1_000_000);
    assert.deepEqual([connection.get("connPriority"), clone.get("connPriority")], [100, 5]);
    connection.set("connPriority", 7);
    assert.equal(clone.get("connPriority"), 5);
    await clone.close();
    assert.deepEqual([...connection.group], [connection]);
    assert.equal(connection.state, "established");
  }));

test("a clone that fails is an EstablishmentError of its own and a CloneError at its origin", () =>
  between({}, async ({ connection, listener }) => {
    await listener.stop();
    const errors: unknown[] = [];
    connection.on("cloneError", (error) => errors.push(error));
    const clone = connection.clone();
    await assert.rejects(clone.ready, EstablishmentError);
    assert.ok(errors.length === 1 && errors[0] instanceof CloneError);
    assert.equal(connection.state, "established");
    connection.abort();
    assert.throws(
      () => connection.clone(),
      (error: unknown) => error instanceof CloneError && error.reason === "not-cloneable",
    );
  }));

test("CloseGroup and AbortGroup end every member, each with its own event", () =>
  between({}, async ({ connection, listener }) => {
    const clones = [connection.clone(), connection.clone()];
    for (const clone of clones) await clone.ready;
    const servers = [await listener.accept(), await listener.accept()];
    await clones[0]!.group.close();
    assert.deepEqual(
      [connection, ...clones].map(({ state }) => state),
      ["closed", "closed", "closed"],
    );
    const other = servers[0]!;
    const ends: string[] = [];
    other.on("connectionError", ({ reason }) => ends.push(reason));
    other.group.abort("enough");
    await other.closed.catch(() => {});
    assert.equal(other.state, "closed");
  }));

/** Three members with two Messages each, given in one turn: the order in which they leave. */
async function orderOf(connScheduler: Scheduler, size: readonly number[] = [1, 1, 1]): Promise<string> {
  let order = "";
  await between({ transport: new TransportProperties({ connScheduler }) }, async ({ connection, listener, world }) => {
    const members = [connection, connection.clone({ connPriority: 10 }), connection.clone({ connPriority: 200 })];
    for (const member of members) await member.ready;
    await listener.accept();
    await listener.accept();
    members.forEach((member, i) => {
      member.on("sent", () => (order += "abc"[i]));
    });
    const sends = members.flatMap((member, i) => [0, 1].map(() => member.send(new Uint8Array(size[i]!))));
    await Promise.all(sends);
    for (const member of members) member.abort();
    assert.ok(world.elapsed > 0);
  });
  return order;
}

test("connScheduler and connPriority decide whose Message leaves first in a group", async () => {
  assert.equal(await orderOf("first-come-first-served"), "aabbcc");
  assert.equal(await orderOf("round-robin"), "abcabc");
  assert.equal(await orderOf("round-robin-per-packet"), "abcabc");
  assert.equal(await orderOf("priority-based"), "bbaacc");
  // Who has sent least goes next: a's Messages are large.
  assert.equal(await orderOf("fair-capacity", [3_000, 1_000, 1_000]), "abcbca");
  // b weighs 11, a 101, c 201 for each byte.
  assert.equal(await orderOf("weighted-fair-queueing", [1_000, 1_000, 1_000]), "bacbac");
});

test("a Message of low priority on a Connection of high priority goes before the reverse", () =>
  between(
    { framers, transport: new TransportProperties({ connScheduler: "priority-based" }) },
    async ({ connection, listener }) => {
      const low = connection.clone({ connPriority: 1 });
      connection.set("connPriority", 0);
      await low.ready;
      await listener.accept();
      const order: string[] = [];
      connection.on("sent", () => order.push("connection 0, message 1"));
      low.on("sent", () => order.push("connection 1, message 0"));
      await Promise.all([low.send(utf8("x"), { msgPriority: 0 }), connection.send(utf8("x"), { msgPriority: 1 })]);
      assert.deepEqual(order, ["connection 0, message 1", "connection 1, message 0"]);
    },
  ));

// Ends and events (§8.3, §10, §11).

test("Close delivers what was sent before it, and takes nothing more", () =>
  between({ world: { link: { delayMs: 20, bitsPerSecond: 4_000_000 } } }, async ({ connection, accepted }) => {
    let received = 0;
    const reading = (async () => {
      for await (const { data } of accepted) received += data.length;
    })();
    const outcome = connection.send(new Uint8Array(500_000));
    const closing = connection.close();
    assert.equal(connection.state, "closing");
    await assert.rejects(connection.send(utf8("late")));
    await assert.rejects(connection.receive());
    assert.equal(await outcome, "sent");
    await reading;
    assert.equal(received, 500_000);
    await accepted.close();
    await closing;
  }));

test("Abort ends at once with a ConnectionError that names us, and the peer hears of a reset", () =>
  between({}, async ({ connection, accepted }) => {
    const pending = connection.receive();
    connection.abort("enough");
    assert.equal(connection.state, "closed");
    await assert.rejects(pending);
    await assert.rejects(
      connection.closed,
      (error: unknown) => error instanceof ConnectionError && error.reason === "connection-aborted" && !error.byPeer,
    );
    await assert.rejects(accepted.closed, ConnectionError);
  }));

test("Closed waits until what had come was taken", () =>
  between({}, async ({ connection, accepted, serverHost, world }) => {
    await connection.send(utf8("data"), { final: true });
    void accepted.send(new Uint8Array(), { final: true });
    await new Promise<void>((resolve) => serverHost.wakeAt(world.now() + 500, resolve));
    // Both directions have ended below, and nobody has read yet.
    assert.equal(accepted.state, "established");
    const { data } = await accepted.receive();
    assert.equal(fromUtf8(data), "data");
    await accepted.receive().catch(() => {});
    await accepted.closed;
  }));

test("a peer that does not end its direction does not keep us from closing", () =>
  between({}, async ({ connection, accepted, world }) => {
    const from = world.now();
    await connection.close();
    assert.ok(world.now() - from >= 4_900 && world.now() - from < 5_200, `${world.now() - from} ms`);
    accepted.abort();
  }));

test("a SoftError is told on a Connection that lives on: nobody listens at a UDP port", async () => {
  const both = neighbours();
  const connection = await both.world.finish(
    both.client.preconnection({ remote, security, transport: unreliableDatagram.prefer("softErrorNotify") }).connect(),
  );
  assert.equal(connection.get("softErrorNotify"), true);
  const errors: string[] = [];
  connection.on("softError", ({ reason }) => errors.push(reason));
  await both.world.finish(connection.send(utf8("anybody?")));
  await both.world.run(1_000);
  assert.deepEqual(errors, ["refused-connection"]);
  assert.equal(connection.state, "established");
});

test("a PathChange tells that the path takes smaller packets", async () => {
  const both = neighbours({ link: { delayMs: 10, mtu: 1_280 } });
  const connection = await both.world.finish(
    both.client.preconnection({ remote, security, transport: unreliableDatagram }).connect(),
  );
  const changes: string[] = [];
  connection.on("pathChange", ({ what }) => changes.push(what));
  await both.world.finish(connection.send(new Uint8Array(1_400), { noFragmentation: true }));
  await both.world.run(1_000);
  assert.deepEqual(changes, ["mtu"]);
});

test("subscribers end with their signal or their disposal, and one that throws harms nobody", () =>
  between({}, async ({ connection, clientHost }) => {
    const heard: string[] = [];
    const thrown: unknown[] = [];
    clientHost.soon = (call) => {
      try {
        call();
      } catch (error) {
        thrown.push(error);
      }
    };
    const abort = new AbortController();
    connection.on("sent", () => heard.push("signal"), { signal: abort.signal });
    const disposable = connection.on("sent", () => heard.push("disposable"));
    connection.on("sent", () => {
      throw new Error("a subscriber's mistake");
    });
    connection.on("sent", () => heard.push("last"));
    await connection.send(utf8("1"));
    abort.abort();
    disposable[Symbol.dispose]();
    await connection.send(utf8("2"));
    assert.deepEqual(heard, ["signal", "disposable", "last", "last"]);
    assert.equal(thrown.length, 2);
  }));

test("endpoints cannot be added to or taken from an open Connection here, and the answer says so", () =>
  between({}, async ({ connection }) => {
    const local = { address: "192.0.2.77" };
    assert.ok(unsupported(connection.addLocal(local)) && unsupported(connection.removeLocal(local)));
  }));

/** Everything that a Connection may tell. */
const eventNames: readonly (keyof ConnectionEvents)[] = [
  "ready",
  "sent",
  "expired",
  "sendError",
  "received",
  "receivedPartial",
  "receiveError",
  "softError",
  "pathChange",
  "cloneError",
  "closed",
  "connectionError",
  "establishmentError",
];
const last: readonly (keyof ConnectionEvents)[] = ["closed", "connectionError", "establishmentError"];

interface Step {
  readonly act:
    | "send"
    | "final"
    | "receive"
    | "close"
    | "abort"
    | "peer-send"
    | "peer-close"
    | "peer-abort"
    | "wait"
    | "cut";
  readonly ms: number;
}

const steps: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom<Step["act"]>(
    "send",
    "final",
    "receive",
    "close",
    "abort",
    "peer-send",
    "peer-close",
    "peer-abort",
    "wait",
    "cut",
  ),
  ms: fc.constantFrom(0, 1, 25, 60, 700),
});

test("whatever the schedule, events keep the order of RFC 9622 §11 (seed 11)", async () => {
  const { root, identity } = vouchedFor("server.test");
  const overQuic = { allowed: ["QUIC"], alpn: ["test"], serverName: "server.test" } as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { maxLength: 14 }),
      fc.boolean(),
      fc.boolean(),
      async (schedule, framed, isQuic) => {
        const both = neighbours({ link: { delayMs: 20 }, roots: [root] });
        const parts = framed ? { framers } : {};
        const [ours, theirs] = isQuic ? [secure(overQuic), secure({ ...overQuic, identity })] : [security, security];
        const told: string[] = [];
        const states: string[] = [];
        let sends = 0;
        let receives = 0;
        await both.world.finish(
          (async () => {
            const local = { port: 7 };
            const listener = await both.server
              .preconnection<SecurityMode>({ local, security: theirs, ...parts })
              .listen();
            const connection = both.client
              .preconnection<SecurityMode>({ remote, security: ours, ...parts })
              .initiate({ timeout: 5_000 });
            for (const name of eventNames) connection.on(name, () => told.push(name));
            connection.on("stateChange", (state) => states.push(state));
            let peer: Connection | undefined;
            listener.on("connectionReceived", (accepted) => {
              peer = accepted;
            });
            for (const { act, ms } of schedule) {
              if (act === "send" || act === "final") {
                sends++;
                connection.send(utf8("data"), { final: act === "final" }).catch(() => {});
              } else if (act === "receive") {
                receives++;
                connection.receive().catch(() => {});
              } else if (act === "close") void connection.close().catch(() => {});
              else if (act === "abort") connection.abort();
              else if (act === "peer-send") void peer?.send(utf8("data")).catch(() => {});
              else if (act === "peer-close") void peer?.close().catch(() => {});
              else if (act === "peer-abort") peer?.abort();
              else if (act === "cut") both.clientHost.setAddresses("eth0", []);
              if (ms > 0)
                await new Promise<void>((resolve) => both.clientHost.wakeAt(both.clientHost.now() + ms, resolve));
            }
            connection.abort();
            peer?.abort();
            await connection.closed.catch(() => {});
            await new Promise<void>((resolve) => both.clientHost.wakeAt(both.clientHost.now() + 1_000, resolve));
            await listener.stop();
          })(),
        );
        // One end, and nothing after it.
        assert.equal(told.filter((name) => (last as readonly string[]).includes(name)).length, 1, told.join(" "));
        assert.ok((last as readonly string[]).includes(told.at(-1)!), told.join(" "));
        // Ready at most once, before everything but an EstablishmentError; never both.
        const isEstablished = told.includes("ready");
        assert.equal(told.filter((name) => name === "ready").length, isEstablished ? 1 : 0);
        assert.equal(told.includes("establishmentError"), !isEstablished);
        if (isEstablished)
          assert.equal(
            told.find((name) => name !== "sendError" && name !== "receiveError"),
            "ready",
          );
        // Exactly one event for each Send of an established Connection, at most one for each Receive.
        const count = (...names: readonly string[]) => told.filter((name) => names.includes(name)).length;
        assert.ok(count("sent", "expired", "sendError") <= sends, told.join(" "));
        assert.ok(count("received", "receivedPartial", "receiveError") <= receives, told.join(" "));
        const path = states.join(" ");
        assert.ok(["closed", "established closing closed"].includes(path), path);
      },
    ),
    { seed: 11, numRuns: 150 },
  );
});

test("a Listener delivers as many Connections as its limit says, and the others wait", () =>
  between({}, async ({ client, listener, serverHost, world }) => {
    listener.newConnectionLimit = 1;
    const dial = () => client.preconnection({ remote, security }).connect();
    await Promise.all([dial(), dial()]);
    await new Promise<void>((resolve) => serverHost.wakeAt(world.now() + 100, resolve));
    const taken: Connection[] = [];
    listener.on("connectionReceived", (each) => taken.push(each));
    assert.equal(taken.length, 1);
    assert.equal(listener.newConnectionLimit, 0);
    listener.newConnectionLimit = Number.POSITIVE_INFINITY;
    assert.equal(taken.length, 2);
  }));

test("a full backlog aborts further Connections and counts them", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security }).listen({ backlog: 2 });
      const errors: string[] = [];
      listener.on("softError", ({ reason }) => errors.push(reason));
      const dialled = await Promise.all([1, 2, 3].map(() => both.client.preconnection({ remote, security }).connect()));
      const ends = await Promise.allSettled([Promise.race(dialled.map((each) => each.closed))]);
      assert.equal(ends[0]!.status, "rejected");
      assert.equal(listener.statistics.dropped, 1);
      assert.deepEqual(errors, ["queue-full"]);
      await listener.stop();
      await listener.stopped;
    })(),
  );
});

test("a Listener with a remote endpoint hears that peer alone", async () => {
  const both = neighbours();
  const hears = async (address: string): Promise<number> =>
    both.world.finish(
      (async () => {
        const listener = await both.server
          .preconnection({ local: { port: 8 }, remote: { address }, security })
          .listen();
        const connection = both.client.preconnection({ remote: { ...remote, port: 8 }, security }).initiate();
        await connection.ready.catch(() => {});
        await new Promise<void>((resolve) => both.clientHost.wakeAt(both.world.now() + 200, resolve));
        connection.abort();
        await listener.stop();
        return listener.statistics.dropped;
      })(),
    );
  assert.equal(await hears("192.0.2.1"), 0);
  assert.equal(await hears("203.0.113.1"), 1);
});

test("serve runs so many handlers at a time and ends with its signal", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security }).listen();
      const stop = new AbortController();
      let running = 0;
      let most = 0;
      const serving = listener.serve(
        async (connection) => {
          most = Math.max(most, ++running);
          await connection.receive();
          running--;
        },
        { concurrency: 2, signal: stop.signal },
      );
      const dialled = await Promise.all(
        [1, 2, 3, 4, 5].map(() => both.client.preconnection({ remote, security }).connect()),
      );
      for (const each of dialled) await each.send(utf8("x"));
      for (const each of dialled) {
        assert.equal((await each.receive()).final, true);
        await each.close();
      }
      assert.equal(most, 2);
      stop.abort();
      await serving;
      assert.equal(listener.statistics.delivered, 5);
    })(),
  );
});

test("a handler that throws loses its Connection and is told of, and one that reads ends with its server", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const errors: unknown[] = [];
      const server = await serve(both.server, "tcp://*:7", async (connection) => {
        for await (const { data } of connection) if (fromUtf8(data) === "throw") throw new Error("a handler's mistake");
      });
      server.listener.on("handlerError", ({ error }) => errors.push((error as Error).message));
      const [one, other] = [
        await both.client.preconnection({ remote, security }).connect(),
        await both.client.preconnection({ remote, security }).connect(),
      ];
      await one.send(utf8("throw"));
      await assert.rejects(one.closed, ConnectionError);
      assert.deepEqual(errors, ["a handler's mistake"]);
      const ended = other.receive();
      const closing = server.close();
      assert.equal((await ended).final, true);
      await other.close();
      await closing;
      await server.done;
    })(),
  );
});

// Rendezvous (§7.3).

test("Rendezvous over TCP: both ends meet in one Connection, whoever comes first", async () => {
  for (const lateMs of [0, 900]) {
    const both = neighbours();
    const here: SocketAddress = { address: "192.0.2.1", port: 5_000 };
    const there: SocketAddress = { address: serverAddress, port: 6_000 };
    await both.world.finish(
      (async () => {
        const ours = both.client
          .preconnection({ local: here, remote: there, security })
          .rendezvous({ timeout: 10_000 });
        await new Promise<void>((resolve) => both.serverHost.wakeAt(both.world.now() + lateMs, resolve));
        const theirs = both.server
          .preconnection({ local: there, remote: here, security })
          .rendezvous({ timeout: 10_000 });
        const [a, b] = (await Promise.all([ours, theirs])).map(({ connection }) => connection) as [
          Connection,
          Connection,
        ];
        await a.send(utf8("ping"));
        assert.equal(fromUtf8((await b.receive()).data), "ping");
        await b.send(utf8("pong"));
        assert.equal(fromUtf8((await a.receive()).data), "pong");
        await Promise.all([a.close(), b.close()]);
      })(),
    );
  }
});

test("Rendezvous over UDP is done when a datagram has come from the peer, and fails in time if none does", async () => {
  const both = neighbours();
  const transport = unreliableDatagram;
  const here: SocketAddress = { address: "192.0.2.1", port: 5_000 };
  const there: SocketAddress = { address: serverAddress, port: 6_000 };
  await both.world.finish(
    (async () => {
      const alone = both.client
        .preconnection({ local: here, remote: there, security, transport })
        .rendezvous({ timeout: 1_000 });
      await assert.rejects(
        alone,
        (error: unknown) => error instanceof EstablishmentError && error.reason === "timeout",
      );
      const [a, b] = await Promise.all([
        both.client.preconnection({ local: here, remote: there, security, transport }).rendezvous({ timeout: 5_000 }),
        both.server.preconnection({ local: there, remote: here, security, transport }).rendezvous({ timeout: 5_000 }),
      ]);
      await a.connection.send(utf8("met"));
      assert.equal(fromUtf8((await b.connection.receive()).data), "met");
      a.connection.abort();
      b.connection.abort();
    })(),
  );
});

// Types of §6.2's read-back and of `set` are held by test/types.
const _types: ConnectionProperties["connScheduler"] = "round-robin" satisfies Scheduler;
void _types;
