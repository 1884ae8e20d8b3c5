import assert from "node:assert/strict";
import type { SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import { newKeys } from "../../src/protocols/wireguard/index.js";
import { openWireGuard, type WireGuardTunnel } from "../../src/tunnels/index.js";
import { scenario } from "../support/scenario.js";
import { tunnelBetween } from "../support/tunnel-world.js";

/** A laptop, and two machines of which either can be the office that vpn.test names. */
function stage(world: World) {
  const laptop = world.host("laptop", { addresses: ["192.0.2.1"] });
  const router = world.router("router");
  const machines = ["192.0.2.2", "192.0.2.3"].map((address) => world.host(address, { addresses: [address] }));
  for (const each of [laptop, ...machines]) world.link(each, router, { delayMs: 10 });
  const [ours, theirs] = [newKeys(laptop), newKeys(laptop)];
  const serve = (machine: SimulatedHost): Promise<WireGuardTunnel> =>
    openWireGuard(
      machine,
      `[Interface]\nPrivateKey = ${theirs.privateKey}\nAddress = 10.0.0.1/24\nListenPort = 51820
       [Peer]\nPublicKey = ${ours.publicKey}\nAllowedIPs = 10.0.0.2/32`,
    );
  const dial = (endpoint: string): Promise<WireGuardTunnel> =>
    openWireGuard(
      laptop,
      `[Interface]\nPrivateKey = ${ours.privateKey}\nAddress = 10.0.0.2/24
       [Peer]\nPublicKey = ${theirs.publicKey}\nAllowedIPs = 10.0.0.0/24\nEndpoint = ${endpoint}:51820`,
    );
  return { machines, serve, dial };
}

/** Echoes, one a second, until one is answered; how many seconds that took. */
async function answeredAfter(world: World, tunnel: WireGuardTunnel, secondsMax: number): Promise<number> {
  for (let second = 0; second < secondsMax; second++) {
    const answered = await world.finish(
      tunnel.ping("10.0.0.1").then(
        () => true,
        () => false,
      ),
    );
    if (answered) return second;
  }
  return secondsMax;
}

scenario("a peer that moved is found again by its name, when a handshake goes unanswered", 3, async (world) => {
  const { machines, serve, dial } = stage(world);
  world.name("vpn.test", { addresses: ["192.0.2.2"] });
  const first = await serve(machines[0]!);
  const tunnel = await world.finish(dial("vpn.test"));
  assert.equal(await answeredAfter(world, tunnel, 5), 0);

  first.close();
  await serve(machines[1]!);
  world.name("vpn.test", { addresses: ["192.0.2.3"] });
  const seconds = await answeredAfter(world, tunnel, 120);
  // Fifteen until the silence is noticed (§6.2), five for an initiation to go unanswered, five to the next.
  assert.ok(seconds >= 15 && seconds <= 35, `${seconds} s`);
  assert.equal(tunnel.status().peers[0]?.endpoint?.address, "192.0.2.3");
});

scenario("a peer whose address stands in the file is never looked up", 1, async (world) => {
  const { machines, serve, dial } = stage(world);
  const first = await serve(machines[0]!);
  const tunnel = await world.finish(dial("192.0.2.2"));
  assert.equal(await answeredAfter(world, tunnel, 5), 0);
  first.close();
  await serve(machines[1]!);
  assert.equal(await answeredAfter(world, tunnel, 60), 60);
  assert.equal(tunnel.status().peers[0]?.endpoint?.address, "192.0.2.2");
});

scenario("an echo that waits when its tunnel is closed is told so at once, and keeps no alarm", 1, async (world) => {
  const client = world.host("client", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["198.51.100.1"] });
  world.link(client, server);
  const ends = await tunnelBetween(world, client, server);
  assert.ok((await world.finish(ends.client.tunnel.ping("10.0.0.2"))) >= 20);
  const begun = world.elapsed;
  const lost = assert.rejects(ends.client.tunnel.ping("10.0.0.77", { timeoutMs: 60_000 }), { reason: "aborted" });
  await world.run(5);
  ends.client.tunnel.close();
  await world.finish(lost);
  assert.equal(world.elapsed - begun, 5);
  ends.server.tunnel.close();
});
