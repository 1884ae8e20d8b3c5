import assert from "node:assert/strict";
import { openTunnel } from "../../src/adapters/index.js";
import type { World } from "../../src/hosts/simulator/index.js";
import { newKeys } from "../../src/protocols/wireguard/index.js";
import { scenario } from "../support/scenario.js";

type Accept = NonNullable<NonNullable<Parameters<typeof openTunnel>[2]>["acceptPeer"]>;

/** A server whose file names nobody, and a guest whom it does not know. */
async function stage(world: World, acceptPeer: Accept | undefined) {
  const guest = world.host("guest", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["192.0.2.2"] });
  world.link(guest, server, { delayMs: 10 });
  const [ours, theirs] = [newKeys(guest), newKeys(server)];
  const open = await world.finish(
    openTunnel(
      server,
      `[Interface]\nPrivateKey = ${theirs.privateKey}\nAddress = 10.0.0.2/24\nListenPort = 51820`,
      acceptPeer && { acceptPeer },
    ),
  );
  const tunnel = await world.finish(
    openTunnel(
      guest,
      `[Interface]\nPrivateKey = ${ours.privateKey}\nAddress = 10.0.0.7/24
       [Peer]\nPublicKey = ${theirs.publicKey}\nAllowedIPs = 10.0.0.0/24\nEndpoint = 192.0.2.2:51820`,
    ),
  );
  const ping = (timeoutMs = 1_000): Promise<boolean> =>
    world.finish(
      tunnel.ping("10.0.0.2", { timeoutMs }).then(
        () => true,
        () => false,
      ),
    );
  return { guest, server, ours, open, tunnel, ping };
}

scenario(
  "a guest whom the file does not name is let in by the application's word, with the addresses that it says",
  3,
  async (world) => {
    const asked: string[] = [];
    let later: (addresses: readonly string[]) => void = () => {};
    const { ours, ping, open } = await stage(world, ({ publicKey, from }) => {
      asked.push(`${publicKey} from ${from.address}`);
      return new Promise((resolve) => (later = resolve));
    });
    assert.equal(await ping(), false, "nothing was said yet");
    assert.deepEqual(asked, [`${ours.publicKey} from 192.0.2.1`]);
    later(["10.0.0.7/32"]);
    assert.equal(await ping(), true);
    assert.equal(open.status().peers[0]?.publicKey, ours.publicKey);
  },
);

scenario(
  "a guest who is refused, or about whom the application stumbles, or nobody asks, stays out",
  2,
  async (world) => {
    const answers: readonly (Accept | undefined)[] = [
      undefined,
      () => undefined,
      () => Promise.reject(new Error("the directory is down")),
      () => ["not an address"],
    ];
    for (const acceptPeer of answers) {
      const { ping, open } = await stage(world, acceptPeer);
      assert.equal(await ping(7_000), false);
      assert.equal(open.status().peers.length, 0);
    }
  },
);

scenario("a guest's other addresses are not believed", 1, async (world) => {
  const { ping, open } = await stage(world, () => ["10.0.0.8/32"]);
  assert.equal(await ping(3_000), false);
  assert.ok(open.status().drops["source-not-allowed"]! > 0);
});
