import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import {
  type Connection,
  disabled,
  type Listener,
  lengthPrefixed,
  MessageContext,
  ReceiveError,
  SendError,
  type TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { type Neighbours, type NeighboursOptions, neighbours, serverAddress } from "../../support/taps.js";

const security = disabled();
const remote = { address: serverAddress, port: 7 };
const framers = [lengthPrefixed()];

interface Pair extends Neighbours {
  readonly connection: Connection;
  readonly accepted: Connection;
  readonly listener: Listener;
}

/** Runs a scenario between two ends of a Connection. */
async function between(
  init: {
    readonly transport?: TransportProperties;
    readonly framers?: typeof framers;
    readonly world?: NeighboursOptions;
  },
  scenario: (pair: Pair) => Promise<void>,
): Promise<void> {
  const both = neighbours(init.world);
  const { world: _, ...parts } = init;
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security, ...parts }).listen();
      const connection = both.client.preconnection({ remote, security, ...parts }).initiate();
      await connection.ready;
      // A datagram server hears of a peer by its first datagram.
      if (connection.stack === "UDP") await connection.send(utf8("hello"));
      const accepted = (await listener.accept())!;
      if (connection.stack === "UDP") await accepted.receive();
      await scenario({ ...both, connection, accepted, listener });
      await listener.stop();
    })(),
  );
}

const texts = async (connection: Connection, count: number): Promise<(string | undefined)[]> => {
  const read: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) read.push(fromUtf8((await connection.receive()).data));
  return read;
};

test("msgPriority: low goes first among what waits, and final goes last whatever its priority", () =>
  between({ framers }, async ({ connection, accepted }) => {
    connection.batch(() => {
      void connection.send(utf8("bye"), { final: true, msgPriority: 0 }).catch(() => {});
    });
    await assert.rejects(connection.send(utf8("late")), SendError);
    assert.deepEqual(await texts(accepted, 1), ["bye"]);
  }).then(() =>
    between({ framers }, async ({ connection, accepted }) => {
      connection.batch(() => {
        void connection.send(utf8("c"), { msgPriority: 200 });
        void connection.send(utf8("b"));
        void connection.send(utf8("a"), { msgPriority: 1 });
        void connection.send(utf8("d"), { final: true, msgPriority: 0 });
      });
      assert.deepEqual(await texts(accepted, 4), ["a", "b", "c", "d"]);
    }),
  ));

test("msgLifetime: what has not been sent in time expires, and is no error", () =>
  between({ framers }, async ({ connection, accepted, clientHost }) => {
    const outcomes: Promise<string>[] = [];
    const expired: MessageContext[] = [];
    connection.on("expired", ({ context }) => expired.push(context));
    // A rate that lets one Message go and makes the rest wait for seconds.
    assert.deepEqual(connection.set("maxSendRate", 800), { ok: true });
    outcomes.push(connection.send(new Uint8Array(200)));
    outcomes.push(connection.send(utf8("stale"), { msgLifetime: 500 }));
    outcomes.push(connection.send(utf8("fresh")));
    assert.deepEqual(await Promise.all(outcomes), ["sent", "expired", "sent"]);
    assert.equal(expired.length, 1);
    assert.equal((await accepted.receive()).data.length, 200);
    assert.equal(fromUtf8((await accepted.receive()).data), "fresh");
    assert.ok(clientHost.now() > 0);
  }));

test("final: the peer sees the end, further Sends are errors, and Receive after the final Message is one too", () =>
  between({}, async ({ connection, accepted }) => {
    await connection.send(utf8("last"), { final: true });
    assert.equal(connection.get("canSend"), false);
    await assert.rejects(
      connection.send(utf8("more")),
      (error: unknown) => error instanceof SendError && error.at === "final",
    );
    const first = await accepted.receive();
    const end = first.final ? first : await accepted.receive();
    assert.equal(end.final, true);
    await assert.rejects(accepted.receive(), ReceiveError);
    // The other direction is still open.
    await accepted.send(utf8("answer"), { final: true });
    assert.equal(fromUtf8((await connection.receive()).data), "answer");
  }));

test("safelyReplayable: clearing it on a Message over UDP is a SendError", () =>
  between({ transport: unreliableDatagram }, async ({ connection }) => {
    assert.equal(await connection.send(utf8("again and again")), "sent");
    const clearing = connection.send(utf8("once"), { safelyReplayable: false });
    await assert.rejects(clearing, (error: unknown) => error instanceof SendError && error.at === "safelyReplayable");
  }));

test("msgReliable and msgOrdered: what contradicts the stack is a SendError on that Message alone", async () => {
  await between({ transport: unreliableDatagram }, async ({ connection }) => {
    const contradicts = (at: string) => (error: unknown) =>
      error instanceof SendError && error.reason === "invalid-message-properties" && error.at === at;
    await assert.rejects(connection.send(utf8("x"), { msgReliable: true }), contradicts("msgReliable"));
    await assert.rejects(connection.send(utf8("x"), { msgOrdered: true }), contradicts("msgOrdered"));
    assert.equal(await connection.send(utf8("x"), { msgReliable: false, msgOrdered: false }), "sent");
  });
  await between({}, async ({ connection }) => {
    // TCP was not chosen for per-Message reliability.
    await assert.rejects(connection.send(utf8("x"), { msgReliable: false }), SendError);
    assert.equal(await connection.send(utf8("x"), { msgReliable: true, msgOrdered: true }), "sent");
  });
});

test("noSegmentation and noFragmentation: what does not fit one packet is a SendError", () =>
  between({ transport: unreliableDatagram }, async ({ connection }) => {
    const single = connection.get("singularTransmissionMsgMaxLen")!;
    assert.equal(single, 1_472);
    assert.equal(
      await connection.send(new Uint8Array(single), { noSegmentation: true, noFragmentation: true }),
      "sent",
    );
    for (const property of ["noSegmentation", "noFragmentation"] as const) {
      const tooLarge = connection.send(new Uint8Array(single + 1), { [property]: true });
      await assert.rejects(
        tooLarge,
        (error: unknown) => error instanceof SendError && error.reason === "message-too-large",
      );
    }
  }));

test("a Message above sendMsgMaxLen is a SendError, and the Connection lives on", () =>
  between({ transport: unreliableDatagram }, async ({ connection, accepted }) => {
    assert.equal(connection.get("sendMsgMaxLen"), 65_507);
    assert.equal(connection.get("recvMsgMaxLen"), 65_507);
    await assert.rejects(
      connection.send(new Uint8Array(65_508)),
      (error: unknown) => (error as SendError).reason === "message-too-large",
    );
    await connection.send(utf8("small"));
    assert.deepEqual(await texts(accepted, 1), ["small"]);
  }));

test("msgCapacityProfile marks one datagram and gives the Connection's marking back", () =>
  between({ transport: unreliableDatagram }, async ({ clientHost, client }) => {
    const marks: number[] = [];
    const { network } = clientHost;
    const bind = network.bindDatagrams.bind(network);
    network.bindDatagrams = async (...args) => {
      const port = await bind(...args);
      port.set = (option, value) => option === "dscp" && marks.push(value) > 0;
      return port;
    };
    const connection = await client.preconnection({ remote, security, transport: unreliableDatagram }).connect();
    assert.deepEqual(connection.set("connCapacityProfile", "capacity-seeking"), { ok: true });
    await connection.send(utf8("x"), { msgCapacityProfile: "scavenger" });
    await connection.send(utf8("y"));
    assert.deepEqual(marks, [10, 1, 10]);
  }));

test("pieces of a Message share a context, stay together, and have one event each", () =>
  between({ framers }, async ({ connection, accepted }) => {
    const context = new MessageContext({ msgPriority: 50 });
    const sent: MessageContext[] = [];
    connection.on("sent", (event) => sent.push(event.context));
    const first = connection.send(utf8("hel"), { context, endOfMessage: false });
    const other = connection.send(utf8("other"));
    const second = connection.send(utf8("lo"), { context });
    assert.deepEqual(await Promise.all([first, other, second]), ["sent", "sent", "sent"]);
    assert.equal(sent.filter((each) => each === context).length, 2);
    assert.deepEqual(await texts(accepted, 2), ["hello", "other"]);
  }));

test("pieces of a datagram leave as one datagram", () =>
  between({ transport: unreliableDatagram }, async ({ connection, accepted }) => {
    const context = new MessageContext();
    const first = connection.send(utf8("hel"), { context, endOfMessage: false });
    await connection.send(utf8("between"));
    await connection.send(utf8("lo"), { context });
    assert.equal(await first, "sent");
    assert.deepEqual(await texts(accepted, 2), ["between", "hello"]);
  }));

test("a context can be used again, and what is added after a Send has no effect on that Send", () =>
  between({ framers }, async ({ connection, accepted }) => {
    const context = new MessageContext();
    await connection.send(utf8("one"), { context });
    context.add("final", true);
    await connection.send(utf8("two"), { context });
    await assert.rejects(connection.send(utf8("three"), { context }), SendError);
    assert.deepEqual(await texts(accepted, 2), ["one", "two"]);
    assert.throws(() => context.add("msgPriority", -1), /msgPriority/);
  }));

test("a Send that is taken back before it left is a SendError, and nothing is sent", () =>
  between({ framers }, async ({ connection, accepted }) => {
    const abort = new AbortController();
    const outcome = connection.batch(() => {
      const taken = connection.send(utf8("never"), { signal: abort.signal });
      abort.abort();
      return taken;
    });
    await assert.rejects(outcome, SendError);
    await connection.send(utf8("ever"));
    assert.deepEqual(await texts(accepted, 1), ["ever"]);
  }));

test("a batch goes down in one piece", () =>
  between({}, async ({ connection, accepted, world }) => {
    connection.batch(() => {
      for (const letter of "abc") void connection.send(utf8(letter));
      assert.equal(connection.statistics.bytesSent, 0);
    });
    assert.equal(connection.statistics.bytesSent, 3);
    await accepted.receive({ min: 3 }).then(({ data }) => assert.equal(fromUtf8(data), "abc"));
    assert.ok(world.elapsed > 0);
  }));

test("trySend takes nothing while there is no room, and writable says when there is", () =>
  between({ world: { link: { delayMs: 10, bitsPerSecond: 8_000_000 } } }, async ({ connection, accepted }) => {
    const chunk = new Uint8Array(64 * 1024);
    let taken = 0;
    while (connection.trySend(chunk)) taken++;
    assert.ok(taken > 0 && taken < 1_000);
    let read = 0;
    const reading = (async () => {
      for await (const { data } of accepted) if ((read += data.length) >= (taken + 1) * chunk.length) return;
    })();
    await connection.writable();
    assert.equal(connection.trySend(chunk), true);
    await reading;
    assert.equal(read, (taken + 1) * chunk.length);
  }));

test("receive: whole Messages by default, pieces by max and by min, all of one Message with one context", () =>
  between({ framers }, async ({ connection, accepted }) => {
    await connection.send(new Uint8Array(1_500).fill(1));
    const first = await accepted.receive({ max: 1_000 });
    const second = await accepted.receive({ max: 1_000 });
    assert.deepEqual(
      [first.data.length, first.endOfMessage, second.data.length, second.endOfMessage],
      [1_000, false, 500, true],
    );
    assert.equal(first.context, second.context);
    // A Message that is still coming is delivered from `min` on.
    void connection.send(new Uint8Array(100_000).fill(2));
    const early = await accepted.receive({ min: 10 });
    assert.equal(early.endOfMessage, false);
    assert.ok(early.data.length >= 10 && early.data.length < 100_000);
    const rest = await accepted.receive();
    assert.equal(early.data.length + rest.data.length, 100_000);
    assert.equal(rest.endOfMessage, true);
  }));

test("receives are served in their order, and one that is taken back loses nothing", () =>
  between({ framers }, async ({ connection, accepted }) => {
    const abort = new AbortController();
    const first = accepted.receive({ signal: abort.signal });
    const second = accepted.receive();
    abort.abort(new Error("no more"));
    await assert.rejects(first, /no more/);
    const third = accepted.receive();
    await connection.send(utf8("2"));
    await connection.send(utf8("3"));
    assert.deepEqual([fromUtf8((await second).data), fromUtf8((await third).data)], ["2", "3"]);
  }));

test("metadata of a datagram: its endpoints and its ECN field", () =>
  between({ transport: unreliableDatagram }, async ({ connection, accepted }) => {
    await connection.send(utf8("x"));
    const { context } = await accepted.receive();
    assert.equal(context.remoteEndpoint!.port, connection.localEndpoint!.port);
    assert.equal(context.localEndpoint!.port, 7);
    assert.equal(context.metadata.ecn, 0);
  }));

test("a Message that the peer began and did not finish is a ReceiveError", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security, framers }).listen();
      const raw = await both.client.preconnection({ remote, security }).connect();
      const accepted = (await listener.accept())!;
      const errors: ReceiveError[] = [];
      accepted.on("receiveError", (error) => errors.push(error));
      const waiting = accepted.receive();
      // Ten bytes are announced, two come.
      await raw.send(Uint8Array.of(0, 0, 0, 10, 1, 2), { final: true });
      await assert.rejects(
        waiting,
        (error: unknown) => error instanceof ReceiveError && error.reason === "protocol-failed",
      );
      assert.equal(errors.length, 1);
      assert.equal(accepted.state, "established");
    })(),
  );
});

test("framer metadata has a name space for each framer", () => {
  const context = new MessageContext().addFor("http", "status", 200).addFor("log", "status", "seen");
  assert.equal(context.getFor("http", "status"), 200);
  assert.equal(context.getFor("log", "status"), "seen");
  assert.equal(context.getFor("other", "status"), undefined);
});
