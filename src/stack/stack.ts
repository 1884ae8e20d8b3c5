import { finish, pseudoHeaderSum, sum } from "../bytes/checksum.js";
import { equal, type Prefix, prefixHolds } from "../bytes/index.js";
import {
  type CryptoProvider,
  type Entropy,
  type Failure,
  type Instant,
  type Machine,
  type NetworkReason,
  networkFailure,
  type Transmit,
  type Wake,
} from "../contract/index.js";
import { type ControllerFactory, Cubic } from "../mechanisms/congestion/index.js";
import { Heap } from "../mechanisms/heap.js";
import { readIcmp, writeIcmp } from "./icmp/icmp.js";
import { fragment } from "./ip/fragment.js";
import { IpHeader, putU16, u16, u32, writeHeader } from "./ip/header.js";
import { PathMtus } from "./ip/path-mtus.js";
import { Protocol } from "./ip/protocols.js";
import { Reassembly } from "./ip/reassembly.js";
import {
  connectionsMax,
  ephemeralPortFirst,
  ephemeralPortLast,
  icmpPerSecondMax,
  listenersMax,
  receiveWindowDefault,
  udpQueueMax,
  udpSocketsMax,
} from "./limits.js";
import { PerSecond } from "./per-second.js";
import { TcpConnection } from "./tcp/connection.js";
import { InitialNumbers } from "./tcp/initial.js";
import type { TcpEnvironment, TcpEvent, TcpOptions } from "./tcp/interfaces.js";
import { type ListenOptions, TcpListener } from "./tcp/listener.js";
import { windowShift } from "./tcp/receiver.js";
import { Flag, OptionsOut, Segment, tcpChecksumHolds, writeTcpHeader } from "./tcp/segment.js";
import { SynCookies } from "./tcp/syn-cookies.js";
import { type TcpTuple, TupleMap } from "./tcp/tuple-map.js";
import { readUdp, type UdpSocket, writeUdp } from "./udp/socket.js";

export interface StackConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Our addresses, each with the length of its network's prefix. */
  readonly addresses: readonly Prefix[];
  /** Bytes of the largest IP packet of the layer below. */
  readonly mtu: number;
  /** Default: CUBIC. */
  readonly congestion?: ControllerFactory;
}

export type StackInput =
  /** IP packets, as a tunnel tells them: packet `i` is `bytes[ranges[2i] … ranges[2i+1])`. Lent. */
  { readonly kind: "packets"; readonly bytes: Uint8Array; readonly ranges: Uint32Array; readonly count: number };

export type StackEvent =
  | TcpEvent
  /** A connection waits on the listener: `accept` it. */
  | { readonly kind: "incoming"; readonly listener: TcpListener }
  | {
      readonly kind: "datagram";
      readonly socket: UdpSocket;
      readonly bytes: Uint8Array;
      readonly source: Uint8Array;
      readonly sourcePort: number;
      readonly destination: Uint8Array;
      readonly ecn: number;
    }
  | { readonly kind: "soft-error"; readonly of: TcpConnection | UdpSocket; readonly failure: Failure }
  | { readonly kind: "echo-reply"; readonly source: Uint8Array; readonly word: number; readonly body: Uint8Array };

export const stackDrops = [
  "malformed",
  "not-ours",
  "bad-checksum",
  "no-socket",
  "fragment-incomplete",
  "backlog-full",
  "rate-limited",
  "queue-full",
  "too-big",
] as const;
export type StackDrop = (typeof stackDrops)[number];

/** What ICMP's words are for whoever is told; anything else is a way that does not lead there. */
const problems: Readonly<Record<string, NetworkReason>> = {
  "port-unreachable": "refused-connection",
  "too-big": "message-too-big",
};

interface Timed {
  place: number;
  at: Instant;
  readonly connection: TcpConnection;
}

/**
 * IP, ICMP, UDP and TCP in user space, over anything that carries IP packets. Packets come in as inputs and go out by
 * `pull`, one at a time into the caller's memory; what happens is told as events. The methods that take `now` are
 * inputs too.
 */
export class Stack implements Machine<StackInput, StackEvent> {
  /** Bytes of the largest packet. It may be lowered when the layer below knows better; what is queued already stays. */
  mtu: number;
  readonly addresses: readonly Prefix[];
  readonly drops: Record<StackDrop, number>;

  readonly #entropy: Entropy;
  readonly #initial: InitialNumbers;
  readonly #cookies: SynCookies;
  readonly #header = new IpHeader();
  readonly #segment = new Segment();
  readonly #reassembly = new Reassembly();
  readonly #pathMtus = new PathMtus();
  readonly #icmpLimit = new PerSecond(icmpPerSecondMax);
  readonly #env: TcpEnvironment;

  readonly #connections = new TupleMap<TcpConnection>();
  readonly #listenerOf = new Map<TcpConnection, TcpListener>();
  readonly #listeners = new Map<number, TcpListener[]>();
  readonly #sockets = new Map<number, UdpSocket[]>();
  #socketCount = 0;

  readonly #ready = new Set<TcpConnection>();
  readonly #packets: Uint8Array[] = [];
  readonly #events: StackEvent[] = [];
  readonly #timers = new Heap<Timed>((a, b) => a.at < b.at);
  readonly #timed = new Map<TcpConnection, Timed>();
  readonly #transmitted: { size: number } = { size: 0 };
  #identification = 0;
  #now: Instant = 0;

  constructor(config: StackConfig) {
    this.mtu = config.mtu;
    this.addresses = config.addresses;
    this.#entropy = config.entropy;
    this.#initial = new InitialNumbers(config.crypto, config.entropy);
    this.#cookies = new SynCookies(config.crypto, config.entropy);
    this.drops = Object.fromEntries(stackDrops.map((reason) => [reason, 0])) as Record<StackDrop, number>;
    this.#env = {
      controller: config.congestion ?? ((packetSize) => new Cubic(packetSize)),
      mtu: (remote) => this.#pathMtus.get(remote, this.#now) ?? this.mtu,
      vanished: (remote, size, now) => this.#pathMtus.suspect(remote, size, now),
      passed: (remote) => this.#pathMtus.acquit(remote),
      ready: (connection) => void this.#ready.add(connection),
      told: (event) => this.#told(event),
    };
  }

  handle(input: StackInput | Wake, now: Instant): void {
    this.#now = now;
    if (input.kind === "wake") {
      const due: TcpConnection[] = [];
      for (let top = this.#timers.top; top !== undefined && top.at <= now; top = this.#timers.top) {
        this.#timers.remove(top);
        due.push(top.connection);
      }
      for (const connection of due) {
        connection.wake(now);
        this.#watch(connection);
      }
      return;
    }
    const { bytes, ranges, count } = input;
    for (let i = 0; i < count; i++) this.#packet(bytes, ranges[2 * i]!, ranges[2 * i + 1]!, now);
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    this.#transmitted.size = this.pull(into, 0, now);
    return this.#transmitted.size > 0 ? this.#transmitted : undefined;
  }

  /** Writes the next packet at `at` and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    this.#now = now;
    const packet = this.#packets.shift();
    if (packet !== undefined) {
      into.set(packet, at);
      return packet.length;
    }
    for (const connection of this.#ready) {
      const size = connection.pull(into, at, now);
      if (size > 0) return size;
      this.#ready.delete(connection);
      this.#watch(connection);
      if (connection.isClosed) this.#forget(connection);
    }
    return 0;
  }

  event(): StackEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    return this.#timers.top?.at;
  }

  // ── TCP ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a connection. Throws `misuse` failures: no address of the family, no free port, too many connections. */
  connect(
    remote: { readonly address: Uint8Array; readonly port: number },
    now: Instant,
    options: TcpOptions & { readonly local?: { readonly address?: Uint8Array; readonly port?: number } } = {},
  ): TcpConnection {
    this.#now = now;
    const local = options.local?.address ?? this.sourceFor(remote.address);
    if (local === undefined || !this.#isOurs(local)) {
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
      this.#freePort((port) => this.#listeners.has(port) || this.#connections.get(tupleAt(port)) !== undefined);
    const tuple = tupleAt(localPort);
    if (this.#connections.get(tuple) !== undefined)
      throw networkFailure("address-in-use", `port ${localPort} is in use`);
    const connection = this.#newConnection(tuple, this.#initial.sequence(tuple, now), options);
    connection.open(now);
    this.#watch(connection);
    return connection;
  }

  /** Listens on a port; zero picks one. */
  listen(port: number, options: ListenOptions = {}): TcpListener {
    const chosen = port || this.#freePort((each) => this.#listeners.has(each));
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
  touched(connection: TcpConnection, now: Instant): void {
    this.#now = now;
    this.#watch(connection);
  }

  // ── UDP and echo ───────────────────────────────────────────────────────────────────────────────────────────────

  bind(port: number, address?: Uint8Array, remote?: UdpSocket["remote"]): UdpSocket {
    const chosen = port || this.#freePort((each) => this.#sockets.has(each));
    const others = this.#sockets.get(chosen) ?? [];
    const clash = others.some(
      (other) => (!other.address || !address || equal(other.address, address)) && (!other.remote || !remote),
    );
    if (clash) throw networkFailure("address-in-use", `port ${chosen} is in use`);
    if (this.#socketCount >= udpSocketsMax) throw networkFailure("no-resources", `${udpSocketsMax} sockets`);
    const socket: UdpSocket = { address, port: chosen, remote };
    // Those with a peer are asked first.
    this.#sockets.set(chosen, remote ? [socket, ...others] : [...others, socket]);
    this.#socketCount++;
    return socket;
  }

  unbind(socket: UdpSocket): void {
    const left = (this.#sockets.get(socket.port) ?? []).filter((each) => each !== socket);
    if (left.length > 0) this.#sockets.set(socket.port, left);
    else this.#sockets.delete(socket.port);
    this.#socketCount--;
  }

  /** Bytes of the largest datagram that goes there in one packet, as far as our link and ICMP have said. */
  datagramMax(destination: Uint8Array, now: Instant): number {
    const mtu = this.#pathMtus.get(destination, now) ?? this.mtu;
    return mtu - (destination.length === 4 ? 20 : 40) - 8;
  }

  /** Queues a datagram; false if it was dropped, which is counted. */
  send(
    socket: UdpSocket,
    payload: Uint8Array,
    destination: Uint8Array,
    port: number,
    now: Instant,
    ecn = 0,
    dscp = 0,
  ): boolean {
    this.#now = now;
    const source = socket.address ?? this.sourceFor(destination);
    if (source === undefined) return this.#drop("not-ours");
    if (payload.length > 65_507) return this.#drop("too-big");
    return this.#queue(writeUdp(source, socket.port, destination, port, payload, ecn, dscp), destination);
  }

  /** Sends an echo request; the answer is an `echo-reply` event with the same word. */
  ping(destination: Uint8Array, word: number, body: Uint8Array, now: Instant): boolean {
    this.#now = now;
    const source = this.sourceFor(destination);
    if (source === undefined) return this.#drop("not-ours");
    return this.#queue(writeIcmp("echo-request", word, body, source, destination), destination);
  }

  /** Our address for a destination: one on its network, else the first of its family. */
  sourceFor(destination: Uint8Array): Uint8Array | undefined {
    let first: Uint8Array | undefined;
    for (const prefix of this.addresses) {
      if (prefix.address.length !== destination.length) continue;
      if (prefixHolds(prefix, destination)) return prefix.address;
      first ??= prefix.address;
    }
    return first;
  }

  // ── packets in ─────────────────────────────────────────────────────────────────────────────────────────────────

  #packet(bytes: Uint8Array, at: number, end: number, now: Instant): void {
    const header = this.#header;
    if (!header.read(bytes, at, end)) {
      this.#drop("malformed");
      return;
    }
    const size = header.addressSize;
    if (!this.#holds(bytes, header.destinationAt, size)) {
      this.#drop("not-ours");
      return;
    }
    if (header.problemAt >= 0) {
      this.#error("parameter-problem", header.problemAt - at, bytes.subarray(at, header.end), now);
      return;
    }
    if (header.isFragment) {
      const whole = this.#reassembly.add(header, bytes, now);
      if (whole !== undefined) this.#packet(whole, 0, whole.length, now);
      return;
    }
    if (header.protocol === Protocol.tcp) this.#tcp(bytes, now);
    else if (header.protocol === Protocol.udp) this.#udp(bytes, now);
    else if (header.protocol === (header.version === 4 ? Protocol.icmp : Protocol.icmpv6)) this.#icmp(bytes, now);
    else this.#drop("no-socket");
  }

  #tcp(bytes: Uint8Array, now: Instant): void {
    const { payload, end, sourceAt, destinationAt, addressSize, ecn } = this.#header;
    // Source and destination stand side by side in both versions.
    const pseudo = sum(bytes, sourceAt, 2 * addressSize) + Protocol.tcp;
    const segment = this.#segment;
    if (!tcpChecksumHolds(bytes, payload, end, pseudo)) {
      this.#drop("bad-checksum");
      return;
    }
    if (!segment.read(bytes, payload, end)) {
      this.#drop("malformed");
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
      this.#drop("no-socket");
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

  #syn(listener: TcpListener, tuple: TcpTuple, bytes: Uint8Array, now: Instant): void {
    const segment = this.#segment;
    if (listener.isFull || this.#connections.size >= connectionsMax) {
      this.#drop("backlog-full");
      return;
    }
    if (listener.isCrowded) {
      this.#cookie(listener.options, tuple, now);
      return;
    }
    const connection = this.#newConnection(tuple, this.#initial.sequence(tuple, now), listener.options);
    this.#listenerOf.set(connection, listener);
    listener.halfOpen.add(connection);
    connection.takeExtras(segment, bytes);
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
    out.mss = this.mtu - (tuple.local.length === 4 ? 20 : 40) - 20;
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
      else this.#drop("backlog-full");
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
    if (segment.has(Flag.rst) || !this.#icmpLimit.take(now)) return;
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
    this.#queue(packet.subarray(0, headerSize + length), remote);
  }

  #udp(bytes: Uint8Array, now: Instant): void {
    const { at, payload, end, sourceAt, destinationAt, addressSize, ecn } = this.#header;
    const source = bytes.slice(sourceAt, sourceAt + addressSize);
    const destination = bytes.slice(destinationAt, destinationAt + addressSize);
    const datagram = readUdp(bytes, payload, end, source, destination);
    if (datagram === undefined) {
      this.#drop("bad-checksum");
      return;
    }
    const socket = this.#sockets
      .get(datagram.destinationPort)
      ?.find(
        ({ address, remote }) =>
          (address === undefined || equal(address, destination)) &&
          (remote === undefined || (remote.port === datagram.sourcePort && equal(remote.address, source))),
      );
    if (socket === undefined) {
      this.#drop("no-socket");
      this.#error("port-unreachable", 0, bytes.subarray(at, end), now);
      return;
    }
    const { payload: content, sourcePort } = datagram;
    this.#events.push({ kind: "datagram", socket, bytes: content, source, sourcePort, destination, ecn });
  }

  #icmp(bytes: Uint8Array, now: Instant): void {
    const { version, payload, end, sourceAt, destinationAt, addressSize } = this.#header;
    const source = bytes.slice(sourceAt, sourceAt + addressSize);
    const destination = bytes.slice(destinationAt, destinationAt + addressSize);
    const message = readIcmp(version, bytes, payload, end, source, destination);
    if (message === undefined) {
      this.#drop("malformed");
      return;
    }
    const { meaning, word, body } = message;
    if (meaning === "echo-request") {
      if (!this.#icmpLimit.take(now)) this.#drop("rate-limited");
      else this.#queue(writeIcmp("echo-reply", word, body, destination, source), source);
    } else if (meaning === "echo-reply") this.#events.push({ kind: "echo-reply", source, word, body });
    else this.#icmpError(meaning, word, body.slice(), now);
  }

  /** An error about a packet of ours, of which it quotes the start. */
  #icmpError(meaning: string, word: number, quote: Uint8Array, now: Instant): void {
    const v4 = quote.length >= 28 && quote[0]! >> 4 === 4;
    if (!v4 && (quote.length < 48 || quote[0]! >> 4 !== 6)) {
      this.#drop("malformed");
      return;
    }
    const upper = v4 ? (quote[0]! & 15) * 4 : 40;
    const protocol = v4 ? quote[9] : quote[6];
    const size = v4 ? 4 : 16;
    const from = v4 ? 12 : 8;
    const local = quote.subarray(from, from + size);
    const remote = quote.subarray(from + size, from + 2 * size);
    if (upper + 8 > quote.length || !this.#isOurs(local)) {
      this.#drop("not-ours");
      return;
    }
    const [localPort, remotePort] = [u16(quote, upper), u16(quote, upper + 2)];
    const problem = networkFailure(problems[meaning] ?? "no-route", `the network answered: ${meaning}`);
    if (protocol === Protocol.tcp) {
      const connection = this.#connections.get({ local, localPort, remote, remotePort });
      if (connection === undefined) return;
      const sequence = u32(quote, upper + 4);
      if (meaning === "too-big") {
        const mtu = this.#pathMtus.learn(remote, word, this.mtu, quote, now);
        if (mtu !== undefined) connection.narrow(mtu, sequence);
      } else {
        const told = connection.unreachable(problem, sequence);
        if (told !== undefined) this.#events.push({ kind: "soft-error", of: connection, failure: told });
      }
      this.#watch(connection);
      return;
    }
    if (protocol !== Protocol.udp) return;
    if (meaning === "too-big") this.#pathMtus.learn(remote, word, this.mtu, quote, now);
    const socket = this.#sockets
      .get(localPort)
      ?.find((each) => !each.remote || (each.remote.port === remotePort && equal(each.remote.address, remote)));
    if (socket !== undefined) this.#events.push({ kind: "soft-error", of: socket, failure: problem });
  }

  /** RFC 1122 §3.2.2, RFC 4443 §2.4: never about an error, never to many, never too many. */
  #error(meaning: "port-unreachable" | "parameter-problem", word: number, packet: Uint8Array, now: Instant): void {
    if (!this.#icmpLimit.take(now)) {
      this.#drop("rate-limited");
      return;
    }
    const v4 = packet[0]! >> 4 === 4;
    const size = v4 ? 4 : 16;
    const from = v4 ? 12 : 8;
    const source = packet.slice(from, from + size);
    const destination = packet.slice(from + size, from + 2 * size);
    this.#queue(writeIcmp(meaning, v4 ? word << 24 : word, packet, destination, source), source);
  }

  // ── small ──────────────────────────────────────────────────────────────────────────────────────────────────────

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
      this.#events.push({ kind: "incoming", listener });
      return;
    }
    if (event.kind === "closed" && listener !== undefined) return;
    this.#events.push(event);
  }

  #watch(connection: TcpConnection): void {
    const at = connection.deadline();
    const timed = this.#timed.get(connection);
    if (at === undefined || at === Number.POSITIVE_INFINITY) {
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

  #queue(packet: Uint8Array, destination: Uint8Array): boolean {
    const mtu = this.#pathMtus.get(destination, this.#now) ?? this.mtu;
    const fragments = fragment(packet, mtu, ++this.#identification);
    if (this.#packets.length + fragments.length > udpQueueMax) return this.#drop("queue-full");
    this.#packets.push(...fragments);
    return true;
  }

  /** RFC 6056 §3.3.1: a random port to begin with, then the next that is free. */
  #freePort(taken: (port: number) => boolean): number {
    const count = ephemeralPortLast - ephemeralPortFirst + 1;
    const start = u16(this.#entropy.fill(new Uint8Array(2)), 0) % count;
    for (let i = 0; i < count; i++) {
      const port = ephemeralPortFirst + ((start + i) % count);
      if (!taken(port)) return port;
    }
    throw networkFailure("no-resources", "no port is free");
  }

  #isOurs(address: Uint8Array): boolean {
    return this.#holds(address, 0, address.length);
  }

  #holds(bytes: Uint8Array, at: number, size: number): boolean {
    next: for (const { address } of this.addresses) {
      if (address.length !== size) continue;
      for (let i = 0; i < size; i++) if (address[i] !== bytes[at + i]) continue next;
      return true;
    }
    return false;
  }

  #drop(reason: StackDrop): false {
    this.drops[reason]++;
    return false;
  }
}
