import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { SocketAddress } from "../../src/contract/index.js";
import type { LinkOptions, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import {
  type ControllerName,
  type CurveCpClientOptions,
  type CurveCpListener,
  type CurveCpServerOptions,
  type CurveCpSession,
  type CurveCpSink,
  connect,
  controllerNames,
  listen,
} from "../../src/protocols/curvecp/index.js";
import { clientIdentity, pattern, serverIdentity } from "../support/curvecp-pair.js";
import { scenario } from "../support/scenario.js";

const port = 4_434;
const server: SocketAddress = { address: "198.51.100.1", port };

/** What one end heard. */
class Ear implements CurveCpSink {
  readonly #hash = createHash("sha256");
  size = 0;
  ended_ = false;
  closed_: string | undefined;
  moves = 0;
  onSize: (() => void) | undefined;

  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  bytes(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.size += bytes.length;
    this.onSize?.();
  }

  ended(): void {
    this.ended_ = true;
  }

  drained(): void {}

  moved(): void {
    this.moves++;
  }

  closed(failure?: { readonly reason: string }): void {
    this.closed_ = failure?.reason ?? "well";
  }
}

interface Talk {
  readonly client: CurveCpSession;
  readonly clientEar: Ear;
  readonly listener: CurveCpListener;
  readonly accepted: { readonly session: CurveCpSession; readonly ear: Ear }[];
}

interface TalkOptions {
  readonly client?: Partial<CurveCpClientOptions>;
  readonly server?: Partial<CurveCpServerOptions>;
}

async function talk(a: SimulatedHost, b: SimulatedHost, options: TalkOptions = {}): Promise<Talk> {
  const accepted: { session: CurveCpSession; ear: Ear }[] = [];
  const listener = await listen(b, server, { identity: serverIdentity, ...options.server }, (session) => {
    const ear = new Ear();
    accepted.push({ session, ear });
    return ear;
  });
  const clientEar = new Ear();
  const client = connect(
    a,
    server,
    { serverKey: serverIdentity.publicKey, identity: clientIdentity, ...options.client },
    clientEar,
  );
  return { client, clientEar, listener, accepted };
}

function hosts(world: World, link: LinkOptions): [SimulatedHost, SimulatedHost, ReturnType<World["link"]>] {
  const a = world.host("client", { addresses: ["192.0.2.1"] });
  const b = world.host("server", { addresses: [server.address] });
  return [a, b, world.link(a, b, link)];
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Both ways at once, each end at its own pace, and both closed well. */
async function exchange(
  world: World,
  { client, clientEar, accepted }: Talk,
  size: number,
  seed: number,
): Promise<void> {
  const [up, down] = [pattern(size, seed), pattern(Math.floor(size / 2), seed + 1)];
  client.write(up);
  client.finish();
  await world.until(() => accepted.length === 1);
  const { session, ear } = accepted[0]!;
  session.write(down);
  session.finish();
  await world.until(() => clientEar.closed_ !== undefined && ear.closed_ !== undefined);
  assert.deepEqual([clientEar.closed_, ear.closed_], ["well", "well"]);
  assert.ok(clientEar.ended_ && ear.ended_);
  assert.equal(ear.digest(), digest(up));
  assert.equal(clientEar.digest(), digest(down));
}

const links: Readonly<Record<string, LinkOptions>> = {
  "a tenth of all packets lost": { loss: { in: 10, of: 100 } },
  "packets out of order": { reordering: { in: 20, of: 100 }, jitterMs: 5 },
  "packets that come twice": { duplication: { in: 20, of: 100 } },
  "packets with a bit flipped": { corruption: { in: 10, of: 100 } },
  "round trips of a second": { delayMs: 500, loss: { in: 1, of: 100 } },
  "a narrow pipe with a short queue": { bitsPerSecond: 2_000_000, queueBytes: 20_000, delayMs: 30 },
  "no packet larger than IPv6 must carry": { mtu: 1_280 },
  "all of it": {
    loss: { in: 3, of: 100 },
    reordering: { in: 5, of: 100 },
    duplication: { in: 5, of: 100 },
    corruption: { in: 2, of: 100 },
    jitterMs: 10,
  },
};

for (const [what, link] of Object.entries(links)) {
  scenario(`CurveCP: a stream each way over ${what}`, 3, async (world, seed) => {
    const [a, b] = hosts(world, link);
    await exchange(world, await talk(a, b), 150_000, seed);
  });
}

for (const congestionControl of controllerNames) {
  scenario(`CurveCP: ${congestionControl} finds its way through loss`, 2, async (world, seed) => {
    const [a, b] = hosts(world, { loss: { in: 2, of: 100 }, bitsPerSecond: 8_000_000 });
    const how: { congestionControl: ControllerName } = { congestionControl };
    await exchange(world, await talk(a, b, { client: how, server: how }), 100_000, seed);
  });
}

for (const side of ["client", "server"] as const) {
  scenario(
    `CurveCP: the client goes on from another port while the ${side} sends, and nothing is lost`,
    5,
    async (world, seed) => {
      const [a, b] = hosts(world, { bitsPerSecond: 4_000_000, loss: { in: 1, of: 100 } });
      const { client, clientEar, accepted } = await talk(a, b);
      client.write(new Uint8Array(1));
      await world.until(() => accepted.length === 1);
      const { session, ear } = accepted[0]!;
      const [sender, hearer] = side === "client" ? [client, ear] : [session, clientEar];
      const data = pattern(400_000, seed);
      sender.write(data);
      const before = session.remote;
      await world.until(() => hearer.size > 100_000);
      await client.migrate();
      await world.until(() => hearer.size >= 400_000);
      client.finish();
      session.finish();
      await world.until(() => clientEar.closed_ !== undefined && ear.closed_ !== undefined);
      assert.notEqual(session.remote.port, before.port);
      assert.ok(ear.moves >= 1 && clientEar.moves >= 1);
      const expected = side === "client" ? new Uint8Array([0, ...data]) : data;
      assert.equal(hearer.digest(), digest(expected));
    },
  );
}

scenario(
  "CurveCP: the client's address changes too, and a client that only listens says where it is",
  3,
  async (world, seed) => {
    const a = world.host("client", { addresses: ["192.0.2.1", "192.0.2.7"] });
    const b = world.host("server", { addresses: [server.address] });
    world.link(a, b, { bitsPerSecond: 4_000_000 });
    const { client, clientEar, accepted } = await talk(a, b);
    await world.until(() => client.outcome !== undefined);
    await world.until(() => accepted.length === 1);
    const { session } = accepted[0]!;
    const data = pattern(300_000, seed);
    session.write(data);
    session.finish();
    await world.until(() => clientEar.size > 50_000);
    await client.migrate({ address: "192.0.2.7", port: 0 });
    await world.until(() => clientEar.ended_);
    assert.equal(session.remote.address, "192.0.2.7");
    assert.equal(clientEar.digest(), digest(data));
  },
);

scenario("CurveCP: one direction ends, and the other goes on for as long as it likes", 3, async (world, seed) => {
  const [a, b] = hosts(world, { loss: { in: 5, of: 100 } });
  const { client, clientEar, accepted } = await talk(a, b);
  client.finish();
  await world.until(() => accepted[0]?.ear.ended_ === true);
  const { session } = accepted[0]!;
  for (let i = 0; i < 5; i++) {
    session.write(pattern(10_000, seed + i));
    await world.run(60_000);
  }
  session.finish();
  await world.until(() => clientEar.closed_ !== undefined);
  assert.equal(clientEar.closed_, "well");
  assert.equal(clientEar.size, 50_000);
});

scenario(
  "CurveCP: Hellos go to one address after another, with waits that grow, until one answers",
  5,
  async (world) => {
    const [a, b, link] = hosts(world, { delayMs: 10 });
    const sent: number[] = [];
    link.script = () => {
      sent.push(world.elapsed);
      return undefined;
    };
    const elsewhere = ["198.51.100.7", "198.51.100.8"].map((address) => ({ address, port }));
    for (const { address } of elsewhere)
      world.link(a, world.host(address, { addresses: [address] }), { loss: { in: 1, of: 1 } });
    const { client, clientEar } = await talk(a, b, { client: { alternates: elsewhere } });
    await world.until(() => client.outcome !== undefined);
    assert.equal(client.remote.address, server.address);
    assert.ok(world.elapsed < 11_000, "three addresses, two waits at the most before the right one");
    client.finish();
    await world.run(1_000);
    assert.equal(clientEar.closed_, undefined, "the server has not ended");
  },
);

scenario("CurveCP: where nobody answers, a client gives up after eight Hellos", 2, async (world) => {
  const [a, b] = hosts(world, { loss: { in: 1, of: 1 } });
  const { client, clientEar } = await talk(a, b);
  await world.until(() => clientEar.closed_ !== undefined);
  assert.equal(clientEar.closed_, "no-answer");
  assert.equal(client.statistics.packetsSent, 8);
  assert.ok(world.elapsed > 49_000 && world.elapsed < 99_000, `${world.elapsed}`);
});

scenario("CurveCP: a hundred clients on one port, each with its own stream", 1, async (world) => {
  const [a, b] = hosts(world, { loss: { in: 1, of: 100 } });
  const heard = new Map<string, string>();
  const listener = await listen(b, server, { identity: serverIdentity }, (session) => {
    const ear = new Ear();
    const finish = ear.ended.bind(ear);
    ear.ended = () => {
      finish();
      heard.set(`${session.remote.port}`, ear.digest());
      session.write(new Uint8Array(1));
      session.finish();
    };
    return ear;
  });
  const ears = Array.from({ length: 100 }, (_, i) => {
    const ear = new Ear();
    const session = connect(a, server, { serverKey: serverIdentity.publicKey }, ear);
    session.write(pattern(3_000, i));
    session.finish();
    return ear;
  });
  await world.until(() => ears.every(({ closed_ }) => closed_ === "well"));
  assert.deepEqual([...heard.values()].sort(), ears.map((_, i) => digest(pattern(3_000, i))).sort());
  await world.run(5_000);
  assert.equal(listener.sessions, 0);
});
