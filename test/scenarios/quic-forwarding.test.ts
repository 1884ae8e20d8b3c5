import assert from "node:assert/strict";
import { equal } from "../../src/bytes/index.js";
import type { Packet, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import type { LinkEnd } from "../../src/hosts/simulator/link.js";
import { Router } from "../../src/hosts/simulator/node.js";
import { pattern } from "../laws/port.js";
import { ipv4ServerAddress, type QuicPair, type QuicPairOptions, quicPair, startOfTime } from "../support/quic-pair.js";
import { scenario } from "../support/scenario.js";

/**
 * Who sees a client's packets and forwards copies, so that they arrive before the originals (RFC 9000 §9.3.2, §9.3.3): Eve is on the
 * way and lets all pass, Mallory has a shorter way to the server and an address of her own.
 */

const options = { start: startOfTime };
const clientAddress = "192.0.2.1";

class Eve extends Router {
  /** Is a copy of this packet of the client's sent to the server, ahead of it? */
  copies: (packet: Packet) => boolean = () => false;
  mallory!: Mallory;

  override receive(packet: Packet, at: LinkEnd): void {
    const isClients = packet.from.address === clientAddress;
    super.receive(packet, at);
    if (isClients && this.copies(packet)) this.mallory.forward(packet);
  }

  /** To the client, with the server's address on it. */
  spoof(packet: Packet, to: Packet["to"]): void {
    const [end] = this.ends;
    end!.link.carry({ ...packet, from: ipv4ServerAddress, to }, end!);
  }
}

class Mallory extends Router {
  readonly eve: Eve;
  /** Does she hand on to the client what the server sends to her? */
  handsOn = false;
  copies = 0;
  bytesSent = 0;
  bytesReceived = 0;
  /** The most that she was sent for each byte of hers, at any moment. */
  amplification = 0;
  #client: Packet["from"] | undefined;

  constructor(eve: Eve) {
    super("mallory");
    this.eve = eve;
    eve.mallory = this;
  }

  override owns(address?: string): boolean {
    return address === "203.0.113.66";
  }

  override onward(): readonly LinkEnd[] {
    return [];
  }

  forward(packet: Packet): void {
    const [end] = this.ends;
    this.#client = packet.from;
    this.copies++;
    this.bytesSent += packet.bytes.length;
    end!.link.carry({ ...packet, from: { address: "203.0.113.66", port: 6_666 } }, end!);
  }

  override receive(packet: Packet): void {
    this.bytesReceived += packet.bytes.length;
    this.amplification = Math.max(this.amplification, this.bytesReceived / this.bytesSent);
    if (this.handsOn && this.#client !== undefined) this.eve.spoof(packet, this.#client);
  }
}

async function attacked(world: World, more: QuicPairOptions = {}): Promise<QuicPair & { eve: Eve; mallory: Mallory }> {
  const eve = new Eve("eve");
  const mallory = new Mallory(eve);
  const between = (near: SimulatedHost, far: SimulatedHost) => {
    world.link(near, eve, { delayMs: 0 });
    const link = world.link(eve, far, { delayMs: 20 });
    world.link(mallory, far, { delayMs: 2 });
    return link;
  };
  const pair = await quicPair(world, { ...more, between });
  await world.until(() => pair.client.outcome !== undefined && pair.server?.outcome !== undefined);
  await world.run(500);
  return Object.assign(pair, { eve, mallory });
}

/** The server speaks, and says how long until the client has heard all. */
async function speaks(world: World, pair: QuicPair, size: number): Promise<number> {
  const began = world.elapsed;
  const before = pair.client.streams.length;
  const { stream } = pair.server.open({ direction: "unidirectional" });
  const sent = pattern(size, before);
  stream.write(sent);
  stream.finish();
  await world.until(() => pair.client.streams[before]?.isEnded === true || pair.client.isClosed, 60_000);
  assert.ok(equal(pair.client.streams[before]!.all(), sent));
  return world.elapsed - began;
}

async function end(world: World, { client, listener }: QuicPair): Promise<void> {
  client.session.close();
  await world.until(() => client.isClosed);
  await world.finish(listener.closeAll());
}

scenario(
  "one forwarded copy: the old path is asked too, and the connection is back there within a round trip, for both silent",
  [1, 2, 3],
  async (world) => {
    const pair = await attacked(world);
    const { eve, mallory } = pair;
    eve.copies = () => mallory.copies === 0;
    pair.client.session.ping();
    await world.until(() => mallory.copies === 1);
    // The copy is there after 2 ms, the challenge at the client after 22, its word at the server after 42.
    await world.run(45);
    assert.ok((await speaks(world, pair, 1_000)) <= 25);
    await world.run(10_000);
    assert.ok((await speaks(world, pair, 100_000)) <= 500);
    assert.deepEqual(pair.server.session.remote, at(pair));
    assert.ok(!pair.server.told.includes("moved"), "nobody has moved");
    assert.ok(mallory.bytesReceived > 0, "the attack has had its effect");
    assert.ok(mallory.amplification <= 3, `${mallory.amplification}`);
    await end(world, pair);
  },
  options,
);

const at = (pair: QuicPair) => ({ address: clientAddress, port: pair.client.session.local.port });

scenario(
  "every other packet is forwarded ahead in the middle of a transfer: it goes on over the right path",
  [1, 2, 3],
  async (world) => {
    const pair = await attacked(world, { echoes: true });
    const { eve, mallory } = pair;
    eve.copies = () => world.random.below(2) === 0;
    const stream = pair.client.open();
    const sent = pattern(100_000, 3);
    stream.stream.write(sent);
    stream.stream.finish();
    await world.until(() => stream.isEnded || pair.client.isClosed, 60_000);
    assert.ok(equal(stream.all(), sent));
    eve.copies = () => false;
    await speaks(world, pair, 10_000);
    assert.deepEqual(pair.server.session.remote, at(pair));
    assert.ok(mallory.copies > 10 && mallory.bytesReceived > 0);
    await end(world, pair);
  },
  options,
);

for (const handsOn of [false, true]) {
  scenario(
    `all is forwarded ahead for two seconds, and answers are ${handsOn ? "handed on" : "kept"}: the connection lives on, and comes back`,
    [1, 2, 3],
    async (world) => {
      const pair = await attacked(world, { echoes: true });
      const { eve, mallory } = pair;
      mallory.handsOn = handsOn;
      eve.copies = () => true;
      const stream = pair.client.open();
      const sent = pattern(400_000, 4);
      stream.stream.write(sent);
      stream.stream.finish();
      await world.run(2_000);
      assert.ok(mallory.copies > 10);
      // Who hands on challenges and answers is a path that works (§9.3.3: not to be told from a better route).
      if (!handsOn) assert.ok(mallory.amplification <= 3, `${mallory.amplification}`);
      eve.copies = () => false;
      await world.until(() => stream.isEnded || pair.client.isClosed, 60_000);
      assert.ok(equal(stream.all(), sent));
      // Its next word, which comes by the right path alone, brings the server back.
      pair.client.session.ping();
      await world.run(1_000);
      const received = mallory.bytesReceived;
      await speaks(world, pair, 10_000);
      assert.equal(mallory.bytesReceived, received, "nothing more goes to the attacker");
      assert.deepEqual(pair.server.session.remote, at(pair));
      await end(world, pair);
    },
    options,
  );
}

scenario(
  "a packet that somebody sends on to the preferred address does not draw the server there (§9.6.2)",
  [1, 2],
  async (world) => {
    const preferredAddress = { ipv4: { address: "198.51.100.1", port: 8443 } };
    const pair = await attacked(world, { server: { preferredAddress }, client: { preferredAddress: false } });
    pair.eve.copies = () => false;
    let sent = 0;
    pair.link.script((packet) => {
      if (packet.to.port !== 443 || sent > 0) return undefined;
      sent++;
      // The genuine packet, from the client's own address, to another port of the server's.
      const [end] = pair.mallory.ends;
      end!.link.carry({ ...packet, to: preferredAddress.ipv4 }, end!);
      return undefined;
    });
    pair.client.session.ping();
    await world.run(100);
    assert.equal(sent, 1);
    assert.ok((await speaks(world, pair, 1_000)) <= 25);
    assert.ok((await speaks(world, pair, 100_000)) <= 500);
    await end(world, pair);
  },
  options,
);

scenario(
  "an address that proved itself with a small packet is asked again with a large one (§8.2.1)",
  [1, 2],
  async (world) => {
    const pair = await attacked(world);
    const sizes: number[] = [];
    const near = pair.client.session.local.port;
    // A NAT in place of Eve's copies: the client is seen at another port from now on.
    pair.link.script((packet) => {
      if (packet.from.port === 443) sizes.push(packet.bytes.length);
      return undefined;
    });
    pair.eve.receive = rebound(pair.eve, near, 50_000);
    pair.client.session.ping();
    await world.until(() => pair.server.told.includes("moved"));
    const [first] = sizes;
    assert.ok(first! < 200, `three times a small packet: ${sizes}`);
    await world.run(200);
    // Another to the new port, and one to the old: both full, now that there is room.
    assert.equal(sizes.filter((size) => size === 1_200).length >= 2, true, `${sizes}`);
    assert.equal(pair.server.session.remote.port, 50_000);
    await speaks(world, pair, 10_000);
    await end(world, pair);
  },
  options,
);

/** As `eve` receives, with the client's port shown as another to the server. */
function rebound(eve: Eve, inner: number, outer: number): Eve["receive"] {
  const receive = Router.prototype.receive.bind(eve);
  return (packet, end) => {
    const { from, to } = packet;
    if (from.port === inner) receive({ ...packet, from: { ...from, port: outer } }, end);
    else if (to.port === outer) receive({ ...packet, to: { ...to, port: inner } }, end);
    else if (to.port !== inner) receive(packet, end);
  };
}
