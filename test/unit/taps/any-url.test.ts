import assert from "node:assert/strict";
import { test } from "node:test";
import { type Connection, dial, serve } from "../../../src/taps/index.js";
import { neighbours, vouchedFor } from "../../support/taps.js";

const { root, identity } = vouchedFor("server.test");
const alpn = ["echo"];

const echo = async (connection: Connection) => {
  for await (const { data } of connection) if (data.length > 0) await connection.send(data);
};

for (const [served, stack] of [
  ["any", "QUIC/UDP"],
  ["quic", "QUIC/UDP"],
  ["tls", "TLS/TCP"],
] as const) {
  test(`any:// to a server of ${served}:// stands on ${stack}`, () => {
    const { world, client, server } = neighbours({ roots: [root] });
    return world.finish(
      (async () => {
        await using _ = await serve(server, `${served}://*:4433`, echo, { identity, alpn });
        await using connection = await dial(client, "any://server.test:4433", { alpn, timeout: 20_000 });
        assert.equal(connection.stack, stack);
        await connection.send(Uint8Array.of(1, 2, 3));
        assert.deepEqual((await connection.receive()).data, Uint8Array.of(1, 2, 3));
      })(),
    );
  });
}

test("any:// is never cleartext", () => {
  const { world, client, server } = neighbours({ roots: [root] });
  return world.finish(
    (async () => {
      await using _ = await serve(server, "tcp://*:4433", echo);
      await assert.rejects(dial(client, "any://server.test:4433", { alpn, timeout: 5_000 }));
    })(),
  );
});
