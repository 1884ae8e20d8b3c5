import { addressFamily } from "../../../bytes/index.js";
import type {
  DatagramOptions,
  Failure,
  Instant,
  Network,
  PeerIdentity,
  SendDatagramOptions,
  SessionStreamSink,
  SocketAddress,
} from "../../../contract/index.js";
import { NumberMap } from "../../../mechanisms/number-map.js";
import type { StreamOption } from "../../../mechanisms/streams/held-stream.js";
import { priorityDefault } from "../../../mechanisms/streams/limits.js";
import type { Connection } from "../connection/connection.js";
import { noDrops } from "../counters.js";
import { errorCodes, type GquicFailure, gquicFailure } from "../failure.js";
import type {
  GquicOutcome,
  GquicSession,
  GquicSink,
  GquicStatistics,
  GquicStream,
  OpenGquicStreamOptions,
} from "../session.js";
import type { Stream } from "../streams/stream.js";
import type { ConnectionEvent, ConnectionInput, ConnectionNumber } from "../vocabulary.js";
import type { Hub } from "./hub.js";
import { type GquicStreamHome, SessionStreamOf } from "./stream.js";

/** A connection, as applications see it. */
export class SessionOfConnection implements GquicSession, GquicStreamHome {
  readonly protocol = "gQUIC";
  readonly role: "client" | "server";
  readonly confirmed: Promise<GquicOutcome>;
  readonly number: ConnectionNumber;
  readonly #hub: Hub;
  readonly #network: Network;
  readonly #datagramOptions: DatagramOptions;
  #sink: GquicSink;
  #local: SocketAddress;
  #remote: SocketAddress;
  #outcome: GquicOutcome | undefined;
  #failure: GquicFailure | undefined;
  #resolve!: (outcome: GquicOutcome) => void;
  #reject!: (failure: unknown) => void;
  #isClosed = false;
  /** Given before the client's port was bound. */
  #early: ConnectionInput[] | undefined;
  readonly #streams = new NumberMap<SessionStreamOf>();
  #nextStream: number;
  #onMoved: Set<(move: { readonly at: Instant }) => void> | undefined;
  #migrating: { readonly port: number; readonly settle: (failure: GquicFailure | undefined) => void } | undefined;
  readonly #openedAt: Instant;
  #confirmedAt: Instant | undefined;
  #last: GquicStatistics | undefined;

  constructor(
    hub: Hub,
    number: ConnectionNumber,
    role: "client" | "server",
    place: { readonly local: SocketAddress; readonly remote: SocketAddress },
    below: { readonly network: Network; readonly datagrams: DatagramOptions },
    sink: GquicSink,
  ) {
    this.#hub = hub;
    this.number = number;
    this.role = role;
    this.#local = place.local;
    this.#remote = place.remote;
    this.#network = below.network;
    this.#datagramOptions = below.datagrams;
    this.#sink = sink;
    this.#openedAt = hub.host.now();
    this.#early = role === "client" ? [] : undefined;
    this.#nextStream = role === "client" ? 3 : 2;
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined); // nobody has to await it
    hub.sessions.set(number, this);
  }

  /** Another sink, for a listener's `accept`, which makes the session before its sink. */
  set sink(sink: GquicSink) {
    this.#sink = sink;
  }

  /** Client: the port is there. What was written before may leave with the first hello. */
  begin(local: SocketAddress): void {
    this.#local = local;
    const { driver } = this.#hub;
    driver.give({ kind: "connect", local, remote: this.#remote });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const input of early) driver.give(input);
  }

  get session(): GquicSession {
    return this;
  }

  get local(): SocketAddress {
    return this.#local;
  }

  get remote(): SocketAddress {
    return this.#remote;
  }

  get outcome(): GquicOutcome | undefined {
    return this.#outcome;
  }

  get peer(): PeerIdentity | undefined {
    return this.#outcome?.peer;
  }

  get failure(): GquicFailure | undefined {
    return this.#failure;
  }

  openStream(sink: SessionStreamSink, options: OpenGquicStreamOptions = {}): GquicStream {
    if (this.#isClosed) throw gquicFailure("misuse", "openStream", "the session is closed");
    const { direction = "bidirectional", priority = priorityDefault, early = false } = options;
    if (direction !== "bidirectional") {
      throw gquicFailure("misuse", "openStream", "every stream of Google QUIC has two directions");
    }
    const id = this.#nextStream;
    this.#nextStream += 2;
    this.give({ connection: this.number, kind: "open-stream", priority, early });
    const stream = new SessionStreamOf(this, id, { direction, byPeer: false, early: false }, sink);
    this.#streams.set(id, stream);
    if (this.#outcome !== undefined) this.#hub.host.soon(() => stream.opened());
    return stream;
  }

  sendDatagram(bytes: Uint8Array, { fate }: SendDatagramOptions = {}): boolean {
    const { datagramMax } = this;
    if (datagramMax === 0 || bytes.length > datagramMax || this.#isClosed) return false;
    this.give({ connection: this.number, kind: "send-datagram", bytes, fate });
    return true;
  }

  get datagramMax(): number {
    return this.#connection?.core.datagramMax ?? 0;
  }

  close(code: number = errorCodes.QUIC_PEER_GOING_AWAY, reason = ""): void {
    this.give({ connection: this.number, kind: "close", code, reason });
  }

  abort(): void {
    this.give({ connection: this.number, kind: "abort" });
  }

  ping(): void {
    this.give({ connection: this.number, kind: "ping" });
  }

  onMoved(call: (move: { readonly at: Instant }) => void): Disposable {
    (this.#onMoved ??= new Set()).add(call);
    return { [Symbol.dispose]: () => void this.#onMoved?.delete(call) };
  }

  async migrate(local: Partial<SocketAddress> = {}): Promise<void> {
    if (this.#outcome === undefined || this.#isClosed || this.#migrating !== undefined) {
      throw gquicFailure("misuse", "migrate", "the session is not confirmed, is closed, or moves already");
    }
    if (this.role === "server") throw gquicFailure("misuse", "migrate", "a server does not move");
    const remote = this.#remote;
    const wanted = { address: addressFamily(remote.address) === 6 ? "::" : "0.0.0.0", port: 0, ...local };
    const before = this.#hub.ports[this.#hub.ports.length - 1];
    const port = await this.#hub.driver.bind(this.#network, wanted, { ...this.#datagramOptions, remote });
    const failure = await new Promise<GquicFailure | undefined>((settle) => {
      this.#migrating = { port: port.local.port, settle };
      this.give({ connection: this.number, kind: "migrate", local: port.local });
    });
    this.#migrating = undefined;
    if (failure !== undefined) {
      port.close();
      throw failure;
    }
    if (before === undefined) return;
    // What is still on its way to the old port may arrive.
    const at = this.#hub.host.now() + 3 * (this.#connection?.core.ptoMs ?? 0);
    this.#hub.host.wakeAt(at, () => before.close()).unref();
  }

  ref(): void {
    if (this.role === "client") for (const port of this.#hub.ports) port.ref();
  }

  unref(): void {
    if (this.role === "client") for (const port of this.#hub.ports) port.unref();
  }

  get statistics(): GquicStatistics {
    const core = this.#connection?.core;
    if (core === undefined && this.#last !== undefined) return this.#last;
    const recovery = core?.recovery;
    const dropped = { ...(core?.dropped ?? noDrops()) };
    return {
      bytesSent: core?.bytesSent ?? 0,
      bytesReceived: core?.bytesReceived ?? 0,
      packetsSent: core?.packetsSent ?? 0,
      packetsReceived: core?.packetsReceived ?? 0,
      packetsLost: recovery?.packetsLost ?? 0,
      packetsLostSpuriously: recovery?.packetsLostSpuriously ?? 0,
      packetsDropped: Object.values(dropped).reduce((sum, count) => sum + count, 0),
      dropped,
      rttMs: recovery?.rtt.smoothedMs ?? 0,
      congestionWindow: recovery?.controller.window ?? 0,
      bytesInFlight: recovery?.bytesInFlight ?? 0,
      mtu: core?.mtu.current ?? 0,
      openedAt: this.#openedAt,
      confirmedAt: this.#confirmedAt,
    };
  }

  // For streams

  give(input: ConnectionInput): void {
    if (this.#early !== undefined) this.#early.push(input);
    else this.#hub.driver.give(input);
  }

  /** Keep-alives are the connection's; DSCP is the port's, and only a client has that to itself. */
  set(option: StreamOption, value: number): boolean {
    if (option === "keepAliveMs") {
      this.give({ connection: this.number, kind: "keep-alive", ms: value > 0 ? value : undefined });
      return true;
    }
    if (option !== "dscp" || this.role === "server") return false;
    const { ports } = this.#hub;
    return ports.length > 0 && ports.every((port) => port.set("dscp", value));
  }

  stream(id: number): Stream | undefined {
    return this.#connection?.core.streams.get(id);
  }

  get #connection(): Connection | undefined {
    return this.#hub.endpoint.connection(this.number);
  }

  // What the machine tells

  tell(event: ConnectionEvent): void {
    const { received } = this.#hub;
    if (event.kind === "stream" && event.event.kind === "bytes") {
      received.gather(this, event.event.id, event.event.bytes);
      return;
    }
    received.flush();
    const sink = this.#sink;
    switch (event.kind) {
      case "stream":
        this.#stream(event);
        break;
      case "datagram":
        sink.datagram?.(received.own(event.bytes));
        break;
      case "confirmed":
        this.#outcome = event.outcome;
        this.#confirmedAt = this.#hub.host.now();
        this.#resolve(event.outcome);
        sink.confirmed?.(event.outcome, this);
        for (const stream of this.#streams.values()) if (!stream.byPeer) stream.opened();
        break;
      case "fate":
        event.tell(event.fate);
        break;
      case "early-data":
        sink.earlyData?.(event.status);
        break;
      case "moved":
        if (event.move.whose === "ours") this.#local = event.move.to;
        else this.#remote = event.move.to;
        sink.moved?.(event.move);
        for (const call of this.#onMoved ?? []) call(event.move);
        break;
      case "mtu":
        sink.mtu?.(event.size);
        break;
      case "migrated":
        if (this.#migrating?.port === event.local.port) this.#migrating.settle(event.failure);
        break;
      case "closed":
        this.#closed(event.failure);
        break;
      default:
        break;
    }
  }

  softError(failure: Failure): void {
    if (this.#isClosed) return;
    this.#sink.softError?.(failure);
    if (this.role === "client" && failure.reason === "refused-connection") {
      this.give({ connection: this.number, kind: "refused", cause: failure });
    }
  }

  /** The port could not be bound, or is gone. */
  portGone(failure: Failure | undefined): void {
    const more = failure === undefined ? {} : { cause: failure };
    this.#closed(gquicFailure("connection-lost", "port", failure?.message ?? "the port below is gone", more));
  }

  #stream({ event, early }: Extract<ConnectionEvent, { readonly kind: "stream" }>): void {
    switch (event.kind) {
      case "released":
        event.released();
        return;
      case "opened":
        this.#accept(event.id, early);
        return;
      case "over": {
        const stream = this.#streams.get(event.id);
        this.#streams.delete(event.id);
        stream?.over();
        return;
      }
      default:
        this.#streams.get(event.id)?.tell(event);
    }
  }

  #accept(id: number, early: boolean): void {
    const stream = new SessionStreamOf(this, id, { direction: "bidirectional", byPeer: true, early }, silent);
    const sink = this.#sink.stream(stream);
    if (sink === undefined) {
      stream.abort();
      return;
    }
    stream.sink = sink;
    this.#streams.set(id, stream);
    stream.opened();
  }

  /** @param bytes of one stream, in memory of their reader's own */
  read(id: number, bytes: Uint8Array): void {
    this.#streams.get(id)?.tell({ kind: "bytes", id, bytes });
  }

  #closed(failure: GquicFailure | undefined): void {
    if (this.#isClosed) return;
    this.#last = this.statistics;
    this.#isClosed = true;
    this.#failure = failure;
    const why = failure ?? gquicFailure("connection-lost", "connection", "the session is closed");
    this.#reject(why);
    for (const input of this.#early ?? []) if (input.kind === "stream-write") input.released?.();
    this.#early = undefined;
    this.#migrating?.settle(why);
    for (const stream of this.#streams.values()) stream.over(failure);
    this.#streams.clear();
    this.unref();
    this.#sink.closed(failure);
  }
}

const silent: SessionStreamSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
