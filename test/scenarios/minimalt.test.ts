import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { SessionStreamSink, SocketAddress } from "../../src/contract/index.js";
import type { LinkOptions, SimulatedHost, World } from "../../src/hosts/simulator/index.js";
import {
  connect,
  controllerNames,
  listen,
  type MinimaltClientOptions,
  type MinimaltListener,
  type MinimaltServerOptions,
  type MinimaltSession,
  type MinimaltSink,
  type MinimaltStream,
  makeCertificate,
  publish,
  RecordMemory,
} from "../../src/protocols/minimalt/index.js";
import { authority, authorityKey, pattern, serverIdentity, userIdentity } from "../support/minimalt-pair.js";
import { scenario } from "../support/scenario.js";

const server: SocketAddress = { address: "198.51.100.1", port: 4_435 };
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What one end of a connection heard. */
class Ear implements SessionStreamSink {
  readonly #hash = createHash("sha256");
  size = 0;
  ended_ = false;
  closed_: string | undefined;
  stream: MinimaltStream | undefined;

  digest(): string {
    return this.#hash.copy().digest("hex");
  }

  bytes(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.size += bytes.length;
  }

  ended(): void {
    this.ended_ = true;
  }

  drained(): void {}

  closed(failure?: { readonly reason: string }): void {
    this.closed_ = failure?.reason ?? "well";
  }
}

/** What one end of a session heard. */
class Host implements MinimaltSink {
  readonly ears: Ear[] = [];
  closed_: string | undefined;
  moves = 0;
  keys = 0;

  stream(stream: MinimaltStream): Ear {
    const ear = new Ear();
    ear.stream = stream;
    this.ears.push(ear);
    return ear;
  }

  moved(): void {
    this.moves++;
  }

  keyUpdated(): void {
    this.keys++;
  }

  closed(failure?: { readonly reason: string }): void {
    this.closed_ = failure?.reason ?? "well";
  }
}

interface Talk {
  readonly client: MinimaltSession;
  readonly near: Host;
  readonly listener: MinimaltListener;
  readonly accepted: { readonly session: MinimaltSession; readonly far: Host }[];
}

async function talk(
  a: SimulatedHost,
  b: SimulatedHost,
  options: { client?: Partial<MinimaltClientOptions>; server?: Partial<MinimaltServerOptions> } = {},
): Promise<Talk> {
  const accepted: { session: MinimaltSession; far: Host }[] = [];
  const listener = await listen(b, server, { identity: serverIdentity, ...options.server }, (session) => {
    const far = new Host();
    accepted.push({ session, far });
    return far;
  });
  const near = new Host();
  const known = { serverKey: serverIdentity.publicKey, record: listener.record };
  return { client: connect(a, server, { ...known, ...options.client }, near), near, listener, accepted };
}

function hosts(world: World, link: LinkOptions): [SimulatedHost, SimulatedHost, ReturnType<World["link"]>] {
  const a = world.host("client", { addresses: ["192.0.2.1"] });
  const b = world.host("server", { addresses: [server.address] });
  return [a, b, world.link(a, b, link)];
}

/** Three connections at once, each with bytes both ways, and the tunnel closed well. */
async function exchange(world: World, { client, near, accepted }: Talk, size: number, seed: number): Promise<void> {
  const up = [0, 1, 2].map((i) => pattern(size, seed + i));
  const down = pattern(Math.floor(size / 2), seed + 7);
  const ears = up.map((bytes) => {
    const ear = new Ear();
    const stream = client.openStream(ear, { service: "echo" });
    stream.write(bytes);
    stream.finish();
    return ear;
  });
  await world.until(() => accepted[0]?.far.ears.length === 3);
  const { far, session } = accepted[0]!;
  for (const { stream } of far.ears) {
    assert.equal(stream!.service, "echo");
    stream!.write(down);
    stream!.finish();
  }
  await world.until(() => [...ears, ...far.ears].every(({ closed_ }) => closed_ !== undefined));
  assert.deepEqual(
    far.ears.map((ear) => ear.digest()),
    up.map(digest),
  );
  for (const ear of ears) assert.deepEqual([ear.digest(), ear.closed_], [digest(down), "well"]);
  client.close();
  await world.until(() => near.closed_ !== undefined && far.closed_ !== undefined);
  assert.deepEqual([near.closed_, far.closed_, session.failure], ["well", "well", undefined]);
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
  scenario(`MinimaLT: three connections in a tunnel over ${what}`, 5, async (world, seed) => {
    const [a, b] = hosts(world, link);
    await exchange(world, await talk(a, b), 60_000, seed);
  });
}

for (const congestionControl of controllerNames) {
  scenario(`MinimaLT: ${congestionControl} finds its way through loss`, 2, async (world, seed) => {
    const [a, b] = hosts(world, { loss: { in: 2, of: 100 }, bitsPerSecond: 8_000_000 });
    const how = { congestionControl };
    await exchange(world, await talk(a, b, { client: how, server: how }), 60_000, seed);
  });
}

scenario("MinimaLT: a request and its answer take one round trip, the first packet included", 1, async (world) => {
  const [a, b] = hosts(world, { delayMs: 100 });
  const { client, accepted } = await talk(a, b);
  const ear = new Ear();
  client.openStream(ear).write(new Uint8Array(500));
  await world.until(() => accepted[0]?.far.ears[0]?.size === 500);
  assert.ok(world.elapsed < 110, `${world.elapsed}`);
  accepted[0]!.far.ears[0]!.stream!.write(new Uint8Array(300));
  await world.until(() => ear.size === 300);
  assert.ok(world.elapsed < 215, `${world.elapsed}`);
});

for (const side of ["client", "server"] as const) {
  scenario(`MinimaLT: the client goes elsewhere, under a new key, while the ${side} sends`, 5, async (world, seed) => {
    const [a, b] = hosts(world, { bitsPerSecond: 4_000_000, loss: { in: 1, of: 100 } });
    const { client, near, accepted } = await talk(a, b);
    const ear = new Ear();
    const stream = client.openStream(ear);
    await world.until(() => accepted[0]?.far.ears.length === 1 && client.outcome !== undefined);
    const { session, far } = accepted[0]!;
    const [sender, hearer] = side === "client" ? [stream, far.ears[0]!] : [far.ears[0]!.stream!, ear];
    const data = pattern(400_000, seed);
    sender.write(data);
    sender.finish();
    const before = session.remote;
    await world.until(() => hearer.size > 100_000);
    await client.migrate();
    await world.until(() => hearer.ended_);
    assert.notEqual(session.remote.port, before.port);
    assert.ok(near.moves === 1 && far.moves >= 1 && near.keys === 1 && far.keys === 1);
    assert.equal(hearer.digest(), digest(data));
    assert.deepEqual(client.exportKey("a", 16), session.exportKey("a", 16));
  });
}

scenario("MinimaLT: keys are updated by either side in the midst of data, on a bad path", 5, async (world, seed) => {
  const [a, b] = hosts(world, { loss: { in: 5, of: 100 }, reordering: { in: 10, of: 100 }, jitterMs: 8, delayMs: 10 });
  const { client, near, accepted } = await talk(a, b);
  const stream = client.openStream(new Ear());
  const data = pattern(300_000, seed);
  stream.write(data);
  stream.finish();
  await world.until(() => accepted[0]?.far.ears[0] !== undefined && client.outcome !== undefined);
  const { session, far } = accepted[0]!;
  for (const [i, one] of [client, session, client, session].entries()) {
    await world.until(() => far.ears[0]!.size > (i + 1) * 40_000);
    one.updateKeys();
  }
  await world.until(() => far.ears[0]!.ended_ && near.keys >= 2);
  await world.run(5_000);
  assert.equal(far.ears[0]!.digest(), digest(data));
  assert.equal(client.statistics.keyGeneration, session.statistics.keyGeneration);
  assert.ok(far.keys >= 2 && far.keys === near.keys, `${near.keys} ${far.keys}`);
});

scenario(
  "MinimaLT: a key whose time is over is followed by the next, whoever's clock says so",
  2,
  async (world, seed) => {
    const [a, b] = hosts(world, {});
    const ours = seed === 1;
    const { client, near, accepted } = await talk(a, b, {
      client: { keyErasureMs: ours ? 30_000 : 0 },
      server: { keyErasureMs: ours ? 0 : 30_000 },
    });
    client.openStream(new Ear());
    await world.run(100_000);
    assert.equal(near.keys, 3);
    assert.equal(accepted[0]!.far.keys, 3);
  },
);

scenario("MinimaLT: flow control stops who is not read, and lets everybody else go on", 2, async (world, seed) => {
  const [a, b] = hosts(world, {});
  const { client, accepted } = await talk(a, b, { server: { receiveBuffer: 65_536 } });
  const slow = client.openStream(new Ear());
  const quick = client.openStream(new Ear());
  await world.until(() => accepted[0]?.far.ears.length === 2);
  const [slowEar, quickEar] = accepted[0]!.far.ears;
  slowEar!.stream!.pause();
  await world.run(10);
  const data = pattern(500_000, seed);
  for (const stream of [slow, quick]) {
    stream.write(data);
    stream.finish();
  }
  await world.until(() => quickEar!.ended_);
  await world.run(5_000);
  assert.equal(slowEar!.size, 0);
  assert.ok(slow.queued >= 500_000 - 65_536, `${slow.queued}`);
  slowEar!.stream!.resume();
  await world.until(() => slowEar!.ended_);
  assert.equal(slowEar!.digest(), digest(data));
});

scenario("MinimaLT: users are let in by their keys, and each connection by itself", 1, async (world) => {
  const [a, b] = hosts(world, {});
  const { client, near, accepted } = await talk(a, b, {
    client: { user: userIdentity },
    server: { users: ({ user, service }) => user !== undefined && service === "mail" },
  });
  const [mail, news] = ["mail", "news"].map((service) => {
    const ear = new Ear();
    client.openStream(ear, { service }).write(new Uint8Array(10));
    return ear;
  });
  await world.until(() => news!.closed_ !== undefined && accepted[0]?.far.ears[0]?.size === 10);
  assert.equal(news!.closed_, "refused");
  assert.equal(mail!.closed_, undefined);
  assert.equal(near.closed_, undefined);
  assert.equal(accepted[0]!.far.ears.length, 1);
  assert.deepEqual(accepted[0]!.far.ears[0]!.stream!.user, userIdentity.publicKey);
});

scenario(
  "MinimaLT: a directory, a name service and a cache: two round trips, one, then none",
  3,
  async (world, seed) => {
    const [a, b] = hosts(world, { delayMs: 10, loss: { in: seed === 1 ? 0 : 5, of: 100 } });
    const d = world.host("directory", { addresses: ["203.0.113.5"] });
    world.link(a, d, { delayMs: 10 });
    world.link(b, d, { delayMs: 10 });
    const at = { address: "203.0.113.5", port: 4_436 };
    const names = serverIdentity;
    const directory = await listen(
      d,
      at,
      { identity: names, nameService: { authorities: [authorityKey] } },
      () => new Host(),
    );
    const notAfter = d.now() + 86_400_000;
    const certificate = makeCertificate(serverIdentity, "host.example", notAfter, authority);
    const far = new Host();
    const listener = await listen(b, server, { identity: serverIdentity, certificate }, () => far);
    const known = { at, key: names.publicKey, boxKey: names.box.publicKey };
    let isPublished = false;
    void publish(b, at, listener.record, { serverKey: known.key, serverBoxKey: known.boxKey }).then(() => {
      isPublished = true;
    });
    await world.until(() => isPublished);
    const cache = new RecordMemory();
    const trips: number[] = [];
    for (let i = 0; i < 3; i++) {
      if (i === 1) cache.set(`host.example ${server.address} ${server.port}`, listener.record, 0);
      const options = { serverName: "host.example", authorities: [authorityKey], directory: known, cache };
      const session = connect(a, server, options, new Host());
      session.openStream(new Ear()).write(new Uint8Array(1));
      await world.until(() => session.outcome !== undefined);
      trips.push(session.outcome!.roundTrips);
      assert.equal(session.outcome!.serverName, "host.example");
      assert.deepEqual(session.peer, { kind: "static-key", key: serverIdentity.publicKey });
      session.close();
    }
    assert.deepEqual(trips, [2, 0, 0]);
    const unknown = connect(
      a,
      server,
      { serverName: "no.example", authorities: [authorityKey], directory: known },
      new Host(),
    );
    await world.until(() => unknown.failure !== undefined);
    assert.equal(unknown.failure!.reason, "no-record");
    assert.equal(directory.drops["bad-box"], 0);
  },
);

scenario(
  "MinimaLT: where nobody answers a client gives up; and one that is forgotten hears nothing",
  2,
  async (world, seed) => {
    const [a, b, link] = hosts(world, { loss: { in: seed === 1 ? 1 : 0, of: 1 } });
    const { client, near } = await talk(a, b);
    client.openStream(new Ear()).write(new Uint8Array(10));
    if (seed === 2) {
      await world.until(() => client.outcome !== undefined);
      link.script(() => "drop");
      client.openStream(new Ear()).write(new Uint8Array(10));
    }
    await world.until(() => near.closed_ !== undefined);
    assert.equal(near.closed_, seed === 1 ? "no-answer" : "connection-lost");
  },
);

scenario("MinimaLT: a hundred clients on one port, under load and with puzzles", 1, async (world) => {
  const [a, b] = hosts(world, { loss: { in: 1, of: 100 } });
  const heard: string[] = [];
  const listener = await listen(
    b,
    server,
    { identity: serverIdentity, tunnelsPerSecond: 0, puzzleBits: 4 },
    (session) => ({
      stream: (stream) => {
        const ear = new Ear();
        const end = ear.ended.bind(ear);
        ear.ended = () => {
          end();
          heard.push(ear.digest());
          stream.finish();
        };
        return ear;
      },
      closed: () => void session,
    }),
  );
  const known = { serverKey: serverIdentity.publicKey, serverBoxKey: serverIdentity.box.publicKey };
  const ears = Array.from({ length: 100 }, (_, i) => {
    const ear = new Ear();
    const session = connect(a, server, { ...known, record: listener.record }, new Host());
    const stream = session.openStream(ear);
    stream.write(pattern(3_000, i));
    stream.finish();
    const closed = ear.closed.bind(ear);
    ear.closed = (failure) => {
      closed(failure);
      session.close();
    };
    return ear;
  });
  await world.until(() => ears.every(({ closed_ }) => closed_ === "well"));
  assert.deepEqual(heard.sort(), ears.map((_, i) => digest(pattern(3_000, i))).sort());
  assert.ok(listener.puzzlesPosed >= 100);
  await world.run(10_000);
  assert.equal(listener.sessions, 0);
});
