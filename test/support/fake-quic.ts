import { deferred } from "../../src/contract/deferred.js";
import type {
  DatagramFate,
  Host,
  SendDatagramOptions,
  SessionStreamSink,
  SocketAddress,
} from "../../src/contract/index.js";
import type {
  OpenQuicStreamOptions,
  QuicClientOptions,
  QuicFailure,
  QuicMove,
  QuicOutcome,
  QuicServerOptions,
  QuicSession,
  QuicSink,
  QuicStatistics,
  QuicStream,
} from "../../src/protocols/quic/index.js";
import { quicFailure } from "../../src/protocols/quic/index.js";
import type { QuicDoor } from "../../src/taps/stacks/quic-transport.js";

/** One way takes so long, milliseconds. */
const delayMs = 20;

interface Door {
  readonly host: Host;
  readonly local: SocketAddress;
  readonly options: QuicServerOptions;
  readonly accept: (session: QuicSession) => QuicSink;
  isOpen: boolean;
}

/**
 * QUIC without packets: sessions in pairs that hand one another what their owners say, a moment later. It shows what the
 * rows of TAPS ask of a session, and does what no well-behaved peer does when it is told to.
 */
export class FakeQuic implements QuicDoor {
  readonly doors: Door[] = [];
  /** Sessions as they were made: client, server, client, server … */
  readonly sessions: FakeSession[] = [];
  /** What the next datagrams meet. */
  fate: DatagramFate = "acknowledged";
  /** Do servers know the clients' tickets? */
  takesEarly = false;
  /** Does anything arrive anywhere? */
  isConnected = true;
  /** Why the next handshake fails, if it does. */
  refusal: QuicFailure | undefined;

  connect: QuicDoor["connect"] = (host, remote, options, sink, below) => {
    const local = { address: below.local?.address ?? "192.0.2.1", port: below.local?.port || 50_000 };
    const client = new FakeSession(this, host, "client", local, remote, options, sink);
    this.sessions.push(client);
    client.later(() => this.#arrive(client, remote));
    return client;
  };

  listen: QuicDoor["listen"] = async (host, local, options, accept) => {
    const door: Door = { host, local, options, accept, isOpen: true };
    this.doors.push(door);
    const { promise: closed, resolve } = deferred<undefined>();
    const close = async () => {
      door.isOpen = false;
      resolve(undefined);
    };
    return { local, closed, close, ref: () => {}, unref: () => {} };
  };

  #arrive(client: FakeSession, remote: SocketAddress): void {
    const door = this.doors.find(({ isOpen, local }) => isOpen && local.port === remote.port);
    if (client.isOver || !this.isConnected) return;
    const refusal = this.refusal;
    if (door === undefined) {
      client.end(quicFailure("handshake-timeout", "handshake", "nobody is there"));
      return;
    }
    const server = new FakeSession(this, door.host, "server", remote, client.local, door.options, undefined);
    this.sessions.push(server);
    server.meets(client);
    server.sink = door.accept(server);
    if (refusal !== undefined) {
      server.end(refusal);
      client.end(refusal);
      return;
    }
    if (this.takesEarly) client.release();
    server.later(() => {
      client.later(() => server.confirm());
      client.confirm();
    });
  }
}

export class FakeSession implements QuicSession {
  readonly protocol = "QUIC";
  readonly role: "client" | "server";
  local: SocketAddress;
  remote: SocketAddress;
  readonly options: QuicClientOptions | QuicServerOptions;
  readonly streams: FakeStream[] = [];
  readonly confirmed = new Promise<QuicOutcome>(() => {});
  readonly alpn = undefined;
  readonly outcome: QuicOutcome | undefined;
  readonly peer = undefined;
  failure: QuicFailure | undefined;
  sink!: QuicSink;
  other: FakeSession | undefined;
  isConfirmed = false;
  isOver = false;
  isReferenced = true;
  closedWith: number | undefined;
  readonly #wire: FakeQuic;
  readonly #host: Host;
  #held: (() => void)[] = [];

  constructor(
    wire: FakeQuic,
    host: Host,
    role: "client" | "server",
    local: SocketAddress,
    remote: SocketAddress,
    options: QuicClientOptions | QuicServerOptions,
    sink: QuicSink | undefined,
  ) {
    this.#wire = wire;
    this.#host = host;
    this.role = role;
    this.local = local;
    this.remote = remote;
    this.options = options;
    if (sink !== undefined) this.sink = sink;
  }

  get datagramMax(): number {
    return (this.other?.options.datagramFrameMax ?? 0) === 0 ? 0 : 1_200;
  }

  openStream(sink: SessionStreamSink, options: OpenQuicStreamOptions = {}): QuicStream {
    if (this.isOver) throw quicFailure("misuse", "openStream", "the session is over");
    const stream = new FakeStream(this, sink, this.streams.length, false, options);
    this.streams.push(stream);
    return stream;
  }

  sendDatagram(bytes: Uint8Array, { fate, lifetimeMs }: SendDatagramOptions = {}): boolean {
    if (bytes.length > this.datagramMax) return false;
    const what = lifetimeMs === 0 ? "expired" : this.#wire.fate;
    if (what === "acknowledged") this.tell((other) => other.sink.datagram?.(bytes));
    this.later(() => fate?.(what), 2 * delayMs);
    return true;
  }

  close(code = 0): void {
    if (this.isOver) return;
    this.closedWith = code;
    this.tell((other) => other.end());
    this.later(() => this.end(), 0);
  }

  abort(): void {
    this.close();
  }

  async migrate(local: Partial<SocketAddress> = {}): Promise<void> {
    if (local.address === "203.0.113.9") throw quicFailure("no-viable-path", "PATH_CHALLENGE", "nobody answers there");
    const from = this.local;
    this.local = { ...from, ...local };
    this.sink.moved?.(this.#move("ours", from, this.local));
    this.tell((other) => {
      other.remote = this.local;
      other.sink.moved?.(other.#move("the peer's", from, this.local));
    });
  }

  ping(): void {}
  updateKeys(): void {}
  onMoved = (): Disposable => ({ [Symbol.dispose]() {} });
  onKeyExpiring = (): Disposable => ({ [Symbol.dispose]() {} });
  exportKey = (_label: string, length: number): Uint8Array => new Uint8Array(length);
  ref = (): void => void (this.isReferenced = true);
  unref = (): void => void (this.isReferenced = false);

  get statistics(): QuicStatistics {
    throw new TypeError("nothing is counted here");
  }

  get takesEarly(): boolean {
    return this.#wire.takesEarly;
  }

  later(call: () => void, ms = delayMs): void {
    this.#host.wakeAt(this.#host.now() + ms, call);
  }

  meets(client: FakeSession): void {
    this.other = client;
    client.other = this;
  }

  /** Says something to the other end: once there may be said anything. */
  tell(what: (other: FakeSession) => void, early = false): void {
    const say = () => this.later(() => this.other?.isOver === false && what(this.other));
    if (this.isConfirmed || early) say();
    else this.#held.push(say);
  }

  /** What was held goes: the server has taken our 0-RTT. */
  release(): void {
    for (const say of this.#held.splice(0)) say();
  }

  confirm(): void {
    if (this.isOver) return;
    this.isConfirmed = true;
    this.sink.confirmed?.({} as QuicOutcome, this);
    this.release();
  }

  end(failure?: QuicFailure): void {
    if (this.isOver) return;
    this.isOver = true;
    this.failure = failure;
    for (const stream of this.streams) stream.over(failure);
    this.sink.closed(failure);
  }

  #move(whose: QuicMove["whose"], from: SocketAddress, to: SocketAddress): QuicMove {
    return { at: this.#host.now(), whose, from, to };
  }
}

export class FakeStream implements QuicStream {
  readonly session: FakeSession;
  readonly id: number;
  readonly byPeer: boolean;
  readonly early: boolean;
  readonly direction: QuicStream["direction"];
  readonly queued = 0;
  readonly acknowledged = 0;
  readonly asked: (readonly [option: string, value: number])[] = [];
  priority: number;
  other: FakeStream | undefined;
  isPaused = false;
  readonly #sink: SessionStreamSink;
  #heard: (() => void)[] = [];
  #sent: boolean;
  #got: boolean;
  #isOver = false;

  constructor(
    session: FakeSession,
    sink: SessionStreamSink,
    id: number,
    byPeer: boolean,
    { direction = "bidirectional", priority = 100 }: OpenQuicStreamOptions,
    early = false,
  ) {
    this.session = session;
    this.#sink = sink;
    this.id = id;
    this.byPeer = byPeer;
    this.direction = direction;
    this.priority = priority;
    this.early = early;
    this.#sent = direction === "unidirectional" && byPeer;
    this.#got = direction === "unidirectional" && !byPeer;
  }

  get local(): SocketAddress {
    return this.session.local;
  }

  get remote(): SocketAddress {
    return this.session.remote;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const copy = bytes.slice();
    this.#tell((other) => other.#hear(() => copy.length === 0 || other.#sink.bytes(copy)));
    released?.();
    return true;
  }

  finish(): void {
    if (this.#sent) return;
    this.#tell((other) => other.#hear(() => other.#gotAll(() => other.#sink.ended())));
    this.#sentAll();
  }

  reset(code: number): void {
    if (this.#sent) return;
    this.#tell((other) => other.#gotAll(() => other.#sink.peerReset?.(code)));
    this.#sentAll();
  }

  stopSending(code: number): void {
    if (this.#got) return;
    this.#tell((other) => {
      if (other.#sent) return;
      other.#sink.peerStopped?.(code);
      other.reset(code);
    });
    this.#gotAll(() => {});
  }

  abort(): void {
    this.reset(0);
    this.stopSending(0);
  }

  setPriority(priority: number): void {
    this.priority = priority;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    for (const hear of this.#heard.splice(0)) hear();
  }

  set(option: string, value: number): boolean {
    return this.asked.push([option, value]) > 0;
  }

  ref(): void {}
  unref(): void {}

  over(failure?: QuicFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.closed(failure);
  }

  #hear(what: () => void): void {
    if (this.isPaused) this.#heard.push(what);
    else what();
  }

  #sentAll(): void {
    this.#sent = true;
    if (this.#got) this.session.later(() => this.over(), 2 * delayMs);
  }

  #gotAll(tell: () => void): void {
    if (this.#got) return;
    this.#got = true;
    tell();
    if (this.#sent) this.session.later(() => this.over(), 0);
  }

  /** The other end of the stream hears of it, and first of the stream itself. */
  #tell(what: (other: FakeStream) => void): void {
    const early = !this.session.isConfirmed && this.session.takesEarly;
    this.session.tell((session) => {
      const other = this.other ?? this.#arriveAt(session, early);
      if (other !== undefined && !other.#isOver) what(other);
    });
  }

  #arriveAt(session: FakeSession, early: boolean): FakeStream | undefined {
    let sink: SessionStreamSink | undefined;
    const lazy: SessionStreamSink = {
      bytes: (bytes) => sink?.bytes(bytes),
      ended: () => sink?.ended(),
      drained: () => sink?.drained(),
      peerReset: (code) => sink?.peerReset?.(code),
      peerStopped: (code) => sink?.peerStopped?.(code),
      closed: (failure) => sink?.closed(failure),
    };
    const { direction } = this;
    const other = new FakeStream(session, lazy, this.id, true, { direction }, early && !session.isConfirmed);
    this.other = other;
    other.other = this;
    session.streams.push(other);
    sink = session.sink.stream(other);
    if (sink !== undefined) return other;
    other.abort();
    other.over();
    return undefined;
  }
}
