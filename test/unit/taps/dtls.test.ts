import assert from "node:assert/strict";
import { test } from "node:test";
import { fromUtf8, utf8 } from "../../../src/bytes/index.js";
import {
  type Connection,
  dial,
  EstablishmentError,
  type SecurityInit,
  secure,
  serve,
  TransportProperties,
  unreliableDatagram,
} from "../../../src/taps/index.js";
import { type Neighbours, neighbours, vouchedFor } from "../../support/taps.js";

const { root, identity } = vouchedFor("server.test");
const url = "dtls://server.test:4433";

async function withEcho(
  init: SecurityInit,
  run: (both: Neighbours) => Promise<void>,
  transport = new TransportProperties(),
): Promise<void> {
  const both = neighbours({ roots: [root] });
  await both.world.finish(
    (async () => {
      const handler = async (connection: Connection) => {
        for await (const { data } of connection) if (data.length > 0) await connection.send(data);
      };
      await using _ = await serve(both.server, "dtls://*:4433", handler, { identity, transport, ...init });
      await run(both);
    })(),
  );
}

const exchange = async (connection: Connection, text: string): Promise<string> => {
  await connection.send(utf8(text));
  return fromUtf8((await connection.receive()).data)!;
};

test("dtls: dial and serve make a Connection of Messages, with the session's interfaces at hand", () =>
  withEcho({}, async ({ client }) => {
    const connection = await dial(client, url, { alpn: [] });
    assert.equal(connection.stack, "DTLS/UDP");
    assert.equal(connection.security?.outcome?.version, "1.3");
    assert.equal(await exchange(connection, "one"), "one");
    assert.equal(await exchange(connection, "two"), "two");
    const { security } = connection;
    assert.ok(security?.protocol === "DTLS");
    assert.equal(security.exportKey("EXPORTER-taps", 16).length, 16);
    security.updateKeys({ requestPeer: true });
    assert.equal(
      await exchange(connection, "under new keys, or the old until they are acknowledged"),
      "under new keys, or the old until they are acknowledged",
    );
    await connection.close();
    assert.equal(connection.state, "closed");
  }));

test("dtls: allowed versions bind both ends, and a secure datagram service needs no scheme", () =>
  withEcho({}, async ({ client }) => {
    const pre = client.preconnection({
      remote: { host: "server.test", port: 4433 },
      transport: unreliableDatagram,
      security: secure({ allowed: ["DTLS 1.2"] }),
    });
    const connection = await pre.connect();
    assert.deepEqual([connection.stack, connection.security?.outcome?.version], ["DTLS/UDP", "1.2"]);
    assert.equal(await exchange(connection, "hello"), "hello");
    await connection.close();
  }));

test("dtls: a Message that no datagram holds fails by itself", () =>
  withEcho({}, async ({ client }) => {
    const connection = await dial(client, url);
    const longest = connection.get("sendMsgMaxLen");
    assert.ok(longest > 1_100 && longest < 1_200, `${longest}`);
    await assert.rejects(connection.send(new Uint8Array(2_000)), { reason: "message-too-large" });
    assert.equal(await exchange(connection, "still there"), "still there");
    await connection.close();
  }));

test("dtls: a pre-shared key is enough for both ends, and an unknown one is named", async () => {
  const key = (identityName: string) => ({ identity: identityName, key: new Uint8Array(16).fill(7) });
  await withEcho({ preSharedKeys: [key("lamp")] }, async ({ client }) => {
    const connection = await dial(client, url, { preSharedKeys: [key("lamp")] });
    assert.equal(connection.security?.outcome?.mode, "psk");
    assert.equal(await exchange(connection, "light"), "light");
    await connection.close();
    const wrong = dial(client, url, {
      preSharedKeys: [key("radio")],
      allowed: ["DTLS 1.2"],
      ciphersuites: ["TLS_PSK_WITH_AES_128_CCM_8"],
    });
    await assert.rejects(wrong, (error: unknown) => {
      assert.ok(error instanceof EstablishmentError);
      assert.match(JSON.stringify(error), /radio/);
      return true;
    });
  });
});

test("dtls: a peer that nobody vouches for is an authentication failure", async () => {
  const both = neighbours();
  await both.world.finish(
    (async () => {
      await using _ = await serve(both.server, "dtls://*:4433", () => {}, { identity });
      await assert.rejects(dial(both.client, url), (error: unknown) => {
        assert.ok(error instanceof EstablishmentError);
        assert.equal(error.fault, "authentication");
        return true;
      });
    })(),
  );
});

test("dtls: a safely replayable first Message goes as 0-RTT where the server asked for it", () =>
  withEcho(
    {},
    async ({ client, clientHost }) => {
      const first = await dial(client, url);
      assert.equal(await exchange(first, "for a ticket"), "for a ticket");
      await first.close();
      // A strike register that has just begun cannot know what it has not seen (RFC 9846 §8.2).
      await new Promise<void>((resolve) => clientHost.wakeAt(clientHost.now() + 11_000, resolve));
      const pre = client.preconnection({
        remote: { host: "server.test", port: 4433 },
        transport: unreliableDatagram,
        security: secure({ allowed: ["DTLS"] }),
      });
      const again = pre.initiateWithSend(utf8("early"), { safelyReplayable: true });
      await again.ready;
      assert.equal(fromUtf8((await again.receive()).data), "early");
      assert.equal(again.security?.outcome?.earlyData, "accepted");
      await again.close();
    },
    new TransportProperties().prefer("zeroRttMsg"),
  ));
