import assert from "node:assert/strict";
import { test } from "node:test";
import { concat, fromUtf8, toHex, utf8 } from "../../../src/bytes/index.js";
import {
  type Connection,
  dial,
  EstablishmentError,
  opportunistic,
  type SecurityInit,
  secure,
  serve,
  TransportProperties,
} from "../../../src/taps/index.js";
import { serverIdentity, userIdentity } from "../../support/minimalt-pair.js";
import { type Neighbours, neighbours } from "../../support/taps.js";

const url = "minimalt://server.test:4436";
const hostKeys = concat(serverIdentity.publicKey, serverIdentity.box.publicKey);
const peerKeys = [hostKeys];

async function withEcho(
  init: SecurityInit,
  run: (both: Neighbours, accepted: Connection[]) => Promise<void>,
): Promise<void> {
  const both = neighbours();
  const accepted: Connection[] = [];
  await both.world.finish(
    (async () => {
      const handler = async (connection: Connection) => {
        accepted.push(connection);
        for await (const { data } of connection) await connection.send(data);
        await connection.send(new Uint8Array(0), { final: true });
      };
      const security = { protocolOptions: { MinimaLT: { identity: serverIdentity } }, ...init };
      await using _ = await serve(both.server, "minimalt://*:4436", handler, security);
      await run(both, accepted);
    })(),
  );
}

async function all(connection: Connection): Promise<string> {
  let text = "";
  for await (const { data } of connection) text += fromUtf8(data);
  return text;
}

test("minimalt: dial and serve make a Connection of bytes, and a clone is another connection of its tunnel", () =>
  withEcho({}, async ({ client }, accepted) => {
    const connection = await dial(client, url, { peerKeys, keyPair: userIdentity });
    assert.equal(connection.stack, "MinimaLT/UDP");
    const { security } = connection;
    assert.ok(security?.protocol === "MinimaLT" && security.peer?.kind === "static-key");
    assert.equal(toHex(security.peer.key), toHex(serverIdentity.publicKey));
    const clone = await connection.clone();
    await connection.send(utf8("hello, "));
    await clone.send(utf8("another"), { final: true });
    await connection.send(utf8("server"), { final: true });
    assert.equal(await all(connection), "hello, server");
    assert.equal(await all(clone), "another");
    const there = accepted[0]?.security;
    assert.ok(there?.protocol === "MinimaLT");
    assert.equal(accepted[1]?.security, there, "one tunnel");
    assert.equal(toHex(there.exportKey("a", 16)), toHex(security.exportKey("a", 16)));
    await connection.close();
    await clone.close();
    assert.equal(connection.state, "closed");
  }));

test("minimalt: a second dial finds the record in the cache, and begins with data", () =>
  withEcho({}, async ({ client }) => {
    const trips: (number | undefined)[] = [];
    for (let i = 0; i < 2; i++) {
      const connection = await dial(client, url, { peerKeys });
      trips.push(connection.security?.protocol === "MinimaLT" ? connection.security.outcome?.roundTrips : undefined);
      await connection.send(utf8("x"), { final: true });
      assert.equal(await all(connection), "x");
      await connection.close();
    }
    assert.deepEqual(trips, [1, 0]);
  }));

test("minimalt: keys may be imported, and users let in by key; the rest is refused", async () => {
  const preSharedKeys = [{ identity: "either", key: new Uint8Array(32).fill(3) }];
  await withEcho({ preSharedKeys, peerKeys: [userIdentity.publicKey] }, async ({ client }) => {
    const connection = await dial(client, url, { peerKeys, preSharedKeys, keyPair: userIdentity });
    await connection.send(utf8("ours"), { final: true });
    assert.equal(await all(connection), "ours");
    await connection.close();
    await assert.rejects(dial(client, url, { peerKeys, timeout: 60_000 }), EstablishmentError, "without the key");
    const stranger = await dial(client, url, { peerKeys, preSharedKeys });
    await assert.rejects(all(stranger), "an anonymous one's connection is refused");
  });
});

test("minimalt: a client's application has the last word before anything is told", () =>
  withEcho({}, async ({ client }) => {
    await assert.rejects(dial(client, url, { peerKeys, verify: async () => false }), EstablishmentError);
    const connection = await dial(client, url, { peerKeys, verify: async ({ validated }) => validated });
    await connection.send(utf8("trusted"), { final: true });
    assert.equal(await all(connection), "trusted");
    await connection.close();
  }));

test("minimalt: what its row leaves blank is refused by name, and so is a client without its server's keys", () =>
  withEcho({}, async ({ client, server }) => {
    const refused = async (init: SecurityInit, why: RegExp) => {
      await assert.rejects(dial(client, url, init), (error: Error) => {
        assert.match(`${error.message} ${JSON.stringify(error)}`, why);
        return true;
      });
    };
    await refused({}, /public keys of its server/);
    await refused({ peerKeys: [serverIdentity.publicKey] }, /64 bytes/);
    await refused({ peerKeys, alpn: ["x"] }, /does not expose EXT/);
    await refused({ peerKeys, groups: ["x25519"] }, /no groups/);
    const remote = { host: "server.test", port: 4436, protocol: "MinimaLT" } as const;
    await assert.rejects(client.preconnection({ remote, security: opportunistic() }).connect({ timeout: 1_000 }));
    const noKey = server.preconnection({ local: { port: 4437 }, security: secure({ allowed: ["MinimaLT"] }) });
    await assert.rejects(noKey.listen(), /host keys/);
  }));

test("minimalt: AddLocal and RemoveLocal move a client on, and PathChange tells of it at both ends", () =>
  withEcho({}, async ({ client }, accepted) => {
    const connection = await dial(client, url.replace("server.test", "192.0.2.2"), {
      peerKeys,
      transport: new TransportProperties({ multipath: "active" }),
    });
    const told: string[] = [];
    const tell = (who: string) => (change: { readonly what: string }) => void told.push(`${who} ${change.what}`);
    connection.on("pathChange", tell("client"));
    await connection.send(utf8("from here, "));
    const { localEndpoint: before } = connection;
    accepted[0]!.on("pathChange", tell("server"));
    assert.ok(connection.addLocal({ address: "192.0.2.1", port: 7_777 }).ok);
    assert.ok(connection.removeLocal({ address: before!.address!, port: before!.port! }).ok);
    await connection.send(utf8("and from there"), { final: true });
    assert.equal(await all(connection), "from here, and from there");
    assert.deepEqual(told.sort(), ["client handover", "server handover"]);
    assert.equal(connection.localEndpoint?.port, 7_777);
    assert.equal(accepted[0]!.remoteEndpoint?.port, 7_777);
    assert.equal(accepted[0]!.addLocal({ address: "192.0.2.9" }).ok, false, "a server stays where it is");
    await connection.close();
  }));
