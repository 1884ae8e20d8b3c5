import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import {
  type CandidateNode,
  type Connection,
  dial,
  EstablishmentError,
  protocolStacks,
  type SecurityInit,
  secure,
  serve,
} from "../../../src/taps/index.js";
import { type Neighbours, neighbours, vouchedFor } from "../../support/taps.js";

const url = "gquic://server.test:4433";
const { root: authority, identity } = vouchedFor("server.test");

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
      await using _ = await serve(both.server, "gquic://*:4433", handler, { identity, ...init });
      await run(both, accepted);
    })(),
  );
}

async function all(connection: Connection): Promise<string> {
  let text = "";
  for await (const { data } of connection) text += fromUtf8(data);
  return text;
}

test("gquic: dial and serve make a Connection of bytes, secured by the server's certificate", () =>
  withEcho({}, async ({ client }, accepted) => {
    const connection = await dial(client, url, { trust: [authority] });
    assert.equal(connection.stack, "gQUIC/UDP");
    const { security } = connection;
    assert.ok(security?.protocol === "gQUIC");
    assert.equal(security.outcome?.version, "Q050");
    assert.equal(security.peer?.kind, "certificate");
    await connection.send(utf8("hello, "));
    await connection.send(utf8("server"), { final: true });
    assert.equal(await all(connection), "hello, server");
    assert.equal(accepted[0]?.security?.outcome?.serverName, "server.test");
    await connection.close();
    assert.equal(connection.state, "closed");
  }));

test("gquic: each version by its name", () =>
  withEcho({}, async ({ client }) => {
    for (const version of ["Q043", "Q046", "Q050"] as const) {
      const connection = await dial(client, url, { trust: [authority], allowed: [`gQUIC ${version}`] });
      assert.equal(connection.security?.outcome?.version, version);
      await connection.close();
    }
  }));

test("gquic: a clone is one more stream of the same connection", () =>
  withEcho({}, async ({ client }, accepted) => {
    const first = await dial(client, url, { trust: [authority] });
    const second = await first.clone();
    await second.send(utf8("two"), { final: true });
    assert.equal(await all(second), "two");
    await first.send(utf8("one"), { final: true });
    assert.equal(await all(first), "one");
    assert.equal(second.localEndpoint?.port, first.localEndpoint?.port);
    assert.equal(accepted.length, 2);
    await Promise.all([first.close(), second.close()]);
  }));

test("gquic: an authority that nobody trusts, and an application that says no, end it before anything is told", () =>
  withEcho({}, async ({ client }) => {
    await assert.rejects(dial(client, url, {}), EstablishmentError);
    await assert.rejects(dial(client, url, { trust: [authority], verify: () => false }), EstablishmentError);
    await assert.rejects(dial(client, url, { trust: [authority], serverName: "other.test" }), EstablishmentError);
  }));

test("gquic: nobody gets it who has not named it", async () => {
  const both = neighbours();
  both.world.name("server.test", { addresses: ["192.0.2.2"] });
  assert.ok(protocolStacks.some(({ name }) => name === "gQUIC/UDP"));
  const remote = { host: "server.test", port: 4433 } as const;
  const stateOf = async (init: SecurityInit): Promise<string | undefined> => {
    const pre = both.client.preconnection({ remote, security: secure({ trust: [authority], ...init }) });
    const nodes: CandidateNode[] = [await both.world.finish(pre.candidates())];
    for (const node of nodes) nodes.push(...node.children);
    return nodes.find(({ name }) => name === "gQUIC/UDP")?.verdict.state;
  };
  assert.equal(await stateOf({}), "excluded");
  assert.equal(await stateOf({ allowed: ["TLS", "QUIC"] }), "excluded");
  assert.equal(await stateOf({ allowed: ["gQUIC"] }), "eligible");
});

test("gquic: what it has no word for is refused by name", () =>
  withEcho({}, async ({ client }) => {
    const refused = async (init: SecurityInit, why: RegExp) => {
      await assert.rejects(dial(client, url, { trust: [authority], ...init }), (error: Error) => {
        assert.match(`${error.message} ${JSON.stringify(error)}`, why);
        return true;
      });
    };
    await refused({ alpn: ["x"] }, /does not expose EXT/);
    await refused({ preSharedKeys: [{ identity: "a", key: new Uint8Array(32) }] }, /does not expose PSKI/);
  }));
