import { addressFamily } from "../../../bytes/index.js";
import {
  type DatagramOptions,
  type Failure,
  type Instant,
  type KeyExpiry,
  type Network,
  type PeerIdentity,
  requireInterface,
  type SendDatagramOptions,
  type SessionStreamSink,
  type SocketAddress,
} from "../../../contract/index.js";
import { NumberMap } from "../../../mechanisms/number-map.js";
import type { StreamOption } from "../../../mechanisms/streams/held-stream.js";
import { priorityDefault } from "../../../mechanisms/streams/limits.js";
import type { Connection } from "../connection/connection.js";
import { type QuicFailure, quicFailure } from "../failure.js";
import { quicProfile } from "../profile.js";
import type {
  OpenQuicStreamOptions,
  QuicOutcome,
  QuicSession,
  QuicSink,
  QuicStatistics,
  QuicStream,
} from "../session.js";
import { isUnidirectional, type Stream } from "../streams/stream.js";
import type { ConnectionEvent, ConnectionInput, ConnectionNumber } from "../vocabulary.js";
import type { Hub } from "./hub.js";
import { statisticsOf } from "./statistics.js";
import { type QuicStreamHome, SessionStreamOf } from "./stream.js";

/** A connection, as applications see it. */
export class SessionOfConnection implements QuicSession, QuicStreamHome {
  readonly protocol = "QUIC";
  readonly role: "client" | "server";
  readonly confirmed: Promise<QuicOutcome>;
  readonly #hub: Hub;
  readonly number: ConnectionNumber;
  readonly #network: Network;
  readonly #datagramOptions: DatagramOptions;
  #sink: QuicSink;
  #local: SocketAddress;
  #remote: SocketAddress;
  #outcome: QuicOutcome | undefined;
  #failure: QuicFailure | undefined;
  #resolve!: (outcome: QuicOutcome) => void;
  #reject!: (failure: unknown) => void;
  #isClosed = false;
  /** Given before the client's port was bound. */
  #early: ConnectionInput[] | undefined;
  readonly #streams = new NumberMap<SessionStreamOf>();
  readonly #opened = { bidirectional: 0, unidirectional: 0 };
  #onMoved: Set<(move: { readonly at: Instant }) => void> | undefined;
  #onExpiring: Set<(why: KeyExpiry) => void> | undefined;
  /** Moves under way, by their local port. */
  #migrating: Map<number, (failure: QuicFailure | undefined) => void> | undefined;
  readonly #openedAt: Instant;
  #confirmedAt: Instant | undefined;
  #last: QuicStatistics | undefined;

  constructor(
    hub: Hub,
    number: ConnectionNumber,
    role: "client" | "server",
    place: { readonly local: SocketAddress; readonly remote: SocketAddress },
    below: { readonly network: Network; readonly datagrams: DatagramOptions },
    sink: QuicSink,
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
    this.confirmed = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.confirmed.catch(() => undefined); // nobody has to await it
    hub.sessions.set(number, this);
  }

  /** Another sink, for a listener's `accept`, which makes the session before its sink. */
  set sink(sink: QuicSink) {
    this.#sink = sink;
  }

  /** Client: the port is there. */
  begin(local: SocketAddress): void {
    this.#local = local;
    this.#hub.driver.handle({ kind: "connect", connection: this.number, local, remote: this.#remote });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const input of early) this.give(input);
  }

  get session(): QuicSession {
    return this;
  }

  get local(): SocketAddress {
    return this.#local;
  }

  get remote(): SocketAddress {
    return this.#remote;
  }

  get alpn(): string | undefined {
    return this.#outcome?.alpn ?? this.#connection?.core.tls.earlyAlpn;
  }

  get outcome(): QuicOutcome | undefined {
    return this.#outcome;
  }

  get peer(): PeerIdentity | undefined {
    return this.#outcome?.peer;
  }

  get failure(): QuicFailure | undefined {
    return this.#failure;
  }

  openStream(sink: SessionStreamSink, options: OpenQuicStreamOptions = {}): QuicStream {
    if (this.#isClosed) throw quicFailure("misuse", "openStream", "the session is closed");
    const { direction = "bidirectional", priority = priorityDefault, early = false } = options;
    const isUni = direction === "unidirectional";
    const id = 4 * this.#opened[direction]++ + (isUni ? 2 : 0) + (this.role === "server" ? 1 : 0);
    this.give({ connection: this.number, kind: "open-stream", direction, priority, early });
    const stream = new SessionStreamOf(this, id, { direction, byPeer: false, early: false }, sink);
    this.#streams.set(id, stream);
    if (this.#outcome !== undefined) this.#hub.host.soon(() => stream.opened());
    return stream;
  }

  sendDatagram(bytes: Uint8Array, options: SendDatagramOptions = {}): boolean {
    const { lifetimeMs, fate } = options;
    const { datagramMax } = this;
    // Not even an empty one for a peer that takes none.
    if (datagramMax === 0 || bytes.length > datagramMax || this.#isClosed) return false;
    this.give({ connection: this.number, kind: "send-datagram", bytes, lifetimeMs, fate });
    return true;
  }

  get datagramMax(): number {
    return this.#connection?.core.datagramMax ?? 0;
  }

  close(code = 0, reason = ""): void {
    this.give({ connection: this.number, kind: "close", code, reason });
  }

  abort(): void {
    this.give({ connection: this.number, kind: "abort" });
  }

  updateKeys(): void {
    requireInterface(quicProfile, "KU");
    if (this.#outcome === undefined || this.#isClosed) throw tooEarly("updateKeys");
    this.give({ connection: this.number, kind: "update-keys" });
  }

  ping(): void {
    this.give({ connection: this.number, kind: "ping" });
  }

  exportKey(label: string, length: number, context?: Uint8Array): Uint8Array {
    const connection = this.#connection;
    if (connection === undefined || this.#outcome === undefined) throw tooEarly("exportKey");
    return connection.core.tls.exportKey(label, length, context);
  }

  onMoved(call: (move: { readonly at: Instant }) => void): Disposable {
    (this.#onMoved ??= new Set()).add(call);
    return { [Symbol.dispose]: () => void this.#onMoved?.delete(call) };
  }

  onKeyExpiring(call: (why: KeyExpiry) => void): Disposable {
    (this.#onExpiring ??= new Set()).add(call);
    return { [Symbol.dispose]: () => void this.#onExpiring?.delete(call) };
  }

  async migrate(local: Partial<SocketAddress> = {}): Promise<void> {
    if (this.#outcome === undefined || this.#isClosed) throw tooEarly("migrate");
    if (this.role === "server") throw quicFailure("misuse", "migrate", "a server does not move");
    const failure = await this.#move(local, undefined);
    if (failure !== undefined) throw failure;
  }

  /** Goes on from a port of its own, once the server has answered there; stays where it is if it has not. */
  async #move(local: Partial<SocketAddress>, preferred: SocketAddress | undefined): Promise<QuicFailure | undefined> {
    const remote = preferred ?? this.#remote;
    const wanted = { address: addressFamily(remote.address) === 6 ? "::" : "0.0.0.0", port: 0, ...local };
    const before = this.#hub.ports[this.#hub.ports.length - 1];
    const port = await this.#hub.driver.bind(this.#network, wanted, { ...this.#datagramOptions, remote });
    const failure = await new Promise<QuicFailure | undefined>((resolve) => {
      (this.#migrating ??= new Map()).set(port.local.port, resolve);
      this.give({
        connection: this.number,
        kind: "migrate",
        local: port.local,
        ...(preferred && { remote: preferred }),
      });
    });
    if (failure !== undefined) port.close();
    // What is still on its way to the old port may arrive.
    else if (before !== undefined) {
      const at = this.#hub.host.now() + 3 * (this.#connection?.core.ptoMs ?? 0);
      this.#hub.host.wakeAt(at, () => before.close()).unref();
    }
    return failure;
  }

  ref(): void {
    if (this.role === "client") for (const port of this.#hub.ports) port.ref();
  }

  unref(): void {
    if (this.role === "client") for (const port of this.#hub.ports) port.unref();
  }

  get statistics(): QuicStatistics {
    const connection = this.#connection;
    if (connection === undefined && this.#last !== undefined) return this.#last;
    return statisticsOf(connection?.core, this.#openedAt, this.#confirmedAt);
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
    if (event.kind === "stream" && event.event.kind === "bytes") {
      this.#hub.received.gather(this, event.event.id, event.event.bytes);
      return;
    }
    this.#hub.received.flush();
    const sink = this.#sink;
    switch (event.kind) {
      case "stream":
        this.#stream(event);
        break;
      case "datagram":
        sink.datagram?.(this.#hub.received.own(event.bytes));
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
      case "ticket":
        sink.ticket?.();
        break;
      case "token":
        this.#hub.token?.(event.token);
        break;
      case "key-updated":
        sink.keyUpdated?.("read", event.byPeer);
        sink.keyUpdated?.("write", event.byPeer);
        break;
      case "key-expiring":
        sink.keyExpiring?.(event.why);
        for (const call of this.#onExpiring ?? []) call(event.why);
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
        this.#migrating?.get(event.local.port)?.(event.failure);
        this.#migrating?.delete(event.local.port);
        break;
      case "preferred":
        // It was only an offer: where it leads nowhere, the session stays.
        this.#move({}, event.remote).catch(() => undefined);
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
    // Nobody listens there, and nobody has been heard: there is nothing to wait for.
    const isRefused = failure.reason === "refused-connection" && this.#connection?.core.isHeard !== true;
    if (this.role === "client" && isRefused) this.give({ connection: this.number, kind: "refused", cause: failure });
  }

  /** The port could not be bound, or is gone. */
  portGone(failure: Failure | undefined): void {
    const more = failure === undefined ? {} : { cause: failure };
    this.#closed(quicFailure("connection-lost", "port", failure?.message ?? "the port below is gone", more));
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
    const direction = isUnidirectional(id) ? "unidirectional" : "bidirectional";
    const stream = new SessionStreamOf(this, id, { direction, byPeer: true, early }, silent);
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

  #closed(failure: QuicFailure | undefined): void {
    if (this.#isClosed) return;
    this.#last = statisticsOf(this.#connection?.core, this.#openedAt, this.#confirmedAt);
    this.#isClosed = true;
    this.#failure = failure;
    // Made for whoever waits: an Error takes its stack down, which costs more than all else that is done here.
    const why = () => failure ?? quicFailure("connection-lost", "connection", "the session is closed");
    if (this.#confirmedAt === undefined) this.#reject(why());
    for (const input of this.#early ?? []) if (input.kind === "stream-write") input.released?.();
    this.#early = undefined;
    for (const resolve of this.#migrating?.values() ?? []) resolve(why());
    for (const stream of this.#streams.values()) stream.over(failure);
    this.#streams.clear();
    this.unref();
    this.#sink.closed(failure);
  }
}

const tooEarly = (what: string): QuicFailure =>
  quicFailure("misuse", what, "the session is not confirmed, or closed", { hint: "await `confirmed` first" });

const silent: SessionStreamSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
