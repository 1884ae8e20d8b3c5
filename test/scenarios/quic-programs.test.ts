import assert from "node:assert/strict";
import { openQuic, serveQuic } from "../../src/adapters/quic/index.js";
import { concat, equal, utf8 } from "../../src/bytes/index.js";
import { pattern } from "../laws/port.js";
import { scenario } from "../support/scenario.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";

const address = { address: "198.51.100.1", port: 443 };

scenario(
  "connections with promises and loops: streams both ways, datagrams, the end",
  3,
  async (world, seed) => {
    const near = world.host("client", { addresses: ["192.0.2.1"] });
    const far = world.host("server", { addresses: [address.address] });
    world.link(near, far, { delayMs: 10 });
    const endings: string[] = [];
    const quic = { verify: trusting, datagramFrameMax: 1_200 };
    const server = await serveQuic(
      { host: far, ...address, identity: identityFor("Ed25519"), alpn: ["test"], quic },
      async (connection) => {
        void (async () => {
          for await (const message of connection.datagrams) await connection.datagrams.send(message);
        })();
        for await (const stream of connection) {
          for await (const chunk of stream) await stream.write(chunk);
          stream.end();
        }
        endings.push("server");
      },
    );
    await world.finish(
      (async () => {
        await using connection = await openQuic(`quic://${address.address}:443`, { host: near, alpn: ["test"], quic });
        assert.equal((await connection.opened).alpn, "test");
        const sent = pattern(3_000_000, seed);
        const stream = connection.open();
        void stream.write(sent).then(() => stream.end());
        const parts: Uint8Array[] = [];
        for await (const chunk of stream) parts.push(chunk);
        assert.ok(equal(concat(...parts), sent));
        await stream.closed;
        assert.equal(await connection.datagrams.send(utf8("ping")), "acknowledged");
        for await (const message of connection.datagrams) {
          assert.equal(new TextDecoder().decode(message), "ping");
          break;
        }
      })(),
    );
    await world.until(() => endings.length === 1);
    await world.finish(server.close());
  },
  { start: startOfTime },
);
