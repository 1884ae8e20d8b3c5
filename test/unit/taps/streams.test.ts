import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import { quicFailure } from "../../../src/protocols/quic/index.js";
import {
  type Connection,
  ConnectionError,
  type Listener,
  ReceiveError,
  SendError,
  TapsFailure,
  TransportProperties,
} from "../../../src/taps/index.js";
import { groupMembersMax, sessionIdleGraceMs } from "../../../src/taps/limits.js";
import type { FakeSession, FakeStream } from "../../support/fake-quic.js";
import {
  clientSecurity,
  type FakeNeighbours,
  fakeNeighbours,
  remote,
  serverSecurity,
} from "../../support/quic-taps.js";

interface Ends extends FakeNeighbours {
  readonly listener: Listener;
  readonly connection: Connection;
  /** The first stream at the server, once the client has said something on it. */
  met(): Promise<Connection>;
  readonly client: FakeNeighbours["client"];
  /** Both ends of the session. */
  readonly session: FakeSession;
  readonly peer: FakeSession;
}

const local = { port: 443 };

async function between(
  init: { readonly transport?: TransportProperties; readonly serving?: TransportProperties },
  scenario: (ends: Ends) => Promise<void>,
): Promise<void> {
  const both = fakeNeighbours();
  await both.world.finish(
    (async () => {
      const { transport, serving = new TransportProperties() } = init;
      const listener = await both.server
        .preconnection({ local, security: serverSecurity, transport: serving })
        .listen();
      const connection = await both.client
        .preconnection({ remote, security: clientSecurity, ...(transport && { transport }) })
        .connect();
      const [session, peer] = both.quic.sessions as [FakeSession, FakeSession];
      const met = async () => {
        await connection.send(utf8("hello"));
        const accepted = (await listener.accept())!;
        assert.equal(fromUtf8((await accepted.receive()).data), "hello");
        return accepted;
      };
      await scenario({ ...both, listener, connection, met, session, peer });
      await listener.stop();
    })(),
  );
}

const sleep = ({ clientHost }: Ends, ms: number): Promise<void> =>
  new Promise((resolve) => void clientHost.wakeAt(clientHost.now() + ms, resolve));

const say = async (from: Connection, to: Connection, text: string) => {
  await from.send(utf8(text));
  assert.equal(fromUtf8((await to.receive()).data), text);
};
const streamOf = ({ streams }: FakeSession, at: number): FakeStream => streams[at]!;

const reasonOf = (result: ReturnType<Connection["addLocal"]>) => (result.ok ? undefined : result.error.reason);

test("a clone is a stream of the same session, and arrives at the Listener as a Connection of the group", () =>
  between({}, async (ends) => {
    const { quic, connection, listener, met } = ends;
    const accepted = await met();
    const clone = await connection.clone().ready;
    await clone.send(utf8("second"));
    const second = (await listener.accept())!;
    assert.equal(fromUtf8((await second.receive()).data), "second");
    await say(second, clone, "back");
    assert.equal(quic.sessions.length, 2, "one session with its two ends");
    assert.deepEqual([...connection.group], [connection, clone]);
    assert.deepEqual([...second.group], [accepted, second]);
    assert.equal(clone.stack, "QUIC/UDP");
    assert.equal(clone.get("multistreaming"), true);
  }));

test("a clone of a Connection that is still establishing opens its stream once there is a session", async () => {
  const both = fakeNeighbours();
  await both.world.finish(
    (async () => {
      await both.server.preconnection({ local, security: serverSecurity }).listen();
      const connection = both.client.preconnection({ remote, security: clientSecurity }).initiate();
      const clone = connection.clone();
      await Promise.all([connection.ready, clone.ready]);
      assert.equal(both.quic.sessions.length, 2);
      assert.equal(both.quic.sessions[0]!.streams.length, 2);
    })(),
  );
});

test("streams that the peer opens are Connections of the group for who listens to the session, and refused before", () =>
  between({}, async (ends) => {
    const { connection, met, session } = ends;
    const accepted = await met();
    const early = await accepted.clone().ready;
    await early.send(utf8("too early"));
    await sleep(ends, 100);
    assert.equal(early.state, "closed", "nobody listened yet");
    const listener = connection.listen();
    const late = await accepted.clone().ready;
    await late.send(utf8("in time"));
    const received = (await listener.accept())!;
    assert.equal(fromUtf8((await received.receive()).data), "in time");
    assert.ok([...connection.group].includes(received));
    assert.throws(
      () => connection.listen(),
      (error) => error instanceof TapsFailure && error.reason === "wrong-state",
    );
    session.close();
    await listener.stopped;
  }));

test("groupConnLimit: the peer adds so many Connections to a group, and further streams are reset", () =>
  between({ serving: new TransportProperties({ groupConnLimit: 2 }) }, async (ends) => {
    const { connection, listener, met, peer } = ends;
    const accepted = await met();
    assert.equal(peer.options.peerBidirectionalStreams, 3);
    const clones = await Promise.all([1, 2, 3].map(() => connection.clone().ready));
    for (const clone of clones) await clone.send(utf8("x"));
    await sleep(ends, 200);
    assert.equal(accepted.group.size, 3);
    assert.equal(listener.statistics.dropped, 1);
    assert.deepEqual(
      clones.map(({ state }) => state),
      ["established", "established", "closed"],
    );
    assert.ok(accepted.set("groupConnLimit", "unlimited").ok);
    const more = await connection.clone().ready;
    await more.send(utf8("x"));
    await sleep(ends, 100);
    assert.equal(accepted.group.size, 4);
  }));

test("connPriority is a stream's place, and connScheduler says what places there are", () =>
  between({ transport: new TransportProperties({ connPriority: 7 }) }, async (ends) => {
    const { connection, session } = ends;
    const clone = await connection.clone({ connPriority: 3 }).ready;
    const priorities = () => session.streams.map(({ priority }) => priority);
    assert.deepEqual(priorities(), [7, 3]);
    assert.ok(clone.set("connPriority", 9).ok);
    assert.deepEqual(priorities(), [7, 9]);
    for (const equal of ["round-robin", "round-robin-per-packet", "fair-capacity"] as const) {
      assert.ok(connection.set("connScheduler", equal).ok);
      assert.deepEqual(priorities(), [0, 0], equal);
    }
    assert.ok(connection.set("connScheduler", "first-come-first-served").ok);
    await clone.send(utf8("first"));
    await connection.send(utf8("second"));
    assert.deepEqual(priorities(), [2, 1]);
    assert.ok(connection.set("connScheduler", "priority-based").ok);
    assert.deepEqual(priorities(), [7, 9]);
    const later = await connection.clone({ connPriority: 1 }).ready;
    assert.equal(later.get("connScheduler"), "priority-based");
    assert.deepEqual(priorities(), [7, 9, 1]);
  }));

test("final ends our direction of the stream, and the other goes on", () =>
  between({}, async (ends) => {
    const { connection, met } = ends;
    const accepted = await met();
    await connection.send(utf8("last"), { final: true });
    const last = await accepted.receive();
    assert.equal(fromUtf8(last.data), "last");
    assert.ok((await accepted.receive()).final);
    assert.equal(accepted.get("canReceive"), false);
    assert.equal(connection.get("canSend"), false);
    await say(accepted, connection, "still here");
  }));

test("Close waits for both directions of the stream, and the session ends with its last, after a moment", () =>
  between({}, async (ends) => {
    const { connection, met, session, clientHost } = ends;
    const accepted = await met();
    const clone = await connection.clone().ready;
    await Promise.all([connection.close(), accepted.close()]);
    await sleep(ends, 1_000);
    assert.equal(session.isOver, false, "a stream is left");
    const closed = clone.close();
    await closed;
    const from = clientHost.now();
    while (!session.isOver) await sleep(ends, 5);
    assert.equal(session.closedWith, 0);
    assert.ok(clientHost.now() - from >= sessionIdleGraceMs);
  }));

test("a session that a peer began is the peer's to end, until the Listener has stopped", () =>
  between({}, async (ends) => {
    const { connection, met, session, peer, listener } = ends;
    const accepted = await met();
    const stays = await connection.clone().ready;
    await Promise.all([connection.close(), accepted.close()]);
    await sleep(ends, 5_000);
    assert.ok(!session.isOver && !peer.isOver);
    await listener.stop();
    await sleep(ends, 1_000);
    assert.equal(peer.closedWith, 0);
    assert.equal(stays.state, "closed");
    await assert.rejects(stays.closed, ConnectionError);
  }));

test("Abort resets the stream both ways, and leaves the group alone", () =>
  between({}, async (ends) => {
    const { connection, met, session } = ends;
    const accepted = await met();
    const clone = await connection.clone().ready;
    connection.abort("enough");
    await assert.rejects(connection.closed, ConnectionError);
    await assert.rejects(accepted.closed, (error) => error instanceof ConnectionError && error.byPeer);
    assert.equal(clone.state, "established");
    assert.equal(session.isOver, false);
  }));

test("a peer that gives up sending: Receive fails, and we can still send", () =>
  between({}, async (ends) => {
    const { connection, met, session } = ends;
    const accepted = await met();
    const waiting = connection.receive();
    streamOf(ends.peer, 0).reset(5);
    await assert.rejects(waiting, (error) => error instanceof ReceiveError && /code 5/.test(error.message));
    assert.equal(connection.get("canReceive"), false);
    assert.equal(connection.state, "established");
    await say(connection, accepted, "you can still hear me");
    assert.equal(session.isOver, false);
    await connection.close();
  }));

test("a peer that reads no more: Sends fail, and we still receive", () =>
  between({}, async (ends) => {
    const { connection, met, peer } = ends;
    const accepted = await met();
    streamOf(peer, 0).stopSending(9);
    await sleep(ends, 50);
    await assert.rejects(
      connection.send(utf8("x")),
      (error) => error instanceof SendError && /code 9/.test(error.message),
    );
    assert.equal(connection.get("canSend"), false);
    await say(accepted, connection, "you can still read");
    await accepted.send(new Uint8Array(), { final: true });
    await connection.close();
  }));

test("CloseGroup and AbortGroup end the session: CONNECTION_CLOSE at once", async () => {
  await between({}, async (ends) => {
    const { connection, met, session, clientHost } = ends;
    await Promise.all([met().then((accepted) => accepted.close()), connection.clone().ready]);
    const from = clientHost.now();
    await connection.group.close();
    await sleep(ends, 50);
    assert.equal(session.closedWith, 0);
    assert.ok(clientHost.now() - from < 6_000);
  });
  await between({}, async (ends) => {
    const { connection, met, session } = ends;
    const accepted = await met();
    const clone = await connection.clone().ready;
    connection.group.abort();
    assert.equal(session.closedWith, 0);
    for (const each of [connection, clone, accepted]) await assert.rejects(each.closed, ConnectionError);
  });
});

test("when the session fails, every Connection of the group has its ConnectionError", () =>
  between({}, async (ends) => {
    const { connection, met, session } = ends;
    await met();
    const clone = await connection.clone().ready;
    session.end(quicFailure("idle-timeout", "idle", "nothing was heard"));
    for (const each of [connection, clone]) {
      await assert.rejects(
        each.closed,
        (error) => error instanceof ConnectionError && /nothing was heard/.test(error.message),
      );
    }
    await assert.rejects(async () => connection.clone().ready, TapsFailure);
  }));

test("direction: one-way streams, whoever opens them", async () => {
  const send = new TransportProperties({ direction: "unidirectional-send" });
  const receive = new TransportProperties({ direction: "unidirectional-receive" });
  await between({ transport: send, serving: receive }, async (ends) => {
    const { connection, listener, session } = ends;
    await connection.send(utf8("one way"), { final: true });
    const accepted = (await listener.accept())!;
    assert.equal(fromUtf8((await accepted.receive()).data), "one way");
    assert.equal(streamOf(session, 0).direction, "unidirectional");
    assert.equal(accepted.get("canSend"), false);
    await assert.rejects(accepted.send(utf8("x")), SendError);
    await Promise.all([connection.close(), accepted.close()]);
  });
  await between({ transport: receive, serving: send }, async ({ connection, listener, peer }) => {
    const accepted = (await listener.accept())!;
    await accepted.send(utf8("from the server"));
    assert.equal(fromUtf8((await connection.receive()).data), "from the server");
    assert.equal(streamOf(peer, 0).direction, "unidirectional");
    assert.equal(connection.get("canSend"), false);
  });
});

test("a one-way stream of the peer's is a Connection that only receives, beside those with two directions", () =>
  between({}, async (ends) => {
    const { listener, met, session } = ends;
    await met();
    const told: string[] = [];
    const stream = session.openStream(
      { bytes() {}, ended() {}, drained() {}, closed: () => void told.push("closed") },
      { direction: "unidirectional" },
    );
    stream.write(utf8("one way"));
    stream.finish();
    const accepted = (await listener.accept())!;
    assert.equal(accepted.get("direction"), "unidirectional-receive");
    assert.equal(fromUtf8((await accepted.receive()).data), "one way");
    assert.equal(accepted.get("canSend"), false);
    await accepted.close();
  }));

test("InitiateWithSend is 0-RTT on the first stream, flagged early at the receiver; other data wait", async () => {
  const prefer = new TransportProperties({ zeroRttMsg: "prefer" });
  const both = fakeNeighbours();
  both.quic.takesEarly = true;
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local, security: serverSecurity, transport: prefer }).listen();
      const init = { remote, security: clientSecurity, transport: prefer };
      const early = both.client.preconnection(init).initiateWithSend(utf8("early"), { safelyReplayable: true });
      const first = (await listener.accept())!;
      const received = await first.receive();
      assert.equal(fromUtf8(received.data), "early");
      assert.equal(received.context.metadata.early, true);
      await early.ready;
      await early.send(utf8(" and late"));
      const next = await first.receive();
      assert.equal(fromUtf8(next.data), " and late", "the early Message went once");
      assert.equal(next.context.metadata.early, undefined);
      both.quic.takesEarly = false;
      const late = both.client.preconnection(init).initiateWithSend(utf8("late"));
      const second = (await listener.accept())!;
      const other = await second.receive();
      assert.equal(fromUtf8(other.data), "late");
      assert.equal(other.context.metadata.early, undefined);
      await late.ready;
      const asked = both.quic.sessions.map(({ options }) => options.earlyData);
      assert.deepEqual(asked, [true, true, false, true], "client and server, twice");
    })(),
  );
});

test("0-RTT that the server does not take is said again by the session, once", async () => {
  const both = fakeNeighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local, security: serverSecurity }).listen();
      const early = both.client
        .preconnection({ remote, security: clientSecurity })
        .initiateWithSend(utf8("said"), { safelyReplayable: true });
      await early.ready;
      await early.send(utf8(" once"), { final: true });
      const accepted = (await listener.accept())!;
      let text = "";
      for await (const { data, context } of accepted) {
        assert.equal(context.metadata.early, undefined);
        text += fromUtf8(data);
      }
      assert.equal(text, "said once");
    })(),
  );
});

test("PathChange tells every Connection of the group of a handover, at both ends", () =>
  between({ transport: new TransportProperties({ multipath: "active" }) }, async (ends) => {
    const { connection, met } = ends;
    const accepted = await met();
    const clone = await connection.clone().ready;
    const told: string[] = [];
    for (const [name, each] of Object.entries({ connection, clone, accepted })) {
      each.on("pathChange", ({ what, detail }) => told.push(`${name} ${what} ${String(detail?.["whose"])}`));
    }
    assert.ok(connection.addLocal({ address: "192.0.2.77" }).ok);
    assert.equal(connection.localEndpoint?.address, "192.0.2.1", "a handover, and no more paths than one");
    assert.ok(connection.removeLocal({ address: "192.0.2.1" }).ok);
    await sleep(ends, 100);
    assert.deepEqual(told, ["connection handover ours", "clone handover ours", "accepted handover the peer's"]);
    assert.equal(clone.localEndpoint?.address, "192.0.2.77");
    assert.equal(accepted.remoteEndpoint?.address, "192.0.2.77");
    assert.equal(reasonOf(connection.removeLocal({ address: "192.0.2.77" })), "unsupported", "it is the last");
    await say(connection, accepted, "from there");
  }));

test("a local endpoint from which the peer cannot be reached is a SoftError, and the Connection stays", () =>
  between({ transport: new TransportProperties({ multipath: "active" }) }, async (ends) => {
    const { connection, met } = ends;
    const accepted = await met();
    const told: string[] = [];
    connection.on("softError", ({ message }) => told.push(message));
    connection.addLocal({ address: "203.0.113.9" });
    connection.removeLocal({ address: "192.0.2.1" });
    await sleep(ends, 100);
    assert.equal(told.length, 1);
    assert.match(told[0]!, /no way from 203\.0\.113\.9/);
    await say(connection, accepted, "still from here");
  }));

test("multipath disabled rules migration out: endpoints are refused, and the peer is told not to move", async () => {
  const disabledPaths = new TransportProperties({ multipath: "disabled" });
  await between({ serving: disabledPaths }, async ({ connection, peer, session }) => {
    assert.equal(reasonOf(connection.addLocal({ address: "192.0.2.77" })), "unsupported");
    assert.equal(reasonOf(connection.removeLocal({ address: "192.0.2.1" })), "unsupported");
    assert.ok("disableActiveMigration" in peer.options && peer.options.disableActiveMigration);
    assert.ok("preferredAddress" in session.options && session.options.preferredAddress === false);
    assert.equal(connection.get("multipath"), "disabled");
  });
  await between({ transport: new TransportProperties({ multipath: "active" }) }, async ({ connection, peer }) => {
    assert.ok("disableActiveMigration" in peer.options && peer.options.disableActiveMigration === false);
    assert.equal(connection.get("multipath"), "active");
  });
});

test("connTimeout is the session's idle timeout, and keep-alives come in time for NATs", async () => {
  const transport = new TransportProperties({ connTimeout: 60_000, keepAlive: "require" });
  await between({ transport }, async ({ connection, session }) => {
    assert.equal(session.options.idleTimeoutMs, 60_000);
    assert.equal(session.options.keepAliveMs, 15_000);
    assert.equal(connection.get("keepAlive"), true);
    assert.ok(connection.set("keepAliveTimeout", 5_000).ok);
    assert.ok(connection.set("connCapacityProfile", "scavenger").ok);
    assert.deepEqual(streamOf(session, 0).asked.slice(-2), [
      ["keepAliveMs", 5_000],
      ["dscp", 1],
    ]);
  });
  await between({}, async ({ session }) => {
    assert.equal(session.options.keepAliveMs, undefined);
    assert.equal(session.options.idleTimeoutMs, undefined);
  });
});

test("the session keeps the process alive as long as one of its Connections does", () =>
  between({}, async ({ connection, session }) => {
    const clone = await connection.clone().ready;
    connection.unref();
    assert.equal(session.isReferenced, true);
    clone.unref();
    assert.equal(session.isReferenced, false);
    connection.ref();
    assert.equal(session.isReferenced, true);
  }));

test("a handshake that fails is the race's failure at the client, and counted by the Listener", async () => {
  const both = fakeNeighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local, security: serverSecurity }).listen();
      const told: string[] = [];
      listener.on("softError", ({ reason }) => told.push(reason));
      both.quic.refusal = quicFailure("handshake", "Finished", "wrong");
      const connection = both.client.preconnection({ remote, security: clientSecurity }).initiate();
      await assert.rejects(connection.ready, /wrong/);
      assert.deepEqual(told, ["handshake"]);
      assert.equal(listener.statistics.failed, 1);
    })(),
  );
});

test("a thousand streams of one session, and no more than a group holds", () =>
  between({}, async (ends) => {
    const { connection, listener, session } = ends;
    const clones = await Promise.all(Array.from({ length: 999 }, () => connection.clone().ready));
    for (const [at, clone] of clones.entries()) await clone.send(utf8(String(at)), { final: true });
    const seen = new Set<string>();
    for (let i = 0; i < 999; i++) {
      const accepted = (await listener.accept())!;
      seen.add(fromUtf8((await accepted.receive()).data)!);
    }
    assert.equal(seen.size, 999);
    assert.equal(session.streams.length, 1_000);
    await Promise.all(Array.from({ length: groupMembersMax - 1_000 }, () => connection.clone().ready));
    assert.throws(() => connection.clone(), /at most 1024 members/);
  }));

test("the peer hears of a stream with what is first sent on it", () =>
  between({}, async (ends) => {
    const { connection, listener, met } = ends;
    await sleep(ends, 1_000);
    await assert.rejects(listener.accept({ timeout: 10 }), TapsFailure);
    assert.equal(connection.get("activeReadBeforeSend"), false);
    assert.equal((await met()).state, "established");
  }));
