import assert from "node:assert/strict";
import { equal } from "../../src/bytes/index.js";
import type { StreamModel, World } from "../../src/hosts/simulator/index.js";
import { connect, listen } from "../../src/protocols/tls/index.js";
import { pattern, Recorder } from "../laws/port.js";
import { scenario } from "../support/scenario.js";
import { identityFor, startOfTime, trusting } from "../support/tls-pair.js";

const identity = identityFor("Ed25519");
const options = { start: startOfTime };

/** A client and a server of TLS, on streams that are as bad as the model says. */
async function pair(
  world: World,
  streams: StreamModel,
): Promise<{ client: Recorder; server: () => Recorder | undefined }> {
  const near = world.host("client", { addresses: ["192.0.2.1"], streams });
  const far = world.host("server", { addresses: ["198.51.100.1"], streams });
  world.link(near, far, { delayMs: 5 });
  let accepted: Recorder | undefined;
  const listener = await listen(
    far,
    { address: "198.51.100.1", port: 443 },
    { identity, verify: trusting },
    (session) => {
      accepted = new Recorder().attach(session);
      return accepted;
    },
  );
  const client = new Recorder();
  client.attach(connect(near, listener.local, { verify: trusting }, client));
  return { client, server: () => accepted };
}

scenario(
  "TLS arrives whole when its stream comes one byte at a time, and stalls",
  3,
  async (world, seed) => {
    const { client, server } = await pair(world, { pieceMax: 1, stall: { in: 1, of: 10 }, stallMs: 800 });
    const up = pattern(20_000, seed);
    const down = pattern(9000, seed + 1);
    client.port.write(up);
    client.port.finish();
    await world.until(() => server()?.told.includes("ended") ?? false);
    server()!.port.write(down);
    server()!.port.finish();
    await world.until(() => client.isClosed && server()!.isClosed);
    assert.ok(equal(server()!.all(), up));
    assert.ok(equal(client.all(), down));
    assert.equal(client.failure ?? server()!.failure, undefined);
  },
  options,
);

scenario(
  "when something on the way resets, both ends say so once, and what arrived is a prefix of what was sent",
  20,
  async (world, seed) => {
    const { client, server } = await pair(world, { reset: { in: 1, of: 30 } });
    const up = pattern(400_000, seed);
    client.port.write(up);
    client.port.finish();
    await world.until(() => client.isClosed || (server()?.told.includes("ended") ?? false));
    server()?.port.finish();
    await world.until(() => client.isClosed && (server()?.isClosed ?? true));
    const got = server()?.all() ?? new Uint8Array();
    assert.ok(equal(got, up.subarray(0, got.length)));
    const isWhole = server()?.told.includes("ended") ?? false;
    if (isWhole) assert.equal(got.length, up.length);
    else assert.equal(client.failure?.fault, "unreachable");
  },
  options,
);
