import {
  type Answer,
  type CryptoProvider,
  type Datagrams,
  type Entropy,
  type Instant,
  type Machine,
  Secret,
  type SocketAddress,
  type Transmit,
  type Wake,
  type Zlib,
} from "../../../contract/index.js";
import { Heap, type Heaped } from "../../../mechanisms/heap.js";
import { Routes } from "../../../mechanisms/routes.js";
import { Connection, knownName, questionsPerConnection } from "../connection/connection.js";
import type { Beginning, Ground } from "../connection/core.js";
import { Boxes } from "../handshake/boxes.js";
import { ServerConfigs } from "../handshake/configs.js";
import { Strikes } from "../handshake/strikes.js";
import { defaults, helloMin } from "../limits.js";
import type { GquicClientOptions, GquicServerOptions } from "../options.js";
import { settingsOf } from "../settings.js";
import type { ConnectionNumber, GquicEvent, GquicInput } from "../vocabulary.js";
import { cidSize } from "../wire/header.js";
import { u32At } from "../wire/numbers.js";
import { versionByCode } from "../wire/versions.js";
import { StatelessAnswers, type StatelessDatagram } from "./stateless.js";

export interface EndpointGround {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  readonly zlib: Zlib;
}

/** Part of `halfOpenMax` from which on proof is shown to proved addresses alone. */
const busyAt = 0.25;

interface Slot extends Heaped {
  readonly connection: Connection;
  at: Instant;
  isFresh: boolean;
}

/** An endpoint: one UDP port, or several, and the connections over it. A client has one connection, a server many. */
export class GquicEndpoint implements Machine<GquicInput, GquicEvent> {
  /** Datagrams that were for no connection, by what became of them. */
  readonly counters = { negotiated: 0, reset: 0, dropped: 0, evicted: 0 };
  readonly #ground: Ground;
  readonly #routes = new Routes<Connection>(cidSize);
  readonly #stateless: StatelessAnswers | undefined;
  readonly #connections = new Map<ConnectionNumber, Slot>();
  readonly #due = new Heap<Slot>((a, b) => a.at < b.at);
  /** Connections that may have something to send. */
  readonly #active = new Set<Slot>();
  readonly #telling: Slot[] = [];
  readonly #fresh: Slot[] = [];
  readonly #transmitted: { -readonly [K in keyof Transmit]: Transmit[K] } = { size: 0 };
  readonly #halfOpen = new Set<Slot>();
  readonly #connectionsMax: number;
  readonly #halfOpenMax: number;
  #carried: StatelessDatagram | undefined;
  #lastNumber = 0;
  #isStopped = false;
  #isPortGone = false;
  #now: Instant;

  private constructor(ground: Ground, stateless: StatelessAnswers | undefined, now: Instant) {
    this.#ground = ground;
    this.#stateless = stateless;
    this.#now = now;
    const { connectionsMax, halfOpenMax } = ground.options as GquicServerOptions;
    this.#connectionsMax = connectionsMax ?? defaults.connectionsMax;
    this.#halfOpenMax = halfOpenMax ?? defaults.halfOpenMax;
  }

  static client({ crypto, entropy, zlib }: EndpointGround, options: GquicClientOptions, now: Instant): GquicEndpoint {
    const settings = settingsOf(options);
    const ground = { crypto, entropy, zlib, settings, options, server: undefined, trace: options.trace };
    return new GquicEndpoint(ground, undefined, now);
  }

  static server({ crypto, entropy, zlib }: EndpointGround, options: GquicServerOptions, now: Instant): GquicEndpoint {
    const secret = options.secret ?? new Secret(entropy.fill(new Uint8Array(32)));
    const settings = settingsOf(options);
    const boxes = new Boxes(crypto, secret, entropy);
    const { identity, withholdProof = "large" } = options;
    const server = {
      ...{ crypto, entropy, zlib, settings, identity, boxes, withholdProof },
      configs: new ServerConfigs(crypto, entropy, secret),
      strikes: new Strikes(now),
    };
    const ground: Ground = { crypto, entropy, zlib, settings, options, server, trace: options.trace };
    return new GquicEndpoint(ground, new StatelessAnswers(crypto, entropy, boxes, now), now);
  }

  /** For what is read, not done: statistics, what is queued. */
  connection(number: ConnectionNumber): Connection | undefined {
    return this.#connections.get(number)?.connection;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get halfOpenCount(): number {
    return this.#halfOpen.size;
  }

  handle(input: GquicInput | Wake, now: Instant): void {
    this.#now = now;
    switch (input.kind) {
      case "datagrams":
        this.#datagrams(input, now);
        break;
      case "wake":
        for (let slot = this.#due.top; slot !== undefined && slot.at <= now; slot = this.#due.top) {
          this.#due.remove(slot);
          slot.connection.wake(now);
          this.#given(slot);
        }
        break;
      case "answer":
        this.#answer(input, now);
        break;
      case "connect":
        this.#connect(input.local, input.remote, now);
        break;
      case "stop":
        this.#isStopped = true;
        break;
      case "opened":
        break;
      case "closed":
        this.#isPortGone = true;
        for (const slot of this.#connections.values()) {
          slot.connection.portGone();
          this.#telling.push(slot);
        }
        this.#active.clear();
        break;
      default: {
        const slot = this.#connections.get(input.connection);
        if (slot === undefined) {
          if (input.kind === "stream-write") input.released?.();
          break;
        }
        slot.connection.input(input, now);
        this.#given(slot);
      }
    }
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    if (this.#isPortGone) return undefined;
    const stateless = this.#carried ?? this.#stateless?.next();
    this.#carried = undefined;
    if (stateless !== undefined) {
      const { bytes, from, to } = stateless;
      if (bytes.length > into.length) {
        this.#carried = stateless;
        return undefined;
      }
      into.set(bytes);
      return this.#leaves(bytes.length, bytes.length, from, to);
    }
    for (const slot of this.#active) {
      const { connection } = slot;
      // Round robin: whoever has sent goes to the end.
      this.#active.delete(slot);
      const size = connection.transmit(into, now);
      if (size === 0) {
        this.#telling.push(slot);
        continue;
      }
      this.#active.add(slot);
      const { segmentSize, from, to } = connection.outbound;
      return this.#leaves(size, segmentSize, from, to);
    }
    return undefined;
  }

  event(): GquicEvent | undefined {
    // What came is told before anything is sent; the timers follow once all has been drained.
    for (let slot = this.#fresh[0]; slot !== undefined; slot = this.#fresh[0]) {
      const event = slot.connection.event();
      if (event !== undefined) return this.#told(slot, event);
      this.#fresh.shift();
      slot.isFresh = false;
    }
    for (let slot = this.#telling[0]; slot !== undefined; slot = this.#telling[0]) {
      const event = slot.connection.event();
      if (event !== undefined) return this.#told(slot, event);
      this.#telling.shift();
      this.#schedule(slot);
    }
    return undefined;
  }

  deadline(): Instant | undefined {
    return this.#due.top?.at;
  }

  #told(slot: Slot, event: GquicEvent): GquicEvent {
    if (event.kind === "gone") this.#forget(slot);
    if (event.kind === "confirmed" || event.kind === "closed") this.#halfOpen.delete(slot);
    return event;
  }

  #leaves(size: number, segmentSize: number, from: SocketAddress, to: SocketAddress): Transmit {
    const out = this.#transmitted;
    out.size = size;
    out.segmentSize = segmentSize;
    out.from = from;
    out.to = to;
    return out;
  }

  // Datagrams

  #datagrams({ bytes, from, to, segmentSize }: Datagrams, now: Instant): void {
    const step = segmentSize > 0 ? segmentSize : bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      this.#datagram(bytes, at, Math.min(bytes.length, at + step), to, from, now);
    }
  }

  #datagram(
    bytes: Uint8Array,
    at: number,
    end: number,
    local: SocketAddress,
    remote: SocketAddress,
    now: Instant,
  ): void {
    if (this.#ground.server === undefined) {
      for (const slot of this.#connections.values()) {
        slot.connection.datagram(bytes, at, end, local, remote, now);
        this.#given(slot);
      }
      return;
    }
    // Clients always say the id: behind the first byte, or behind version and sizes.
    const isLong = bytes[at]! >= 0x80;
    const cidAt = at + (isLong ? 6 : 1);
    if (end - cidAt < cidSize + 1) {
      this.counters.dropped++;
      return;
    }
    const connection = this.#routes.find(bytes, cidAt, cidSize);
    if (connection === undefined) {
      this.#unknown(bytes, at, end, cidAt, isLong, local, remote, now);
      return;
    }
    connection.datagram(bytes, at, end, local, remote, now);
    this.#given(this.#connections.get(connection.core.number)!);
  }

  #unknown(
    bytes: Uint8Array,
    at: number,
    end: number,
    cidAt: number,
    isLong: boolean,
    local: SocketAddress,
    remote: SocketAddress,
    now: Instant,
  ): void {
    const { counters } = this;
    const first = bytes[at]!;
    const cid = bytes.slice(cidAt, cidAt + cidSize);
    const isPublic = !isLong && (first & 0xc0) === 0;
    // Public headers: with an id, and not what only servers say.
    const hasVersion = isLong || (isPublic && (first & 0x0b) === 0x09);
    const isPacket = isLong || !isPublic || (first & 0x0a) === 0x08;
    const size = end - at;
    if (!isPacket || this.#isPortGone) {
      counters.dropped++;
      return;
    }
    if (!hasVersion) {
      const stateless = this.#stateless!;
      const isSaid = isPublic
        ? size >= 26 && stateless.publicReset(cid, local, remote, now)
        : stateless.statelessReset(cid, size, local, remote, now);
      if (isSaid) counters.reset++;
      else counters.dropped++;
      return;
    }
    const code = u32At(bytes, isLong ? at + 1 : cidAt + cidSize);
    const version = versionByCode(code);
    const { versions } = this.#ground.settings;
    if (version === undefined || !versions.includes(version)) {
      const sizes = bytes[at + 5];
      const form = isPublic ? "public" : sizes === cidSize ? "sizes" : sizes === 0x50 ? "nibbles" : undefined;
      const isSaid =
        code !== 0 &&
        form !== undefined &&
        size >= helloMin &&
        this.#stateless!.negotiate(form, cid, versions, local, remote, now);
      if (isSaid) counters.negotiated++;
      else counters.dropped++;
      return;
    }
    // A hello fills a packet; whatever else begins a connection is none.
    if (size < helloMin || this.#isStopped || this.#connections.size >= this.#connectionsMax) {
      counters.dropped++;
      return;
    }
    this.#greet({ version, cid, local: { ...local }, remote: { ...remote } }, bytes, at, end, now);
  }

  #greet(beginning: Omit<Beginning, "number">, bytes: Uint8Array, at: number, end: number, now: Instant): void {
    const slot = this.#begin({ ...beginning, number: ++this.#lastNumber }, now);
    const { connection } = slot;
    connection.isBusy = this.#halfOpen.size >= busyAt * this.#halfOpenMax;
    connection.datagram(bytes, at, end, beginning.local, beginning.remote, now);
    if (connection.core.packetsReceived === 0) {
      // Not even the hash is right: it was no client.
      this.counters.dropped++;
      connection.core.closing.end(undefined);
      connection.core.keyring.destroy();
      this.#forget(slot);
      return;
    }
    this.#halfOpen.add(slot);
    if (this.#halfOpen.size > this.#halfOpenMax) {
      // The oldest has waited longest, and most likely for nothing.
      const [oldest] = this.#halfOpen;
      this.counters.evicted++;
      this.#halfOpen.delete(oldest!);
      oldest!.connection.evict();
      this.#given(oldest!);
    }
    this.#given(slot);
  }

  // Connections

  #connect(local: SocketAddress, remote: SocketAddress, now: Instant): void {
    if (this.#connections.size > 0) return;
    const { entropy, settings, options } = this.#ground;
    const { known, serverName } = options as GquicClientOptions;
    const cid = entropy.fill(new Uint8Array(cidSize));
    const name = knownName(serverName, remote);
    const beginning = { number: 1, version: settings.versions[0]!, cid, local, remote };
    const slot = this.#begin(beginning, now, known?.get(name, now));
    slot.connection.start(now);
    this.#given(slot);
  }

  #begin(
    beginning: Beginning,
    now: Instant,
    known?: ReturnType<NonNullable<GquicClientOptions["known"]>["get"]>,
  ): Slot {
    const connection = new Connection(this.#ground, beginning, known, now);
    const slot: Slot = { connection, at: 0, place: -1, isFresh: false };
    this.#connections.set(beginning.number, slot);
    this.#routes.add(beginning.cid, connection);
    return slot;
  }

  #answer(answer: Answer, now: Instant): void {
    const slot = this.#connections.get(Math.floor(answer.id / questionsPerConnection));
    if (slot === undefined) return;
    slot.connection.answer(answer, now);
    this.#given(slot);
  }

  #given(slot: Slot): void {
    this.#active.add(slot);
    if (slot.isFresh) return;
    slot.isFresh = true;
    this.#fresh.push(slot);
  }

  #forget(slot: Slot): void {
    const { core } = slot.connection;
    this.#connections.delete(core.number);
    this.#routes.remove(core.cid);
    this.#halfOpen.delete(slot);
    this.#active.delete(slot);
    if (slot.place >= 0) this.#due.remove(slot);
  }

  /** When the connection wants to be woken: asked once everything has been drained. */
  #schedule(slot: Slot): void {
    if (!this.#connections.has(slot.connection.core.number)) return;
    const at = slot.connection.deadline(this.#now);
    if (slot.place >= 0) {
      if (at === slot.at) return;
      this.#due.remove(slot);
    }
    if (at === undefined) return;
    slot.at = at;
    this.#due.add(slot);
  }
}
