import assert from "node:assert/strict";
import { toBase64 } from "../../src/bytes/index.js";
import { Secret } from "../../src/contract/index.js";
import type { SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import { WireGuard } from "../../src/protocols/wireguard/index.js";
import { openWireGuard, type WireGuardTunnel } from "../../src/tunnels/index.js";
import { scenario } from "../support/scenario.js";

interface Pair {
  readonly privateKey: string;
  readonly publicKey: string;
}

function newPair(host: SimulatedHost): Pair {
  const { crypto, entropy } = host;
  const key = entropy.fill(new Uint8Array(32));
  const { publicKey } = new WireGuard({ crypto, entropy, privateKey: Secret.copy(key) }, host.now());
  return { privateKey: toBase64(key), publicKey: toBase64(publicKey) };
}

/** A laptop, and two machines of which either can be the office that vpn.test names. */
function stage(world: World) {
  const laptop = world.host("laptop", { addresses: ["192.0.2.1"] });
  const router = world.router("router");
  const machines = ["192.0.2.2", "192.0.2.3"].map((address) => world.host(address, { addresses: [address] }));
  for (const each of [laptop, ...machines]) world.link(each, router, { delayMs: 10 });
  const [ours, theirs] = [newPair(laptop), newPair(laptop)];
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
