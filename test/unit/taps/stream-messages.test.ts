import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import {
  type Connection,
  ConnectionError,
  SendError,
  TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import type { FakeSession } from "../../support/fake-quic.js";
import {
  clientSecurity,
  type FakeNeighbours,
  fakeNeighbours,
  remote,
  serverSecurity,
} from "../../support/quic-taps.js";

interface Ends extends FakeNeighbours {
  readonly connection: Connection;
  readonly accepted: Connection;
  readonly session: FakeSession;
}

const reliable = new TransportProperties({ preserveMsgBoundaries: "require", preserveOrder: "none" });

async function between(transport: TransportProperties, scenario: (ends: Ends) => Promise<void>): Promise<void> {
  const both = fakeNeighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local: { port: 443 }, security: serverSecurity, transport })
        .listen();
      const connection = await both.client.preconnection({ remote, security: clientSecurity, transport }).connect();
      const accepted = (await listener.accept())!;
      await scenario({ ...both, connection, accepted, session: both.quic.sessions[0]! });
      await listener.stop();
    })(),
  );
}

const text = async (connection: Connection) => fromUtf8((await connection.receive()).data);

test("unreliable Messages are datagrams, whole and both ways", () =>
  between(unreliableDatagram, async ({ connection, accepted, session }) => {
    assert.equal(connection.stack, "QUIC/UDP messages");
    assert.equal(connection.get("reliability"), false);
    assert.equal(await connection.send(utf8("ping")), "sent");
    const received = await accepted.receive();
    assert.equal(fromUtf8(received.data), "ping");
    assert.ok(received.endOfMessage && !received.final);
    await accepted.send(utf8("pong"));
    assert.equal(await text(connection), "pong");
    assert.equal(session.streams.length, 0, "no stream was opened");
    assert.equal(session.options.datagramFrameMax, 65_535);
  }));

test("a datagram's fate is its Send's: acknowledged is Sent, expired Expired, lost a SendError", () =>
  between(unreliableDatagram, async ({ connection, quic }) => {
    const told: string[] = [];
    for (const name of ["sent", "expired", "sendError"] as const) connection.on(name, () => told.push(name));
    assert.equal(await connection.send(utf8("a")), "sent");
    quic.fate = "expired";
    assert.equal(await connection.send(utf8("b"), { msgLifetime: 50 }), "expired");
    quic.fate = "lost";
    await assert.rejects(
      connection.send(utf8("c")),
      (error) => error instanceof SendError && /lost/.test(error.message),
    );
    assert.deepEqual(told, ["sent", "expired", "sendError"]);
    assert.equal(connection.state, "established");
  }));

test("singularTransmissionMsgMaxLen is what a datagram carries, and a longer unreliable Message is a SendError", () =>
  between(unreliableDatagram, async ({ connection }) => {
    assert.equal(connection.get("singularTransmissionMsgMaxLen"), 1_200);
    assert.equal(connection.get("sendMsgMaxLen"), 1_200);
    await assert.rejects(
      connection.send(new Uint8Array(1_201)),
      (error) => error instanceof SendError && error.reason === "message-too-large",
    );
    assert.equal(await connection.send(new Uint8Array(1_200)), "sent");
  }));

test("reliable Messages without an order are one-way streams of their own, however long", () =>
  between(reliable, async ({ connection, accepted, session }) => {
    assert.equal(connection.get("reliability"), true);
    assert.equal(connection.get("preserveOrder"), false);
    const long = new Uint8Array(100_000).fill(7);
    await connection.send(long);
    await connection.send(utf8("short"));
    assert.deepEqual((await accepted.receive()).data, long);
    assert.equal(await text(accepted), "short");
    assert.deepEqual(
      session.streams.map(({ direction }) => direction),
      ["unidirectional", "unidirectional"],
    );
    await accepted.send(utf8("back"));
    assert.equal(await text(connection), "back");
  }));

test("perMsgReliability: a single Message of a reliable Connection may be unreliable, and the reverse", async () => {
  await between(reliable.require("perMsgReliability"), async ({ connection, accepted, session }) => {
    await connection.send(utf8("stream"));
    assert.equal(await text(accepted), "stream");
    await connection.send(utf8("datagram"), { msgReliable: false });
    assert.equal(await text(accepted), "datagram");
    assert.equal(session.streams.length, 1);
  });
  await between(unreliableDatagram, async ({ connection, accepted, session }) => {
    await connection.send(utf8("stream"), { msgReliable: true });
    assert.equal(await text(accepted), "stream");
    assert.equal(session.streams.length, 1);
  });
});

test("Close of a Connection of Messages delivers what is reliable, then ends the session", () =>
  between(reliable, async ({ connection, accepted, session }) => {
    for (let i = 0; i < 20; i++) void connection.send(utf8(`${i}`));
    await connection.close();
    const seen: string[] = [];
    for await (const { data } of accepted) seen.push(fromUtf8(data)!);
    assert.equal(seen.length, 20);
    assert.equal(session.closedWith, 0);
    await accepted.closed;
  }));

test("what asks for streams and what asks for Messages never race with one another", async () => {
  const both = fakeNeighbours();
  const { world, client } = both;
  await world.finish(
    (async () => {
      const transport = new TransportProperties({ preserveOrder: "none" });
      const tree = await client.preconnection({ remote, security: clientSecurity, transport }).candidates();
      assert.deepEqual(
        tree.children[0]!.children.filter(({ verdict }) => verdict.state === "eligible").map(({ name }) => name),
        ["QUIC/UDP", "QUIC/UDP messages"],
      );
      const connection = client.preconnection({ remote, security: clientSecurity, transport }).initiate();
      const from = world.now();
      await assert.rejects(connection.ready);
      assert.equal(both.quic.sessions.length, 2);
      assert.equal(both.quic.sessions[1]!.options.datagramFrameMax, 65_535);
      assert.ok(world.now() > from);
    })(),
  );
});

test("a clone of a Connection of Messages is a session of its own in the group", () =>
  between(unreliableDatagram, async ({ connection, quic }) => {
    const clone = await connection.clone().ready;
    assert.equal(quic.sessions.length, 4);
    assert.equal(await clone.send(utf8("x")), "sent");
    assert.ok(connection.group.has(clone));
  }));

test("Abort of a Connection of Messages ends the session at once", () =>
  between(unreliableDatagram, async ({ connection, accepted, session }) => {
    connection.abort();
    assert.equal(session.closedWith, 0);
    await assert.rejects(connection.closed, ConnectionError);
    await accepted.closed;
  }));
