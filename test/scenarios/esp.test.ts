import assert from "node:assert/strict";
import { parsePrefix } from "../../src/bytes/index.js";
import type { SocketAddress } from "../../src/contract/index.js";
import type { LinkOptions, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import { dropReasons } from "../../src/protocols/esp/failure.js";
import type { AssociationPair, EspEvent } from "../../src/protocols/esp/index.js";
import { type EspTunnel, openEsp } from "../../src/tunnels/esp.js";
import { inside, pairOf } from "../support/esp-pair.js";
import { scenario } from "../support/scenario.js";
import { DatagramFlow, type FlowEnd, Transfer } from "../support/tunnel-world.js";

const MiB = 1 << 20;
type Name = "a" | "b";

interface End extends FlowEnd {
  readonly name: Name;
  readonly tunnel: EspTunnel;
  readonly events: EspEvent[];
  /** Where packets go outside, as its pairs have it. */
  readonly peer: SocketAddress;
}

type Terms = Pick<AssociationPair, "follows" | "lifetime">;

async function open(world: World, name: Name, host: SimulatedHost, to: string, terms: Terms = {}): Promise<End> {
  const events: EspEvent[] = [];
  const peer = { address: to, port: 4_500 };
  const tunnel = await world.finish(
    openEsp(host, {
      local: { address: host.addressOn("eth0", 4)!, port: 4_500 },
      addresses: inside[name].map((text) => parsePrefix(`${text}/${text.includes(":") ? 64 : 24}`)!),
      pairs: [pairOf(name, { peer, ...terms })],
      on: (event) => void events.push(event),
    }),
  );
  return { name, host, tunnel, events, peer };
}

async function twoHosts(world: World, link: LinkOptions = {}, terms: Terms = {}) {
  const hosts = { a: world.host("a", { addresses: ["192.0.2.1"] }), b: world.host("b", { addresses: ["192.0.2.2"] }) };
  const wire = world.link(hosts.a, hosts.b, { delayMs: 20, ...link });
  const a = await open(world, "a", hosts.a, "192.0.2.2", terms);
  const b = await open(world, "b", hosts.b, "192.0.2.1", terms);
  return { wire, a, b };
}

const spi = ({ name }: End, generation: number): number => pairOf(name, { generation }).spiIn;

/** One end takes the next pair, as a key exchange would give it. */
function install(end: End, generation: number, begins: AssociationPair["begins"], terms: Terms = {}): void {
  const replaces = spi(end, generation - 1);
  const pair = pairOf(end.name, { generation, replaces, begins, peer: end.peer, ...terms });
  end.tunnel.handle({ kind: "install", pair });
}

/** A renewal as IKE does it (RFC 7296 §2.8): who answers has the keys first, and who asked deletes the old pair when it has them. */
async function renew(world: World, asks: End, answers: End, generation: number, terms: Terms = {}): Promise<void> {
  install(answers, generation, "when-received", terms);
  await world.run(20);
  install(asks, generation, "at-once", terms);
  asks.tunnel.handle({ kind: "remove", spiIn: spi(asks, generation - 1), gently: true });
  await world.run(20);
  answers.tunnel.handle({ kind: "remove", spiIn: spi(answers, generation - 1), gently: true });
}

/** By ESP; what the stacks inside drop of late segments is theirs. */
const wasDropped = (...ends: readonly End[]): Record<string, number> =>
  Object.fromEntries(
    dropReasons.flatMap((reason) => {
      const count = ends.reduce((sum, { tunnel }) => sum + tunnel.status().drops[reason]!, 0);
      return count === 0 ? [] : [[reason, count]];
    }),
  );

const echo = (world: World, from: End, to: string): Promise<number | undefined> =>
  world.finish(from.tunnel.ping(to, { timeoutMs: 1_000 }).catch(() => undefined));

/** Each datagram came, and none twice. */
async function allCame(world: World, ...flows: readonly DatagramFlow[]): Promise<void> {
  for (const flow of flows) flow.stop();
  await world.run(2_000);
  for (const { sent, received } of flows) {
    assert.ok(sent > 0);
    assert.equal(received, sent);
  }
}

for (const [what, link] of Object.entries({
  loses: { loss: { in: 1, of: 50 } },
  repeats: { duplication: { in: 1, of: 5 } },
  reorders: { reordering: { in: 1, of: 20 }, reorderMs: 15 },
  "loses, repeats and reorders": {
    loss: { in: 1, of: 100 },
    duplication: { in: 1, of: 10 },
    reordering: { in: 1, of: 30 },
    reorderMs: 30,
  },
} satisfies Record<string, LinkOptions>)) {
  scenario(`over a line that ${what}, with new keys five times, both transfers arrive whole`, 5, async (world) => {
    const { a, b } = await twoHosts(world, { bitsPerSecond: 50_000_000, queueBytes: MiB, ...link });
    const up = await Transfer.start(a.tunnel.network, b.tunnel.network, inside.b[0], 4 * MiB);
    const down = await Transfer.start(b.tunnel.network, a.tunnel.network, inside.a[1], 4 * MiB);
    for (let generation = 1; generation <= 5; generation++) {
      await world.run(100);
      const [asks, answers] = generation % 2 === 0 ? [a, b] : [b, a];
      await renew(world, asks, answers, generation);
    }
    await up.arrives(world);
    await down.arrives(world);
    for (const end of [a, b]) assert.equal(end.tunnel.pairs().find(({ sends }) => sends)?.spiIn, spi(end, 5));
    const { replayed = 0, ...others } = wasDropped(a, b);
    assert.equal(replayed > 0, "duplication" in link);
    assert.deepEqual(others, {});
  });
}

scenario(
  "each datagram comes, and once, while keys change every half second on a line that repeats and reorders",
  5,
  async (world) => {
    const { a, b } = await twoHosts(world, {
      duplication: { in: 1, of: 4 },
      reordering: { in: 1, of: 4 },
      reorderMs: 200,
    });
    const there = await DatagramFlow.start(a, b, inside.b[0], 3);
    const back = await DatagramFlow.start(b, a, inside.a[1], 3);
    for (let generation = 1; generation <= 10; generation++) {
      await world.run(460);
      await renew(world, a, b, generation);
    }
    await allCame(world, there, back);
    assert.deepEqual(Object.keys(wasDropped(a, b)), ["replayed"]);
  },
);

scenario("who renews when it is told to goes on for a day; who does not stops at the hard limit", 1, async (world) => {
  const lifetime = { soft: { seconds: 3_000 }, hard: { seconds: 3_600 } };
  const { a, b } = await twoHosts(world, {}, { lifetime });
  const there = await DatagramFlow.start(a, b, inside.b[0], 1_000);
  const told = (): number => a.events.filter(({ kind }) => kind === "expiring").length;
  for (let generation = 1; generation <= 28; generation++) {
    await world.until(() => told() === generation, 3_100_000);
    await renew(world, a, b, generation, { lifetime });
  }
  await allCame(world, there);
  assert.ok(there.sent > 80_000);
  assert.ok(![...a.events, ...b.events].some(({ kind }) => kind === "expired"));
  assert.equal(await echo(world, a, inside.b[0]), 40);
  await world.run(3_700_000);
  for (const end of [a, b]) {
    assert.deepEqual(end.events.at(-1), { kind: "expired", spiIn: spi(end, 28), limit: "seconds" });
    assert.deepEqual(end.tunnel.pairs(), []);
  }
  assert.equal(await echo(world, a, inside.b[0]), undefined);
});

/** `a` behind a NAT, `b` outside, which finds it by where its packets come from (RFC 7296 §2.23). */
async function behindNat(world: World, idleMs?: number) {
  const client = world.host("client", { addresses: ["10.9.0.2"] });
  const nat = world.nat("nat", {
    addresses: ["203.0.113.1", "203.0.113.2", "203.0.113.3"],
    ...(idleMs !== undefined && { idleMs }),
  });
  const server = world.host("server", { addresses: ["198.51.100.1"] });
  world.link(client, nat.inside, { delayMs: 1 });
  world.link(nat.outside, server, { delayMs: 20, bitsPerSecond: 10_000_000, queueBytes: 8 * MiB });
  const b = await open(world, "b", server, "203.0.113.1", { follows: true });
  const a = await open(world, "a", client, "198.51.100.1");
  return { nat, a, b };
}

scenario("a NAT forgets and takes new ports and addresses mid-transfer, and all arrives", 3, async (world) => {
  const { nat, a, b } = await behindNat(world);
  const up = await Transfer.start(a.tunnel.network, b.tunnel.network, inside.b[0], 8 * MiB);
  const datagrams = await DatagramFlow.start(a, b, inside.b[0], 10);
  await world.run(500);
  const down = await Transfer.start(b.tunnel.network, a.tunnel.network, inside.a[0], 8 * MiB);
  for (let i = 0; i < 6; i++) {
    await world.run(1_000);
    nat.rebind({ newAddress: i % 2 === 0 });
  }
  await up.arrives(world);
  await down.arrives(world);
  await allCame(world, datagrams);
  const moves = b.events.flatMap((event) => (event.kind === "moved" ? [event.to] : []));
  assert.ok(moves.length >= 7, `${moves.length} moves`);
  assert.ok(new Set(moves.map(({ address }) => address)).size >= 3);
  assert.equal(a.events.length, 0);
});

scenario("keepalives hold a mapping open, and as anybody may send them move nobody", 3, async (world) => {
  const { nat, a, b } = await behindNat(world, 30_000);
  assert.ok((await echo(world, a, inside.b[0])) !== undefined);
  await world.run(120_000);
  assert.ok((await echo(world, b, inside.a[0])) !== undefined, "the mapping is kept open");
  nat.rebind();
  await world.run(25_000);
  assert.equal(await echo(world, b, inside.a[0]), undefined, "a keepalive came from the new port, and nothing else");
  assert.equal(b.events.filter(({ kind }) => kind === "moved").length, 1);
  assert.ok((await echo(world, a, inside.b[0])) !== undefined);
  assert.ok((await echo(world, b, inside.a[0])) !== undefined);
});
