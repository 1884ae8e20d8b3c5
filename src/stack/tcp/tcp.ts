import { finish, pseudoHeaderSum, sum } from "../../bytes/checksum.js";
import { equal } from "../../bytes/index.js";
import { type CryptoProvider, type Failure, type Instant, networkFailure } from "../../contract/index.js";
import type { ControllerFactory } from "../../mechanisms/congestion/index.js";
import { Heap } from "../../mechanisms/heap.js";
import { type IpHeader, putU16, writeHeader } from "../ip/header.js";
import type { IpHost } from "../ip/host.js";
import { Protocol } from "../ip/protocols.js";
import { connectionsMax, listenersMax, receiveWindowDefault } from "../limits.js";
import { TcpConnection } from "./connection.js";
import { InitialNumbers } from "./initial.js";
import type { TcpEnvironment, TcpEvent, TcpOptions } from "./interfaces.js";
import { type ListenOptions, TcpListener } from "./listener.js";
import { windowShift } from "./receiver.js";
import { Flag, OptionsOut, Segment, tcpChecksumHolds, writeTcpHeader } from "./segment.js";
import { SynCookies } from "./syn-cookies.js";
import { type TcpTuple, TupleMap } from "./tuple-map.js";

/** Where to, and from where. */
export interface ConnectOptions extends TcpOptions {
  readonly local?: { readonly address?: Uint8Array; readonly port?: number };
}

interface Timed {
  place: number;
  at: Instant;
  readonly connection: TcpConnection;
}

/** All connections and listeners of a stack: which segment belongs to whom, who has something to send, who is due when. */
export class Tcp {
  readonly #host: IpHost;
  readonly #initial: InitialNumbers;
  readonly #cookies: SynCookies;
  readonly #segment = new Segment();
  readonly #env: TcpEnvironment;

  readonly #connections = new TupleMap<TcpConnection>();
  readonly #listenerOf = new Map<TcpConnection, TcpListener>();
  readonly #listeners = new Map<number, TcpListener[]>();

  readonly #ready = new Set<TcpConnection>();
  readonly #timers = new Heap<Timed>((a, b) => a.at < b.at);
  readonly #timed = new Map<TcpConnection, Timed>();

  constructor(host: IpHost, crypto: CryptoProvider, controller: ControllerFactory) {
    this.#host = host;
    this.#initial = new InitialNumbers(crypto, host.entropy);
    this.#cookies = new SynCookies(crypto, host.entropy);
    this.#env = {
      controller,
      mtu: (remote) => host.mtuTo(remote),
      vanished: (remote, size, now) => host.pathMtus.suspect(remote, size, now),
      passed: (remote) => host.pathMtus.acquit(remote),
      ready: (connection) => void this.#ready.add(connection),
      told: (event) => this.#told(event),
    };
  }

  /** Opens a connection. Throws `misuse` failures: no address of the family, no free port, too many connections. */
  connect(
    remote: { readonly address: Uint8Array; readonly port: number },
    now: Instant,
    options: ConnectOptions,
  ): TcpConnection {
    const local = options.local?.address ?? this.#host.sourceFor(remote.address);
    if (local === undefined || !this.#host.isOurs(local)) {
      throw networkFailure("address-not-available", "none of our addresses can reach this destination");
    }
    if (this.#connections.size >= connectionsMax) throw networkFailure("no-resources", `${connectionsMax} connections`);
    const tupleAt = (localPort: number): TcpTuple => ({
      local,
      localPort,
      remote: remote.address,
      remotePort: remote.port,
    });
    const localPort =
      options.local?.port ||
      this.#host.freePort((port) => this.#listeners.has(port) || this.#connections.get(tupleAt(port)) !== undefined);
    const tuple = tupleAt(localPort);
    if (this.#connections.get(tuple) !== undefined)
      throw networkFailure("address-in-use", `port ${localPort} is in use`);
    const connection = this.#newConnection(tuple, this.#initial.sequence(tuple, now), options);
    connection.open(now);
    this.#watch(connection);
    return connection;
  }

  /** Listens on a port; zero picks one. */
  listen(port: number, options: ListenOptions): TcpListener {
    const chosen = port || this.#host.freePort((each) => this.#listeners.has(each));
    const others = this.#listeners.get(chosen) ?? [];
    const clash = others.some(
      ({ options: { address } }) => !address || !options.address || equal(address, options.address),
    );
    if (clash) throw networkFailure("address-in-use", `port ${chosen} is in use`);
    if (this.#listeners.size >= listenersMax) throw networkFailure("no-resources", `${listenersMax} listeners`);
    const listener = new TcpListener(chosen, options);
    this.#listeners.set(chosen, [...others, listener]);
    return listener;
  }

  /** Stops listening: what was accepted lives on, what waits is reset. */
  unlisten(listener: TcpListener): void {
    const left = (this.#listeners.get(listener.port) ?? []).filter((each) => each !== listener);
    if (left.length > 0) this.#listeners.set(listener.port, left);
    else this.#listeners.delete(listener.port);
    for (let each = listener.accept(); each !== undefined; each = listener.accept()) each.abort();
    for (const each of listener.halfOpen) each.abort();
  }

  /** After a connection was given work to do: its timers count. */
  touched(connection: TcpConnection): void {
    this.#watch(connection);
  }

  /** Writes the next segment at `at` as a packet and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    for (const connection of this.#ready) {
      const size = connection.pull(into, at, now);
      if (size > 0) return size;
      this.#ready.delete(connection);
      this.#watch(connection);
      if (connection.isClosed) this.#forget(connection);
    }
    return 0;
  }

  deadline(): Instant | undefined {
    return this.#timers.top?.at;
  }

  wake(now: Instant): void {
    const due: TcpConnection[] = [];
    for (let top = this.#timers.top; top !== undefined && top.at <= now; top = this.#timers.top) {
      this.#timers.remove(top);
      due.push(top.connection);
    }
    for (const connection of due) {
      connection.wake(now);
      this.#watch(connection);
    }
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A packet with a segment. */
  packet(header: IpHeader, bytes: Uint8Array, now: Instant): void {
    const { payload, end, sourceAt, destinationAt, addressSize, ecn } = header;
    // Source and destination stand side by side in both versions.
    const pseudo = sum(bytes, sourceAt, 2 * addressSize) + Protocol.tcp;
    const segment = this.#segment;
    if (!tcpChecksumHolds(bytes, payload, end, pseudo)) {
      this.#host.drop("bad-checksum");
      return;
    }
    if (!segment.read(bytes, payload, end)) {
      this.#host.drop("malformed");
      return;
    }
    const { sourcePort, destinationPort } = segment;
    const connection = this.#connections.find(bytes, destinationAt, destinationPort, sourceAt, sourcePort, addressSize);
    const reopens =
      connection?.state === "timeWait" && segment.has(Flag.syn) && !segment.has(Flag.ack) && !segment.has(Flag.rst);
    if (connection !== undefined && !reopens) {
      connection.segment(segment, bytes, ecn, now);
      this.#watch(connection);
      return;
    }
    const tuple: TcpTuple = {
      local: bytes.slice(destinationAt, destinationAt + addressSize),
      localPort: destinationPort,
      remote: bytes.slice(sourceAt, sourceAt + addressSize),
      remotePort: sourcePort,
    };
    const listener = this.#listenerFor(destinationPort, tuple.local);
    if (listener === undefined) {
      this.#host.drop("no-socket");
      this.#refuse(tuple, now);
    } else if (connection !== undefined) {
      // RFC 9293 §3.10.7.4: a new SYN may take over a connection that only waits.
      connection.abort();
      this.#forget(connection);
      this.#syn(listener, tuple, bytes, now);
    } else if (segment.has(Flag.rst)) return;
    else if (segment.has(Flag.syn) && !segment.has(Flag.ack)) this.#syn(listener, tuple, bytes, now);
    else if (segment.has(Flag.ack) && !segment.has(Flag.syn)) this.#cookieAck(listener, tuple, bytes, ecn, now);
    else this.#refuse(tuple, now);
  }

  has(tuple: TcpTuple): boolean {
    return this.#connections.get(tuple) !== undefined;
  }

  /** ICMP says that a segment of this connection was too large for the way. */
  tooBig(tuple: TcpTuple, sequence: number, mtu: number | undefined): void {
    const connection = this.#connections.get(tuple);
    if (connection === undefined) return;
    if (mtu !== undefined) connection.narrow(mtu, sequence);
    this.#watch(connection);
  }

  /** ICMP says that a segment of this connection did not arrive. */
  unreachable(tuple: TcpTuple, sequence: number, problem: Failure): void {
    const connection = this.#connections.get(tuple);
    if (connection === undefined) return;
    const told = connection.unreachable(problem, sequence);
    if (told !== undefined) this.#host.events.push({ kind: "soft-error", of: connection, failure: told });
    this.#watch(connection);
  }

  #syn(listener: TcpListener, tuple: TcpTuple, bytes: Uint8Array, now: Instant): void {
    const segment = this.#segment;
    if (listener.isFull || this.#connections.size >= connectionsMax) {
      this.#host.drop("backlog-full");
      return;
    }
    if (listener.isCrowded) {
      this.#cookie(listener.options, tuple, now);
      return;
    }
    const connection = this.#newConnection(tuple, this.#initial.sequence(tuple, now), listener.options);
    this.#listenerOf.set(connection, listener);
    listener.halfOpen.add(connection);
    connection.takeExtras(segment, bytes, now);
    connection.accept(
      {
        initial: segment.sequence,
        mss: segment.mss ?? 536,
        windowScale: segment.windowScale,
        sackPermitted: segment.sackPermitted,
        timestamp: segment.hasTimestamps ? segment.timestamp : undefined,
        ecn: segment.has(Flag.ece) && segment.has(Flag.cwr),
      },
      now,
      false,
    );
    this.#watch(connection);
  }

  /** Answers a SYN and keeps nothing. */
  #cookie(options: ListenOptions, tuple: TcpTuple, now: Instant): void {
    const segment = this.#segment;
    const out = new OptionsOut();
    out.mss = this.#host.mtu - (tuple.local.length === 4 ? 20 : 40) - 20;
    const window = options.receiveWindow ?? receiveWindowDefault;
    const [shift, offset] = [windowShift(window), this.#initial.timestampOffset(tuple)];
    const ecn = options.ecn ?? true;
    const cookie = this.#cookies.answer(tuple, segment, shift, ecn, offset, out, now);
    const agrees = ecn && out.timestamps && segment.has(Flag.ece) && segment.has(Flag.cwr);
    const flags = Flag.syn | Flag.ack | (agrees ? Flag.ece : 0);
    this.#bare(tuple, cookie, segment.sequence + 1, flags, Math.min(window, 0xffff), out);
  }

  #cookieAck(listener: TcpListener, tuple: TcpTuple, bytes: Uint8Array, ecn: number, now: Instant): void {
    const made = this.#cookies.open(tuple, this.#segment, now);
    if (made === undefined || listener.isFull || this.#connections.size >= connectionsMax) {
      if (made === undefined) this.#refuse(tuple, now);
      else this.#host.drop("backlog-full");
      return;
    }
    const connection = this.#newConnection(tuple, made.initial, listener.options);
    this.#listenerOf.set(connection, listener);
    connection.accept(made.peer, now, true);
    connection.segment(this.#segment, bytes, ecn, now);
    this.#watch(connection);
  }

  /** RFC 9293 §3.10.7.1: a reset for what belongs to nothing. */
  #refuse(tuple: TcpTuple, now: Instant): void {
    const segment = this.#segment;
    if (segment.has(Flag.rst) || !this.#host.icmpLimit.take(now)) return;
    if (segment.has(Flag.ack)) this.#bare(tuple, segment.acknowledgment, 0, Flag.rst);
    else this.#bare(tuple, 0, segment.sequence + segment.length, Flag.rst | Flag.ack);
  }

  /** A segment of no connection: a cookie or a reset. */
  #bare(
    tuple: TcpTuple,
    sequence: number,
    acknowledgment: number,
    flags: number,
    window = 0,
    options = new OptionsOut(),
  ): void {
    const { local, localPort, remote, remotePort } = tuple;
    const headerSize = local.length === 4 ? 20 : 40;
    const packet = new Uint8Array(headerSize + 60);
    const optionsSize = options.write(packet, headerSize + 20);
    const length = 20 + optionsSize;
    writeTcpHeader(packet, headerSize, localPort, remotePort, sequence, acknowledgment, flags, window, optionsSize);
    const pseudo = pseudoHeaderSum(local, remote, Protocol.tcp, length);
    putU16(packet, headerSize + 16, finish(pseudo + sum(packet, headerSize, length)));
    writeHeader(packet, 0, local, remote, Protocol.tcp, length, 0, 0, 0);
    this.#host.queue(packet.subarray(0, headerSize + length), remote);
  }

  #newConnection(tuple: TcpTuple, initial: number, options: TcpOptions): TcpConnection {
    const connection = new TcpConnection(tuple, initial, this.#initial.timestampOffset(tuple), this.#env, options);
    this.#connections.add(connection);
    return connection;
  }

  #forget(connection: TcpConnection): void {
    this.#connections.delete(connection);
    this.#listenerOf.get(connection)?.halfOpen.delete(connection);
    this.#listenerOf.delete(connection);
    this.#ready.delete(connection);
    const timed = this.#timed.get(connection);
    if (timed !== undefined) this.#timers.remove(timed);
    this.#timed.delete(connection);
  }

  /** Events of connections that nobody has accepted yet stay between them and their listener. */
  #told(event: TcpEvent): void {
    const { connection } = event;
    const listener = this.#listenerOf.get(connection);
    if (event.kind === "opened" && listener !== undefined) {
      this.#listenerOf.delete(connection);
      listener.established(connection);
      this.#host.events.push({ kind: "incoming", listener });
      return;
    }
    if (event.kind === "closed" && listener !== undefined) return;
    this.#host.events.push(event);
  }

  #watch(connection: TcpConnection): void {
    const at = connection.deadline();
    const timed = this.#timed.get(connection);
    if (at === undefined) {
      if (timed !== undefined) this.#timers.remove(timed);
    } else if (timed === undefined) {
      const made: Timed = { place: -1, at, connection };
      this.#timed.set(connection, made);
      this.#timers.add(made);
    } else if (timed.place < 0 || timed.at !== at) {
      this.#timers.remove(timed);
      timed.at = at;
      this.#timers.add(timed);
    }
  }

  #listenerFor(port: number, local: Uint8Array): TcpListener | undefined {
    const listeners = this.#listeners.get(port);
    return (
      listeners?.find(({ options }) => options.address !== undefined && equal(options.address, local)) ??
      listeners?.find(({ options }) => options.address === undefined)
    );
  }
}
