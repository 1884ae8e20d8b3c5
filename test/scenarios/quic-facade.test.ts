import assert from "node:assert/strict";
import { concat, equal, utf8 } from "../../src/bytes/index.js";
import { open, serve } from "../../src/protocols/quic/index.js";
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
    const listener = await serve(
      far,
      address,
      { identity: identityFor("Ed25519"), alpn: ["test"], verify: trusting, datagramFrameMax: 1_200 },
      async (connection) => {
        void (async () => {
          for await (const message of connection.datagrams) connection.sendDatagram(message);
        })();
        for await (const stream of connection) {
          for await (const chunk of stream) await stream.write(chunk);
          await stream.end();
        }
        endings.push("server");
      },
    );
    await world.finish(
      (async () => {
        await using connection = open(near, address, { alpn: ["test"], verify: trusting, datagramFrameMax: 1_200 });
        assert.equal((await connection.opened).alpn, "test");
        const sent = pattern(3_000_000, seed);
        const stream = connection.createStream();
        void stream.write(sent).then(() => stream.end());
        const parts: Uint8Array[] = [];
        for await (const chunk of stream) parts.push(chunk);
        assert.ok(equal(concat(...parts), sent));
        await stream.closed;
        assert.ok(connection.sendDatagram(utf8("ping")));
        for await (const message of connection.datagrams) {
          assert.equal(new TextDecoder().decode(message), "ping");
          break;
        }
      })(),
    );
    await world.until(() => endings.length === 1);
    await world.finish(listener.closeAll());
  },
  { start: startOfTime },
);
