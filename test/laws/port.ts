import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { concat, utf8 } from "../../src/bytes/index.js";
import {
  type DatagramOptions,
  type DatagramPort,
  Failure,
  type Network,
  type PortListener,
  type SocketAddress,
  type StreamPort,
  type StreamSink,
} from "../../src/contract/index.js";

/** Two networks (perhaps the same one) that reach each other, and a way to let things happen. */
export interface NetworkSubject {
  readonly client: Network;
  readonly server: Network;
  /** Where the server may listen and the client reach it. */
  readonly serverAddress: string;
  /** Where the client binds its datagrams. */
  readonly clientAddress: string;
  /** An address and port where nobody listens, and the network says so. */
  readonly closedPort: number;
  /** Its listeners say nothing to strangers, so who knocks at a closed one hears nothing, and gives up. */
  readonly saysNoToNobody?: true;
  /** Lets time pass until it is so; fails when nothing more happens. */
  until(isSo: () => boolean): Promise<void>;
  /** Lets pending things happen, for laws that say something does not. */
  settle(): Promise<void>;
}

/** What every Network promises of its stream ports. */
export function streamLaws(name: string, make: () => NetworkSubject): void {
  const law = (what: string, run: (world: World) => Promise<void>): void => {
    test(`${name} streams: ${what}`, async () => {
      const world = new World(make());
      try {
        await run(world);
      } finally {
        await world.close();
      }
    });
  };

  law("both ends hear `opened` first, and agree on the addresses", async (world) => {
    const { client, server } = await world.connect();
    assert.equal(client.told[0], "opened");
    assert.equal(server.told[0], "opened");
    assert.deepEqual(client.port.local, server.port.remote);
    assert.deepEqual(client.port.remote, server.port.local);
  });

  law("bytes arrive whole and in order, both ways at once", async (world) => {
    const { client, server } = await world.connect();
    const up = pattern(1_500_000, 1);
    const down = pattern(900_000, 2);
    for (let at = 0; at < up.length; at += 40_000) client.port.write(up.subarray(at, at + 40_000));
    for (let at = 0; at < down.length; at += 777) server.port.write(down.subarray(at, at + 777));
    await world.until(() => server.size === up.length && client.size === down.length);
    assert.equal(digest(server.all()), digest(up));
    assert.equal(digest(client.all()), digest(down));
  });

  law("what is written before `opened` is sent after it", async (world) => {
    const client = await world.dial();
    client.port.write(utf8("early"));
    client.port.finish();
    await world.until(() => world.accepted[0]?.told.at(-1) === "ended");
    assert.deepEqual(world.accepted[0]!.all(), utf8("early"));
  });

  law("lent memory is released exactly once, and may then be overwritten", async (world) => {
    const { client, server } = await world.connect();
    const sent: Uint8Array[] = [];
    let released = 0;
    for (let i = 0; i < 60; i++) {
      const bytes = pattern(1 + i * 1500, i);
      sent.push(bytes.slice());
      client.port.write(bytes, () => {
        bytes.fill(0xdd);
        released++;
      });
    }
    const expected = concat(...sent);
    await world.until(() => server.size === expected.length && released === 60);
    assert.equal(digest(server.all()), digest(expected));
    await world.settle();
    assert.equal(released, 60);
  });

  law("received bytes are the sink's own: they may be kept, and overwritten", async (world) => {
    const { client, server } = await world.connect();
    server.onBytes = (bytes) => {
      server.kept.push(bytes.slice());
      bytes.fill(0xee);
    };
    const sent = pattern(700_000, 3);
    client.port.write(sent);
    await world.until(() => concat(...server.kept).length === sent.length);
    assert.equal(digest(concat(...server.kept)), digest(sent));
    assert.ok(server.all().every((byte) => byte === 0xee));
  });

  law("a paused reader fills the writer, and `drained` follows when it reads on", async (world) => {
    const { client, server } = await world.connect();
    server.port.pause();
    let isTaken = true;
    let sent = 0;
    for (let round = 0; round < 4000 && isTaken; round++) {
      isTaken = client.port.write(new Uint8Array(64 * 1024).fill(round));
      sent += 64 * 1024;
      if (round % 16 === 15) await world.settle();
    }
    assert.equal(isTaken, false, "the writer is never held back");
    assert.ok(client.port.queued > 0);
    assert.ok(!client.told.includes("drained"));
    server.port.resume();
    await world.until(() => server.size === sent && client.told.includes("drained"));
    assert.equal(client.port.queued, 0);
  });

  law("each direction ends by itself, and when both have ended both are closed", async (world) => {
    const { client, server } = await world.connect();
    client.port.write(utf8("question"));
    client.port.finish();
    await world.until(() => server.told.includes("ended"));
    assert.deepEqual(server.all(), utf8("question"));
    server.port.write(utf8("answer"));
    await world.until(() => client.size === 6);
    server.port.finish();
    await world.until(() => client.isClosed && server.isClosed);
    assert.deepEqual(client.told, ["opened", "bytes", "ended", "closed"]);
    assert.deepEqual(server.told, ["opened", "bytes", "ended", "closed"]);
    assert.equal(client.failure ?? server.failure, undefined);
  });

  law("a long queue is sent before the direction ends", async (world) => {
    const { client, server } = await world.connect();
    const sent = pattern(3_000_000, 5);
    client.port.write(sent);
    client.port.finish();
    await world.until(() => server.told.includes("ended"));
    assert.equal(digest(server.all()), digest(sent));
  });

  law("an abort resets the peer, and our sink hears `closed` once, without a failure", async (world) => {
    const { client, server } = await world.connect();
    client.port.write(pattern(1000, 1));
    await world.until(() => server.size === 1000);
    client.port.abort();
    client.port.abort();
    await world.until(() => client.isClosed && server.isClosed);
    assert.equal(client.failure, undefined);
    assert.equal(firstReason(server.failure), "reset");
    assert.equal(server.failure?.fault, "unreachable");
    assert.ok(!server.told.includes("ended"));
  });

  law("lent memory comes back when the connection dies", async (world) => {
    const { client, server } = await world.connect();
    server.port.pause();
    let lent = 0;
    let released = 0;
    for (let round = 0; round < 4000; round++) {
      lent++;
      if (!client.port.write(new Uint8Array(64 * 1024), () => void released++)) break;
      if (round % 16 === 15) await world.settle();
    }
    client.port.abort();
    await world.until(() => client.isClosed && released === lent);
    client.port.write(utf8("late"), () => void released++);
    await world.until(() => released === lent + 1);
  });

  law("a port where nobody listens refuses: `closed` alone, with the reason", async (world) => {
    const client = world.dialTo({ address: world.subject.serverAddress, port: world.subject.closedPort });
    await world.until(() => client.isClosed);
    assert.deepEqual(client.told, ["closed"]);
    assert.equal(firstReason(client.failure), "refused-connection");
    assert.equal(client.failure?.fault, "unreachable");
  });

  law("an abort before `opened` ends in `closed`", async (world) => {
    const client = await world.dial();
    client.port.abort();
    await world.until(() => client.isClosed);
    assert.deepEqual(client.told, ["closed"]);
  });

  law("what is no address is told by the sink, not thrown", async (world) => {
    const client = world.dialTo({ address: "example.com", port: 80 });
    await world.until(() => client.isClosed);
    assert.equal(firstReason(client.failure), "not-an-address");
  });

  law("nothing is told from inside a call", async (world) => {
    const { client, server } = await world.connect();
    for (const { port } of [client, server]) {
      port.write(pattern(100_000, 1));
      port.pause();
      port.resume();
      port.finish();
    }
    await world.until(() => client.isClosed && server.isClosed);
    assert.deepEqual(client.inside, []);
    assert.deepEqual(server.inside, []);
  });

  law("a closed listener accepts nobody; what it accepted lives on", async (world) => {
    const { client, server } = await world.connect();
    const { local } = world.listener!;
    let closed: { readonly failure: Failure | undefined } | undefined;
    void world.listener!.closed.then((failure) => (closed = { failure }));
    await world.settle();
    assert.equal(closed, undefined);
    await world.listener!.close();
    await world.until(() => closed !== undefined);
    assert.equal(closed!.failure, undefined);
    const late = world.dialTo(local);
    await world.until(() => late.isClosed);
    assert.equal(firstReason(late.failure), world.subject.saysNoToNobody ? "timed-out" : "refused-connection");
    client.port.write(utf8("still here"));
    await world.until(() => server.size === 10);
  });

  law("two listeners cannot have one address", async (world) => {
    await world.connect();
    await assert.rejects(
      world.subject.server.listenStreams(world.listener!.local, () => new Recorder()),
      (failure: Failure) => failure.reason === "address-in-use" && failure.fault === "misuse",
    );
  });
}

/** What every Network promises of its datagram ports. The path must lose nothing. */
export function datagramLaws(name: string, make: () => NetworkSubject): void {
  const law = (what: string, run: (world: World) => Promise<void>): void => {
    test(`${name} datagrams: ${what}`, async () => {
      const world = new World(make());
      try {
        await run(world);
      } finally {
        await world.close();
      }
    });
  };

  law("each arrives whole, with its sender's address, and can be answered", async (world) => {
    const [a, b] = [await world.bind("client"), await world.bind("server")];
    for (const size of [0, 1, 500, 1200]) a.port.send(pattern(size, size), b.port.local);
    await world.until(() => b.got.length === 4);
    assert.deepEqual(
      b.got.map(({ bytes }) => digest(bytes)).sort(),
      [0, 1, 500, 1200].map((size) => digest(pattern(size, size))).sort(),
    );
    b.port.send(utf8("pong"), b.got[0]!.from);
    await world.until(() => a.got.length === 1);
    assert.deepEqual(a.got[0]!.bytes, utf8("pong"));
    assert.deepEqual(a.got[0]!.from, b.port.local);
  });

  law("a batch is datagrams of its segment size, the last perhaps shorter", async (world) => {
    const [a, b] = [await world.bind("client"), await world.bind("server")];
    const bytes = pattern(10 * 1000 + 333, 1);
    a.port.send(bytes, b.port.local, 1000);
    await world.until(() => b.got.length === 11);
    const sizes = b.got.map((each) => each.bytes.length).sort((x, y) => y - x);
    assert.deepEqual(sizes, [...Array<number>(10).fill(1000), 333]);
    const sent = Array.from({ length: 11 }, (_, i) => digest(bytes.subarray(i * 1000, i * 1000 + 1000)));
    assert.deepEqual(b.got.map((each) => digest(each.bytes)).sort(), sent.sort());
  });

  law("memory may be reused as soon as `send` returns", async (world) => {
    const [a, b] = [await world.bind("client"), await world.bind("server")];
    const buffer = new Uint8Array(1000);
    for (let i = 0; i < 50; i++) a.port.send(buffer.fill(i), b.port.local);
    await world.until(() => b.got.length === 50);
    assert.deepEqual(
      b.got.map(({ bytes }) => bytes[0]!).sort((x, y) => x - y),
      Array.from({ length: 50 }, (_, i) => i),
    );
    assert.ok(b.got.every(({ bytes }) => bytes.every((byte) => byte === bytes[0])));
  });

  law("a port with a fixed peer hears nobody else", async (world) => {
    const [b, stranger] = [await world.bind("server"), await world.bind("server")];
    const a = await world.bind("client", { remote: b.port.local });
    a.port.send(utf8("hello"));
    await world.until(() => b.got.length === 1);
    stranger.port.send(utf8("intruder"), a.port.local);
    await world.settle();
    b.port.send(utf8("friend"), b.got[0]!.from);
    await world.until(() => a.got.length > 0);
    await world.settle();
    assert.deepEqual(
      a.got.map(({ bytes }) => new TextDecoder().decode(bytes)),
      ["friend"],
    );
  });

  law("a port with a fixed peer, bound to any address, says which it is", async (world) => {
    const { client, clientAddress } = world.subject;
    const far = await world.bind("server");
    const port = await client.bindDatagrams(
      { address: clientAddress.includes(":") ? "::" : "0.0.0.0", port: 0 },
      { datagrams: () => undefined, closed: () => undefined },
      { remote: far.port.local },
    );
    try {
      assert.equal(port.local.address, clientAddress);
      port.send(utf8("from where?"));
      await world.until(() => far.got.length === 1);
      assert.deepEqual(far.got[0]!.from, port.local);
    } finally {
      port.close();
    }
  });

  law("two ports cannot have one address", async (world) => {
    const a = await world.bind("server");
    await assert.rejects(
      world.subject.server.bindDatagrams(a.port.local, { datagrams: () => {}, closed: () => {} }),
      (failure: Failure) => failure.reason === "address-in-use",
    );
  });

  law("`closed` comes once, last, and sending later is harmless", async (world) => {
    const a = await world.bind("client");
    a.port.close();
    a.port.close();
    assert.equal(a.closed, 0, "never from inside the call");
    await world.until(() => a.closed === 1);
    a.port.send(utf8("late"), { address: world.subject.serverAddress, port: 9 });
    await world.settle();
    assert.equal(a.closed, 1);
  });
}

/** A sink that keeps all it is told. */
export class Recorder implements StreamSink {
  port!: StreamPort;
  readonly chunks: Uint8Array[] = [];
  readonly kept: Uint8Array[] = [];
  readonly told: string[] = [];
  /** What was told from inside a call to the port. */
  readonly inside: string[] = [];
  failure: Failure | undefined;
  size = 0;
  onBytes: (bytes: Uint8Array) => void = () => {};
  #calling = false;

  attach(port: StreamPort): this {
    this.port = new Proxy(port, {
      get: (target, property) => {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== "function") return value;
        return (...given: unknown[]) => {
          this.#calling = true;
          try {
            return Reflect.apply(value, target, given);
          } finally {
            this.#calling = false;
          }
        };
      },
    });
    return this;
  }

  get isClosed(): boolean {
    return this.told.at(-1) === "closed";
  }

  all(): Uint8Array {
    return concat(...this.chunks);
  }

  opened(): void {
    this.#tell("opened");
  }

  bytes(bytes: Uint8Array): void {
    if (this.told.at(-1) !== "bytes") this.#tell("bytes");
    this.size += bytes.length;
    this.chunks.push(bytes);
    this.onBytes(bytes);
  }

  ended(): void {
    this.#tell("ended");
  }

  drained(): void {
    this.#tell("drained");
  }

  closed(failure?: Failure): void {
    assert.ok(!this.told.includes("closed"), "closed twice");
    this.failure = failure;
    this.#tell("closed");
  }

  #tell(what: string): void {
    assert.ok(!this.isClosed, `${what} after closed`);
    if (this.#calling) this.inside.push(what);
    this.told.push(what);
  }
}

class World {
  readonly subject: NetworkSubject;
  readonly accepted: Recorder[] = [];
  listener: PortListener | undefined;
  readonly #streams: Recorder[] = [];
  readonly #datagrams: DatagramPort[] = [];

  constructor(subject: NetworkSubject) {
    this.subject = subject;
  }

  until(isSo: () => boolean): Promise<void> {
    return this.subject.until(isSo);
  }

  settle(): Promise<void> {
    return this.subject.settle();
  }

  /** A connection that has not opened yet. */
  async dial(): Promise<Recorder> {
    return this.dialTo(await this.#listen());
  }

  dialTo(to: SocketAddress): Recorder {
    const client = new Recorder();
    client.attach(this.subject.client.connectStream(to, client));
    this.#streams.push(client);
    return client;
  }

  async connect(): Promise<{ client: Recorder; server: Recorder }> {
    const client = this.dialTo(await this.#listen());
    await this.until(() => client.told.includes("opened") && this.accepted[0]?.told[0] !== undefined);
    return { client, server: this.accepted[0]! };
  }

  async bind(side: "client" | "server", options?: DatagramOptions) {
    const got: { bytes: Uint8Array; from: SocketAddress }[] = [];
    const heard = { got, closed: 0, soft: [] as Failure[], port: undefined as unknown as DatagramPort };
    const address = side === "client" ? this.subject.clientAddress : this.subject.serverAddress;
    heard.port = await this.subject[side].bindDatagrams(
      { address, port: 0 },
      {
        datagrams: (bytes, from, segmentSize) => {
          for (let at = 0; at < bytes.length || at === 0; at += segmentSize || 1) {
            got.push({ bytes: bytes.slice(at, at + segmentSize), from });
          }
        },
        softError: (failure) => void heard.soft.push(failure),
        closed: () => void heard.closed++,
      },
      options,
    );
    this.#datagrams.push(heard.port);
    return heard;
  }

  async close(): Promise<void> {
    for (const port of this.#datagrams) port.close();
    for (const { port } of [...this.#streams, ...this.accepted]) port.abort();
    await this.listener?.close();
    await this.settle();
  }

  async #listen(): Promise<SocketAddress> {
    this.listener = await this.subject.server.listenStreams(
      { address: this.subject.serverAddress, port: 0 },
      (port) => {
        const recorder = new Recorder().attach(port);
        this.accepted.push(recorder);
        return recorder;
      },
    );
    return this.listener.local;
  }
}

/** A layer may tell of a failure below in its own words, with the one below as its cause. */
function firstReason(failure: Failure | undefined): string | undefined {
  return failure?.cause instanceof Failure ? firstReason(failure.cause) : failure?.reason;
}

export function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0, state = seed + 1; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
