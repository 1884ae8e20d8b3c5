import assert from "node:assert/strict";
import { connectHttp3, listenHttp3 } from "../../src/adapters/http3/index.js";
import { openTunnel } from "../../src/adapters/index.js";
import { equal } from "../../src/bytes/index.js";
import type { World } from "../../src/hosts/simulator/index.js";
import { connect, listen } from "../../src/protocols/quic/index.js";
import { newKeys } from "../../src/protocols/wireguard/index.js";
import { protocolStacks, reliableInorderStream, secure, TransportServices } from "../../src/taps/index.js";
import { pattern } from "../laws/port.js";
import { SessionRecorder } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";
import { vouchedFor } from "../support/taps.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";
import { tunnelBetween } from "../support/tunnel-world.js";

/** QUIC where there is nothing below it but IP packets in WireGuard's. */

const options = { start: startOfTime };

function hosts(world: World) {
  const client = world.host("client", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["198.51.100.1"] });
  const link = world.link(client, server, { delayMs: 10, bitsPerSecond: 50_000_000 });
  return { client, server, link };
}

for (const [what, address, mtu, largest] of [
  ["IPv4, 1,420 bytes", "10.0.0.2", 1_420, 1_420 - 20 - 8],
  ["IPv6, 1,420 bytes", "fd00::2", 1_420, 1_420 - 40 - 8],
  ["IPv6, 1,280 bytes", "fd00::2", 1_280, 1_280 - 40 - 8],
] as const) {
  scenario(
    `a transfer each way through a tunnel (${what}) finds what the inside carries, and is never cut`,
    1,
    async (world) => {
      const ends = hosts(world);
      const { client, server } = await tunnelBetween(world, ends.client, ends.server, { mtu });
      const served = new SessionRecorder();
      const listener = await world.finish(
        listen(
          ends.server,
          { address, port: 443 },
          { alpn: ["test"], identity: identityFor("Ed25519"), verify: trusting },
          (session) => {
            served.session = session;
            served.echoes = true;
            return served;
          },
          { network: server.tunnel.network },
        ),
      );
      const recorder = new SessionRecorder();
      const security = { alpn: ["test"], serverName: "server.test", verify: trusting };
      recorder.session = connect(ends.client, { address, port: 443 }, security, recorder, {
        network: client.tunnel.network,
      });
      const stream = recorder.open();
      const sent = pattern(200_000, 1);
      stream.stream.write(sent);
      stream.stream.finish();
      await world.until(() => stream.isEnded || recorder.isClosed, 60_000);
      assert.equal(recorder.failure, undefined);
      assert.ok(equal(stream.all(), sent));
      await world.until(() => recorder.session.statistics.mtu > largest - 20, 60_000);
      for (const { session } of [recorder, served]) {
        const found = session.statistics.mtu;
        assert.ok(found <= largest && found > largest - 20, `${found} of ${largest}`);
      }
      recorder.session.close();
      await world.until(() => recorder.isClosed && served.isClosed);
      await world.finish(listener.close());
    },
    options,
  );
}

scenario(
  "TAPS goes by QUIC where the tunnel is required, and HTTP/3 through the same file",
  1,
  async (world) => {
    const ends = hosts(world);
    const [ours, theirs] = [newKeys(ends.client), newKeys(ends.server)];
    const open = (host: typeof ends.client, text: string) => world.finish(openTunnel(host, text, { name: "office" }));
    const server = await open(
      ends.server,
      `[Interface]\nPrivateKey = ${theirs.privateKey}\nAddress = 10.0.0.2/24\nListenPort = 51820
       [Peer]\nPublicKey = ${ours.publicKey}\nAllowedIPs = 10.0.0.1/32`,
    );
    const client = await open(
      ends.client,
      `[Interface]\nPrivateKey = ${ours.privateKey}\nAddress = 10.0.0.1/24
       [Peer]\nPublicKey = ${theirs.publicKey}\nAllowedIPs = 10.0.0.0/24\nEndpoint = 198.51.100.1:51820`,
    );
    const { root, identity } = vouchedFor("10.0.0.2");
    const near = new TransportServices({ host: ends.client, stacks: protocolStacks });
    const far = new TransportServices({ host: ends.server, stacks: protocolStacks });
    near.attach(client.network);
    far.attach(server.network);
    const listener = await world.finish(
      far
        .preconnection({
          local: { interface: "wg:office", port: 443 },
          security: secure({ allowed: ["QUIC"], alpn: ["test"], identity }),
        })
        .listen(),
    );
    const transport = reliableInorderStream.with({ interface: { "wg:office": "require" } });
    const connection = await world.finish(
      near
        .preconnection({
          remote: { host: "10.0.0.2", port: 443 },
          transport,
          security: secure({ allowed: ["QUIC"], alpn: ["test"], trust: [root] }),
        })
        .connect(),
    );
    assert.equal(connection.localEndpoint?.address, "10.0.0.1");
    await world.finish(connection.send(pattern(20_000, 2), { final: true }));
    const accepted = (await world.finish(listener.accept()))!;
    let size = 0;
    while (size < 20_000) size += (await world.finish(accepted.receive())).data.length;
    assert.equal(size, 20_000);
    connection.abort();

    // The same by URL, on the network inside.
    const dialled = await world.finish(
      client.dial("quic://10.0.0.2:443", { allowed: ["QUIC"], alpn: ["test"], trust: [root] }),
    );
    await world.finish(dialled.send(pattern(100, 3), { final: true }));
    const second = (await world.finish(listener.accept()))!;
    assert.equal((await world.finish(second.receive())).data.length, 100);
    assert.equal(dialled.localEndpoint?.address, "10.0.0.1");
    dialled.abort();
    await world.finish(listener.stop());

    const http = await world.finish(
      listenHttp3(
        { host: ends.server, network: server.network, address: "10.0.0.2", port: 8443, identity },
        () => new Response("from the inside"),
      ),
    );
    const origin = await world.finish(
      connectHttp3("https://10.0.0.2:8443/", { host: ends.client, network: client.network, trust: [root] }),
    );
    const response = await world.finish(origin.request({ path: "/" }));
    assert.equal(await world.finish(response.body.text()), "from the inside");
    await world.finish(origin.close());
    await world.finish(http.close());
    await world.finish(client.close());
    await world.finish(server.close());
  },
  options,
);
