import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, toHex, utf8 } from "../../../src/bytes/index.js";
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
import { clientIdentity, serverIdentity } from "../../support/curvecp-pair.js";
import { type Neighbours, neighbours, vouchedFor } from "../../support/taps.js";

const url = "curvecp://server.test:4434";
const peerKeys = [serverIdentity.publicKey];
const remote = { host: "server.test", port: 4434 } as const;

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
      await using _ = await serve(both.server, "curvecp://*:4434", handler, { keyPair: serverIdentity, ...init });
      await run(both, accepted);
    })(),
  );
}

async function all(connection: Connection): Promise<string> {
  let text = "";
  for await (const { data } of connection) text += fromUtf8(data);
  return text;
}

test("curvecp: dial and serve make a Connection of bytes, each direction with an end of its own", () =>
  withEcho({}, async ({ client }, accepted) => {
    const connection = await dial(client, url, { peerKeys, keyPair: clientIdentity });
    assert.equal(connection.stack, "CurveCP/UDP");
    const { security } = connection;
    assert.ok(security?.protocol === "CurveCP");
    assert.equal(toHex(security.outcome!.peer.key), toHex(serverIdentity.publicKey));
    await connection.send(utf8("hello, "));
    await connection.send(utf8("server"), { final: true });
    assert.equal(await all(connection), "hello, server");
    const there = accepted[0]?.security;
    assert.ok(there?.protocol === "CurveCP" && there.peer?.kind === "static-key");
    assert.equal(toHex(there.peer.key), toHex(clientIdentity.publicKey));
    assert.equal(there.outcome?.serverName, "server.test");
    await connection.close();
    assert.equal(connection.state, "closed");
    assert.equal(connection.security?.outcome?.version, undefined);
  }));

test("curvecp: an address is no name, and the server is asked for none", () =>
  withEcho({}, async ({ client }, accepted) => {
    const connection = await dial(client, "curvecp://192.0.2.2:4434", { peerKeys });
    await connection.send(utf8("x"), { final: true });
    assert.equal(await all(connection), "x");
    const there = accepted[0]?.security;
    assert.ok(there?.protocol === "CurveCP");
    assert.equal(there.outcome?.serverName, "");
    await connection.close();
  }));

test("curvecp: the wrong server key gets no answer, and says so", () =>
  withEcho({}, async ({ client }) => {
    const wrong = dial(client, url, { peerKeys: [clientIdentity.publicKey], timeout: 200_000 });
    await assert.rejects(wrong, (error: unknown) => {
      assert.ok(error instanceof EstablishmentError);
      assert.match(JSON.stringify(error.candidates), /Hellos/);
      return true;
    });
  }));

test("curvecp: a server lets in whom it names, and asks the application about the rest", async () => {
  const asked: string[] = [];
  const verify: NonNullable<SecurityInit["verify"]> = async ({ peer, validated, serverName }) => {
    assert.ok(peer.kind === "static-key");
    asked.push(`${toHex(peer.key).slice(0, 8)} ${validated} ${serverName}`);
    return true;
  };
  await withEcho({ verify }, async ({ client }) => {
    const connection = await dial(client, url, { peerKeys, keyPair: clientIdentity });
    await connection.close();
  });
  assert.deepEqual(asked, [`${toHex(clientIdentity.publicKey).slice(0, 8)} false server.test`]);
  await withEcho({ peerKeys: [clientIdentity.publicKey] }, async ({ client }) => {
    const connection = await dial(client, url, { peerKeys, keyPair: clientIdentity });
    await connection.close();
    await assert.rejects(dial(client, url, { peerKeys, timeout: 200_000 }), EstablishmentError);
  });
  await withEcho({ peerKeys: [serverIdentity.publicKey], verify: () => true }, async ({ client }) => {
    await assert.rejects(
      dial(client, url, { peerKeys, keyPair: clientIdentity, timeout: 200_000 }),
      EstablishmentError,
      "verification does not widen what was named",
    );
  });
});

test("curvecp: a client's application has the last word before anything is told", () =>
  withEcho({}, async ({ client }) => {
    await assert.rejects(dial(client, url, { peerKeys, verify: async () => false }), EstablishmentError);
    const connection = await dial(client, url, { peerKeys, verify: async ({ validated }) => validated });
    await connection.send(utf8("trusted"), { final: true });
    assert.equal(await all(connection), "trusted");
    await connection.close();
  }));

test("curvecp: what its row leaves blank is refused by name, and so is a client without a server's key", () =>
  withEcho({}, async ({ client, server }) => {
    const refused = async (init: SecurityInit, why: RegExp) => {
      await assert.rejects(dial(client, url, init), (error: Error) => {
        assert.match(`${error.message} ${JSON.stringify(error)}`, why);
        return true;
      });
    };
    const { identity } = vouchedFor("server.test");
    await refused({ identity }, /public key of its server/);
    await refused({ peerKeys: [...peerKeys, ...peerKeys] }, /the one public key/);
    await refused({ peerKeys, alpn: ["x"] }, /does not expose EXT/);
    await refused({ peerKeys, groups: ["x25519"] }, /does not expose ALG/);
    await refused({ peerKeys, preSharedKeys: [{ identity: "a", key: new Uint8Array(32) }] }, /does not expose PSKI/);
    const pre = client.preconnection({ remote: { ...remote, protocol: "CurveCP" }, security: opportunistic() });
    await assert.rejects(pre.connect({ timeout: 1_000 }));
    const noKey = server.preconnection({ local: { port: 4435 }, security: secure({ allowed: ["CurveCP"] }) });
    await assert.rejects(noKey.listen(), /key pair/);
  }));

test("curvecp: AddLocal and RemoveLocal move a client on, and PathChange tells of it at both ends", () =>
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
