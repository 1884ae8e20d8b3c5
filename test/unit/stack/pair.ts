import assert from "node:assert/strict";
import { type Prefix, parsePrefix } from "../../../src/bytes/index.js";
import { type Instant, wake } from "../../../src/contract/index.js";
import { seededEntropy } from "../../../src/crypto/index.js";
import type { StackEvent } from "../../../src/stack/interfaces.js";
import { Stack, type StackConfig } from "../../../src/stack/stack.js";
import type { TcpConnection } from "../../../src/stack/tcp/connection.js";
import { provider } from "../../support/provider.js";

export interface Wire {
  /** One way, in milliseconds. */
  readonly delayMs: number;
  /** Bytes a millisecond; infinite by default. */
  readonly rate?: number;
  /** Bytes that wait for the wire; what comes beyond is lost. */
  readonly queue?: number;
  /** Of a thousand packets, how many are lost, doubled, held back. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly corrupt?: number;
}

interface InFlight {
  readonly at: Instant;
  readonly order: number;
  readonly to: number;
  readonly packet: Uint8Array;
}

/** What an application on one end has seen of a connection. */
export class Watched {
  opened = false;
  ended = false;
  closed = false;
  failure: unknown;
  received = 0;
  digest = 0;
  drained = 0;
}

/** Two stacks and the wire between them, in virtual time, from a seed. */
export class StackPair {
  readonly stacks: readonly [Stack, Stack];
  readonly events: readonly [StackEvent[], StackEvent[]] = [[], []];
  readonly watched = new Map<TcpConnection, Watched>();
  readonly sent: [number, number] = [0, 0];
  now: Instant = 1_700_000_000_000;
  wire: Wire;
  /** Sees every packet; false loses it. */
  filter: (packet: Uint8Array, from: number) => boolean = () => true;
  /** Do applications read at once? */
  reading = true;

  readonly #random: () => number;
  #flying: InFlight[] = [];
  #order = 0;
  readonly #busyUntil: [Instant, Instant] = [0, 0];

  constructor(
    wire: Wire,
    seed = 1,
    config: Partial<StackConfig> = {},
    addresses: readonly [string[], string[]] = [
      ["10.0.0.1/24", "fd00::1/64"],
      ["10.0.0.2/24", "fd00::2/64"],
    ],
  ) {
    this.wire = wire;
    const entropy = seededEntropy(seed);
    const bytes = new Uint8Array(4);
    this.#random = () => new DataView(entropy.fill(bytes).buffer).getUint32(0) % 1_000;
    const make = (texts: string[]): Stack =>
      new Stack({
        crypto: provider,
        entropy,
        addresses: texts.map((text) => parsePrefix(text)) as Prefix[],
        mtu: 1_420,
        ...config,
      });
    this.stacks = [make(addresses[0]), make(addresses[1])];
  }

  of(connection: TcpConnection): Watched {
    let watched = this.watched.get(connection);
    if (watched === undefined) {
      watched = new Watched();
      this.watched.set(connection, watched);
    }
    return watched;
  }

  /** Carries what both have to send, and takes their events. */
  flush(): this {
    const buffer = new Uint8Array(2_048);
    for (const [i, stack] of this.stacks.entries()) {
      let packets = 0;
      for (let size = stack.pull(buffer, 0, this.now); size > 0; size = stack.pull(buffer, 0, this.now)) {
        assert.ok(++packets < 100_000, "a stack never stops sending");
        assert.ok(size <= stack.mtu, `a packet of ${size} bytes`);
        this.#carry(buffer.slice(0, size), i);
      }
      this.#take(i);
    }
    return this;
  }

  /** Lets time pass until nothing is left to happen, or so many milliseconds. */
  run(ms: number, until: () => boolean = () => false): this {
    const end = this.now + ms;
    this.flush();
    let [last, steps] = [this.now, 0];
    while (!until()) {
      if (this.now !== last) [last, steps] = [this.now, 0];
      assert.ok(++steps < 10_000, `time stands still at ${this.now}`);
      const arrival = this.#flying[0]?.at ?? Infinity;
      const at = Math.min(arrival, ...this.stacks.map((stack) => stack.deadline() ?? Infinity));
      if (at > end) {
        this.now = end;
        break;
      }
      this.now = Math.max(this.now, at);
      while (this.#flying[0] !== undefined && this.#flying[0].at <= this.now) {
        const { to, packet } = this.#flying.shift()!;
        const ranges = Uint32Array.of(0, packet.length);
        this.stacks[to]!.handle({ kind: "packets", bytes: packet, ranges, count: 1 }, this.now);
        this.#take(to);
      }
      for (const stack of this.stacks) if ((stack.deadline() ?? Infinity) <= this.now) stack.handle(wake, this.now);
      this.flush();
    }
    return this;
  }

  /** Opens a connection from the first stack to a listener on the second, and waits for both ends. */
  connect(port = 80, family: 4 | 6 = 4): { client: TcpConnection; server: TcpConnection } {
    const listener = this.stacks[1].listen(port);
    const address = this.stacks[1].addresses.find((each) => each.address.length === (family === 4 ? 4 : 16))!.address;
    const client = this.stacks[0].connect({ address, port }, this.now);
    let server: TcpConnection | undefined;
    this.run(30_000, () => {
      server ??= listener.accept();
      return server !== undefined && this.of(client).opened;
    });
    assert.ok(server, "the connection was not accepted");
    this.of(server).opened = true;
    return { client, server };
  }

  #carry(packet: Uint8Array, from: number): void {
    this.sent[from]!++;
    if (!this.filter(packet, from)) return;
    const { delayMs, rate = Infinity, queue = Infinity, loss = 0, duplicate = 0, reorder = 0, corrupt = 0 } = this.wire;
    if (this.#random() < loss) return;
    const start = Math.max(this.now, this.#busyUntil[from]!);
    if ((start - this.now) * rate > queue) return;
    this.#busyUntil[from] = start + packet.length / rate;
    if (this.#random() < corrupt) packet[this.#random() % packet.length]! ^= 0x10;
    const times = this.#random() < duplicate ? 2 : 1;
    for (let i = 0; i < times; i++) {
      const held = this.#random() < reorder ? delayMs / 2 + 1 : 0;
      this.#fly({
        at: this.#busyUntil[from]! + delayMs + held,
        order: this.#order++,
        to: 1 - from,
        packet: packet.slice(),
      });
    }
  }

  #fly(packet: InFlight): void {
    let at = this.#flying.length;
    while (at > 0 && this.#flying[at - 1]!.at > packet.at) at--;
    this.#flying.splice(at, 0, packet);
  }

  #take(i: number): void {
    const stack = this.stacks[i]!;
    for (let event = stack.event(); event !== undefined; event = stack.event()) {
      this.events[i]!.push(event);
      if (!("connection" in event)) continue;
      const watched = this.of(event.connection);
      switch (event.kind) {
        case "opened":
          watched.opened = true;
          break;
        case "data":
          watched.received += event.bytes.length;
          watched.digest = digest(watched.digest, event.bytes);
          if (this.reading) event.connection.consumed(event.bytes.length);
          break;
        case "ended":
          watched.ended = true;
          break;
        case "drained":
          watched.drained++;
          break;
        case "closed":
          assert.equal(watched.closed, false, "closed is told once");
          watched.closed = true;
          watched.failure = event.failure;
          break;
      }
    }
  }
}

/** An order-sensitive digest that can be continued. */
export function digest(start: number, bytes: Uint8Array): number {
  let value = start;
  for (const byte of bytes) value = (Math.imul(value, 16_777_619) ^ byte) | 0;
  return value;
}

/** Bytes that are easy to tell apart. */
export function pattern(size: number, seed = 7): Uint8Array {
  const bytes = new Uint8Array(size);
  let value = seed;
  for (let i = 0; i < size; i++) {
    value = (Math.imul(value, 1_103_515_245) + 12_345) | 0;
    bytes[i] = value >>> 16;
  }
  return bytes;
}
