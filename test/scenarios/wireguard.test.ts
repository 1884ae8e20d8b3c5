import assert from "node:assert/strict";
import type { LinkOptions, Packet, World } from "../../src/hosts/simulator/index.js";
import { scenario } from "../support/scenario.js";
import { DatagramFlow, Transfer, type TunnelEnd, tunnelBetween } from "../support/tunnel-world.js";

const MiB = 1 << 20;

async function twoHosts(world: World, link: LinkOptions = {}, bothKnow = false) {
  const client = world.host("client", { addresses: ["192.0.2.1"] });
  const server = world.host("server", { addresses: ["192.0.2.2"] });
  const wire = world.link(client, server, { delayMs: 20, ...link });
  return { wire, ...(await tunnelBetween(world, client, server, { bothKnow })) };
}

const messageType = (packet: Packet): number => packet.bytes[0]!;

/** Milliseconds to the answer of an echo, or undefined if there was none in a second. */
const echo = (world: World, from: TunnelEnd, to: string, timeoutMs = 1_000): Promise<number | undefined> =>
  world.finish(from.tunnel.ping(to, { timeoutMs }).catch(() => undefined));

const handshakes = ({ tunnel }: TunnelEnd): number => tunnel.status().peers[0]!.handshakes;
const publicKeyOf = ({ tunnel }: TunnelEnd): Uint8Array => tunnel.status().peers[0]!.publicKey;
const wasDropped = ({ tunnel }: TunnelEnd): Record<string, number> =>
  Object.fromEntries(Object.entries(tunnel.status().drops).filter(([, count]) => count > 0));

async function lostNothing(world: World, ...flows: readonly DatagramFlow[]): Promise<void> {
  for (const flow of flows) flow.stop();
  await world.run(1_000);
  for (const { sent, received, disordered } of flows)
    assert.deepEqual({ received, disordered }, { received: sent, disordered: 0 });
}

for (const [what, link] of Object.entries({
  lost: { loss: { in: 1, of: 3 } },
  duplicated: { duplication: { in: 1, of: 2 } },
  reordered: { reordering: { in: 1, of: 2 }, reorderMs: 6_000 },
  "lost, duplicated and reordered": {
    loss: { in: 1, of: 4 },
    duplication: { in: 1, of: 4 },
    reordering: { in: 1, of: 4 },
    reorderMs: 5_100,
  },
} satisfies Record<string, LinkOptions>)) {
  scenario(`handshake messages are ${what}, and the peers still meet`, 10, async (world) => {
    const { client, server, wire } = await twoHosts(world, {}, true);
    wire.script((packet) => (messageType(packet) === 4 ? "deliver" : undefined));
    wire.set(link);
    for (const end of [client, server]) end.tunnel.handle({ kind: "initiate", publicKey: publicKeyOf(end) });
    await world.run(90_000);
    wire.set({ loss: { in: 0, of: 1 }, duplication: { in: 0, of: 1 }, reordering: { in: 0, of: 1 } });
    await world.run(10_000);
    assert.ok(handshakes(client) > 0 && handshakes(server) > 0);
    for (const [from, to] of [
      [client, "10.0.0.2"],
      [server, "fd00::1"],
    ] as const) {
      assert.equal(await echo(world, from, to), 40);
    }
  });
}

scenario("a response that comes after the next initiation opens nothing, and the next one does", 3, async (world) => {
  const { client, wire } = await twoHosts(world);
  let held = 0;
  wire.script((packet) => (messageType(packet) === 2 && held++ === 0 ? { delayMs: 5_500 } : undefined));
  client.tunnel.handle({ kind: "initiate", publicKey: publicKeyOf(client) });
  await world.run(10_000);
  assert.equal(handshakes(client), 1);
  assert.equal(wasDropped(client)["unknown-index"], 1);
  assert.equal(await echo(world, client, "10.0.0.2"), 40);
});

scenario("keys are renewed under traffic, five times, and no datagram is lost", 2, async (world) => {
  const { client, server } = await twoHosts(world);
  const there = await DatagramFlow.start(client, server, "10.0.0.2", 50);
  await world.run(1_000);
  const back = await DatagramFlow.start(server, client, "fd00::1", 50);
  await world.run(610_000);
  assert.equal(handshakes(client), 6);
  await lostNothing(world, there, back);
  assert.deepEqual({ ...wasDropped(client), ...wasDropped(server) }, {});
});

scenario(
  "both ends renew their keys in the same instant, or nearly, and no datagram is lost",
  12,
  async (world, seed) => {
    const { client, server } = await twoHosts(world, {}, true);
    const there = await DatagramFlow.start(client, server, "10.0.0.2", 3);
    const back = await DatagramFlow.start(server, client, "fd00::1", 3);
    for (let i = 0; i < 3; i++) {
      await world.run(5_500);
      client.tunnel.handle({ kind: "initiate", publicKey: publicKeyOf(client) });
      // From the same instant to a little more than a one-way trip.
      await world.run(((seed - 1) * 25) / 11);
      server.tunnel.handle({ kind: "initiate", publicKey: publicKeyOf(server) });
    }
    await world.run(5_000);
    assert.ok(handshakes(client) >= 4 && handshakes(server) >= 4);
    await lostNothing(world, there, back);
  },
);

scenario("a NAT forgets and takes new ports and addresses mid-transfer, and nothing is lost", 3, async (world) => {
  const client = world.host("client", { addresses: ["10.9.0.2"] });
  const nat = world.nat("nat", { addresses: ["203.0.113.1", "203.0.113.2", "203.0.113.3"] });
  const server = world.host("server", { addresses: ["198.51.100.1"] });
  world.link(client, nat.inside, { delayMs: 1 });
  world.link(nat.outside, server, { delayMs: 20, bitsPerSecond: 10_000_000, queueBytes: 8 * MiB });
  const ends = await tunnelBetween(world, client, server);
  const [inner, outer] = [ends.client.tunnel.network, ends.server.tunnel.network];
  const up = await Transfer.start(inner, outer, "10.0.0.2", 16 * MiB);
  const datagrams = await DatagramFlow.start(ends.client, ends.server, "10.0.0.2", 10);
  const down = await Transfer.start(outer, inner, "10.0.0.1", 16 * MiB);
  for (let i = 0; i < 6; i++) {
    await world.run(2_000);
    nat.rebind({ newAddress: i % 2 === 0 });
  }
  await up.arrives(world);
  await down.arrives(world);
  await lostNothing(world, datagrams);
  const moves = ends.server.events.flatMap((event) => (event.kind === "moved" ? [event.to] : []));
  assert.ok(moves.length >= 6, `${moves.length} moves`);
  assert.ok(new Set(moves.map(({ address }) => address)).size >= 3);
  assert.equal(handshakes(ends.server), handshakes(ends.client), "roaming takes no handshake of its own");
});

scenario("a receiver behind a NAT that forgot is found again by its keepalive", 3, async (world) => {
  const client = world.host("client", { addresses: ["10.9.0.2"] });
  const nat = world.nat("nat", { addresses: ["203.0.113.1"], idleMs: 30_000 });
  const server = world.host("server", { addresses: ["198.51.100.1"] });
  world.link(client, nat.inside, { delayMs: 1 });
  world.link(nat.outside, server, { delayMs: 20 });
  const ends = await tunnelBetween(world, client, server, { keepalive: 25 });
  await world.run(120_000);
  assert.equal(await echo(world, ends.server, "10.0.0.1"), 42, "the mapping is kept open");
  nat.rebind();
  assert.equal(await echo(world, ends.server, "10.0.0.1"), undefined, "nobody knows the new port yet");
  await world.run(25_000);
  assert.equal(await echo(world, ends.server, "10.0.0.1"), 42);
});

scenario("clocks jump forward on either end or both, and the transfer goes on", 3, async (world, seed) => {
  const { client, server } = await twoHosts(world, { bitsPerSecond: 10_000_000 }, true);
  const transfer = await Transfer.start(client.tunnel.network, server.tunnel.network, "10.0.0.2", 16 * MiB);
  const jumps = [1_000, 60_000, 119_000, 200_000, 3_600_000, 86_400_000];
  for (const [i, jump] of jumps.entries()) {
    await world.run(2_000);
    if ((i + seed) % 3 !== 1) client.host.advanceClock(jump);
    if ((i + seed) % 3 !== 2) server.host.advanceClock(jump);
  }
  await transfer.arrives(world);
});

scenario("clocks that differ by a day from the start do not matter", 2, async (world, seed) => {
  const client = world.host("client", {
    addresses: ["192.0.2.1"],
    clockAheadMs: seed === 1 ? -86_400_000 : 86_400_000,
  });
  const server = world.host("server", { addresses: ["192.0.2.2"] });
  world.link(client, server, { delayMs: 20 });
  const ends = await tunnelBetween(world, client, server, { bothKnow: true });
  const transfer = await Transfer.start(ends.server.tunnel.network, ends.client.tunnel.network, "10.0.0.1", MiB);
  await transfer.arrives(world);
});

scenario("a host that sleeps for hours wakes into a tunnel that works", 3, async (world) => {
  const { client, wire } = await twoHosts(world);
  assert.equal(typeof (await echo(world, client, "10.0.0.2")), "number");
  wire.down();
  await world.run(1_000);
  client.host.advanceClock(6 * 3_600_000);
  await world.run(1_000);
  wire.up();
  let answered: number | undefined;
  for (let i = 0; i < 7 && answered === undefined; i++) answered = await echo(world, client, "10.0.0.2");
  assert.ok(answered !== undefined);
});

for (const family of ["10.0.0.2", "fd00::2"]) {
  scenario(`a path outside that swallows large packets is found out by TCP inside, to ${family}`, 3, async (world) => {
    const { client, server, wire } = await twoHosts(world, { bitsPerSecond: 20_000_000 });
    // 1,420 bytes inside are 1,480 outside.
    wire.set({ mtu: 1_400, isBlackHole: true });
    const transfer = await Transfer.start(client.tunnel.network, server.tunnel.network, family, 4 * MiB);
    await transfer.arrives(world, 30_000);
    assert.ok(wire.counters.tooBig > 0);
    // The next connection knows already.
    const before = wire.counters.tooBig;
    const again = await Transfer.start(client.tunnel.network, server.tunnel.network, family, MiB, 7_001);
    await again.arrives(world, 10_000);
    assert.equal(wire.counters.tooBig, before);
  });
}

scenario("a path that narrows in the middle of a transfer is found out too", 3, async (world) => {
  const { client, server, wire } = await twoHosts(world, { bitsPerSecond: 20_000_000 });
  const transfer = await Transfer.start(client.tunnel.network, server.tunnel.network, "10.0.0.2", 12 * MiB);
  await world.run(2_000);
  wire.set({ mtu: 1_380, isBlackHole: true });
  await transfer.arrives(world, 60_000);
});

scenario("an outage is not taken for a narrow path for long", 3, async (world) => {
  const { client, server, wire } = await twoHosts(world, { bitsPerSecond: 20_000_000 });
  const transfer = await Transfer.start(client.tunnel.network, server.tunnel.network, "10.0.0.2", 12 * MiB);
  await world.run(2_000);
  wire.down();
  await world.run(4_000);
  wire.up();
  await world.run(3_000);
  let largest = 0;
  wire.script((packet) => {
    largest = Math.max(largest, packet.bytes.length);
    return undefined;
  });
  await transfer.arrives(world, 60_000);
  assert.equal(largest, 1_420 + 32);
});
