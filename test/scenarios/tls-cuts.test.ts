import assert from "node:assert/strict";
import type { Network, StreamPort, StreamSink } from "../../src/contract/index.js";
import type { World } from "../../src/hosts/simulator/index.js";
import { connect, listen, type TlsVersion } from "../../src/protocols/tls/index.js";
import { Recorder } from "../laws/port.js";
import { scenario } from "../support/scenario.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";

const identity = identityFor("Ed25519");

/** How a stream ends in the middle: by a reset both ways, or by a FIN of the peer's that is all there is. */
type Cut = "reset" | "finish";

/** A network whose streams break after so many received bytes. */
function breakingAfter(size: number, cut: Cut, network: Network): Network {
  return {
    name: network.name,
    resolve: (name, options) => network.resolve(name, options),
    listenStreams: (local, accept, options) => network.listenStreams(local, accept, options),
    bindDatagrams: (local, sink, options) => network.bindDatagrams(local, sink, options),
    interfaces: () => network.interfaces(),
    connectStream: (remote, sink, options) => {
      let left = size;
      let port: StreamPort | undefined;
      const broken: StreamSink = {
        opened: () => sink.opened?.(),
        drained: () => sink.drained(),
        ended: () => sink.ended(),
        closed: (failure) => sink.closed(failure),
        bytes: (bytes) => {
          if (left < 0) return;
          const arrived = bytes.slice(0, left);
          if (arrived.length > 0) sink.bytes(arrived);
          left -= bytes.length;
          if (left > 0) return;
          left = -1;
          if (cut === "reset") port?.abort();
          else sink.ended();
        },
      };
      port = network.connectStream(remote, broken, options);
      return port;
    },
  };
}

/** Bytes that a client of this version receives until its handshake is confirmed; more than enough is fine. */
const flight = { "1.3": 700, "1.2": 800 } as const;

for (const version of ["1.3", "1.2"] as const) {
  for (const cut of ["reset", "finish"] as const) {
    const how = cut === "reset" ? "a reset" : "an end of the stream";
    scenario(
      `${how} at every byte of a TLS ${version} handshake is told once, on both sides, and never passes for a session`,
      1,
      async (world) => {
        const far = world.host("server", { addresses: ["198.51.100.1"] });
        const servers: Recorder[] = [];
        const { local } = await listen(
          far,
          { address: "198.51.100.1", port: 443 },
          { identity, verify: trusting },
          (session) => {
            const server = new Recorder().attach(session);
            servers.push(server);
            return server;
          },
        );
        let confirmed = 0;
        for (let size = 0; size < flight[version]; size++) {
          const near = world.host(`client ${size}`, {
            addresses: [`192.0.2.${size % 250}`, `10.0.${size >> 8}.${size & 255}`],
          });
          world.link(near, far, { delayMs: 1 });
          confirmed += (await attempt(world, size, cut, version, near, local)) ? 1 : 0;
        }
        await world.until(() => servers.every(({ isClosed }) => isClosed));
        for (const { failure } of servers) assert.equal(failure?.fault, "unreachable");
        // The flight is longer than what was tried, or the last attempts were confirmed and then cut: never before.
        assert.ok(confirmed < flight[version] / 2);
      },
      { start: startOfTime },
    );
  }
}

async function attempt(
  world: World,
  size: number,
  cut: Cut,
  version: TlsVersion,
  near: ReturnType<World["host"]>,
  remote: { readonly address: string; readonly port: number },
): Promise<boolean> {
  const client = new Recorder();
  const network = breakingAfter(size, cut, near.network);
  const session = connect(near, remote, { versions: [version], groups: ["x25519"], verify: trusting }, client, {
    network,
  });
  let isConfirmed = false;
  session.confirmed.then(
    () => (isConfirmed = true),
    () => {},
  );
  await world.until(() => client.isClosed);
  assert.equal(
    client.failure?.fault,
    "unreachable",
    `after ${size} bytes: ${client.failure?.message ?? "a clean end"}`,
  );
  return isConfirmed;
}
