import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import type { DatagramOptions, DatagramPort, SocketAddress } from "../../../src/contract/index.js";
import {
  type Connection,
  disabled,
  EstablishmentError,
  type LocalEndpointInit,
  type RemoteEndpointInit,
  secure,
  TapsFailure,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { identitiesFor } from "../../../src/taps/security.js";
import { neighbours, serverAddress, vouchedFor } from "../../support/taps.js";

const security = disabled();
const remote = { address: serverAddress, port: 7 };

test("InitiateWithSend over TCP is Initiate and then Send", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security }).listen();
      const connection = both.client
        .preconnection({ remote, security })
        .initiateWithSend(utf8("first"), { safelyReplayable: true });
      const told: string[] = [];
      for (const name of ["ready", "sent"] as const) connection.on(name, () => told.push(name));
      const accepted = (await listener.accept())!;
      assert.equal(fromUtf8((await accepted.receive()).data), "first");
      assert.deepEqual(told, ["ready", "sent"]);
      assert.throws(
        () => both.client.preconnection({ remote, security }).initiateWithSend(utf8("x"), { endOfMessage: false }),
        /whole Messages/,
      );
    })(),
  );
});

test("where the establishment fails, its Sends have no events of their own", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const connection = both.client.preconnection({ remote, security }).initiateWithSend(utf8("first"));
      const told: string[] = [];
      for (const name of ["sent", "expired", "sendError", "establishmentError"] as const)
        connection.on(name, () => told.push(name));
      const second = connection.send(utf8("second"));
      await assert.rejects(connection.ready, EstablishmentError);
      await assert.rejects(second, EstablishmentError);
      assert.deepEqual(told, ["establishmentError"]);
    })(),
  );
});

test("Sends before Ready are queued and leave in their order", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security }).listen();
      const connection = both.client.preconnection({ remote, security }).initiate();
      for (const letter of "abc") void connection.send(utf8(letter));
      assert.equal(connection.state, "establishing");
      const accepted = (await listener.accept())!;
      assert.equal(fromUtf8((await accepted.receive({ min: 3 })).data), "abc");
    })(),
  );
});

test("closing what is establishing gives it up, unless Sends wait: then they are delivered first", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server.preconnection({ local: { port: 7 }, security }).listen();
      const idle = both.client.preconnection({ remote, security }).initiate();
      await idle.close();
      await assert.rejects(
        idle.ready,
        (error: unknown) => (error as EstablishmentError).reason === "connection-aborted",
      );
      const busy = both.client.preconnection({ remote, security }).initiate();
      const sent = busy.send(utf8("last words"));
      const closing = busy.close();
      const accepted = (await listener.accept())!;
      assert.equal(fromUtf8((await accepted.receive()).data), "last words");
      assert.equal(await sent, "sent");
      await Promise.all([accepted.close(), closing]);
    })(),
  );
});

/** A network that says what was asked of its datagram ports. */
function watched() {
  const both = neighbours();
  const bound: {
    local: SocketAddress;
    options: DatagramOptions | undefined;
    set: [string, number][];
    to: unknown[];
  }[] = [];
  for (const { network } of [both.clientHost, both.serverHost]) {
    network.bindDatagrams = async (local, _sink, options): Promise<DatagramPort> => {
      const one = { local, options, set: [] as [string, number][], to: [] as unknown[] };
      bound.push(one);
      return {
        local: { ...local, port: local.port || 40_000 },
        blocked: false,
        send: (_bytes, to) => void one.to.push(to),
        set: (option, value) => one.set.push([option, value]) > 0,
        close() {},
        ref() {},
        unref() {},
      };
    };
  }
  return { ...both, bound };
}

test("a multicast remote endpoint is sent to with its hop limit, without joining the group", async () => {
  const { world, client, bound } = watched();
  const group = { multicast: { group: "239.1.2.3", hopLimit: 3 }, port: 9 };
  const pre = client.preconnection({ remote: group, security, transport: unreliableDatagram });
  const connection: Connection = await world.finish(pre.connect());
  await connection.send(utf8("to all"));
  assert.equal(bound[0]!.options?.remote, undefined);
  assert.equal(bound[0]!.options?.multicast, undefined);
  assert.deepEqual(bound[0]!.set, [["hopLimit", 3]]);
  assert.deepEqual(bound[0]!.to, [{ address: "239.1.2.3", port: 9 }]);
});

test("a multicast local endpoint joins its group, from any source or from one", async () => {
  const { world, server, bound } = watched();
  for (const source of [undefined, "192.0.2.9"]) {
    const local = { port: 9, multicast: { group: "239.1.2.3", ...(source && { source }) } };
    await world.finish(server.preconnection({ local, security, transport: unreliableDatagram }).listen());
    assert.deepEqual(bound.at(-1)!.options?.multicast, local.multicast);
  }
});

test("Rendezvous in an any-source group brings a sender and a listener; in a single-source one it fails", async () => {
  const { world, server, bound } = watched();
  const group = "239.1.2.3";
  const to = { port: 9, multicast: { group, hopLimit: 2 } };
  const meet = (local: LocalEndpointInit, remote: RemoteEndpointInit) =>
    world.finish(server.preconnection({ local, remote, security, transport: unreliableDatagram }).rendezvous());
  const { connection, listener } = await meet({ port: 9, multicast: { group } }, to);
  assert.deepEqual(listener?.localEndpoints, [{ address: group, port: 9 }]);
  await connection.send(utf8("to all"));
  const [member, sender] = bound;
  assert.deepEqual([member!.options?.multicast, member!.options?.reuseAddress], [{ group }, true]);
  assert.deepEqual([sender!.options?.multicast, sender!.local.port, sender!.set], [undefined, 0, [["hopLimit", 2]]]);
  assert.deepEqual(sender!.to, [{ address: group, port: 9 }]);
  await assert.rejects(
    meet({ port: 9, multicast: { group, source: "192.0.2.9" } }, to),
    (error: unknown) => error instanceof EstablishmentError && error.reason === "unsupported",
  );
  for (const [local, remote_] of [
    [{ port: 9 }, to],
    [{ port: 9, multicast: { group } }, remote],
    [{ port: 9, multicast: { group: "239.1.2.4" } }, to],
  ] as const) {
    await assert.rejects(
      meet(local, remote_),
      (error: unknown) => (error as TapsFailure).reason === "invalid-configuration",
    );
  }
});

test("a STUN server is refused rather than ignored", async () => {
  const { client, world } = neighbours();
  const local = { port: 9, stun: { address: "192.0.2.9", port: 3_478 } };
  await assert.rejects(
    world.finish(client.preconnection({ local, remote, security }).resolve()),
    (error: unknown) => error instanceof TapsFailure && error.reason === "unsupported" && error.at === "WithStunServer",
  );
});

test("identities stay in the role and the protocols that they were given for", () => {
  const { identity } = vouchedFor("server.test");
  const both = ["TLS", "QUIC"] as const;
  const of = (
    init: Parameters<typeof secure>[0],
    role: "client" | "server",
    protocol: "TLS" | "QUIC",
    allowed: readonly ("TLS" | "QUIC")[] = ["TLS"],
  ) => identitiesFor(secure(init), role, protocol, allowed).length;
  assert.equal(of({ identity }, "server", "TLS"), 1);
  assert.equal(of({ identity: { server: identity } }, "client", "TLS"), 0);
  assert.equal(of({ identity }, "server", "QUIC"), 0);
  assert.equal(of({ identity }, "server", "QUIC", both), 1);
  assert.equal(of({ identity: { server: identity, for: ["TLS"] } }, "server", "TLS", both), 1);
  assert.equal(of({ identity: { server: identity, for: ["TLS"] } }, "server", "QUIC", both), 0);
});

test("a checksum over part of a Message is advice: all of it is protected", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      const listener = await both.server
        .preconnection({ local: { port: 7 }, security, transport: unreliableDatagram })
        .listen();
      const connection = await both.client.preconnection({ remote, security, transport: unreliableDatagram }).connect();
      assert.equal(await connection.send(utf8("covered"), { msgChecksumLen: 0 }), "sent");
      assert.equal(connection.get("fullChecksumSend"), true);
      assert.equal(fromUtf8((await (await listener.accept())!.receive()).data), "covered");
    })(),
  );
});
