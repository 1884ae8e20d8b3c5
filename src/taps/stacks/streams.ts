import type {
  Alarm,
  Failure,
  Host,
  OpenStreamOptions,
  SessionStream,
  SessionStreamSink,
  SocketAddress,
  StreamsSession,
} from "../../contract/index.js";
import { deferred } from "../events.js";
import { TapsFailure } from "../failure.js";
import { lingerMs, sessionIdleGraceMs } from "../limits.js";
import type { ConnectionProperties, Scheduler, SelectionProperties } from "../properties.js";
import type {
  PathChange,
  SecuritySession,
  SendHow,
  Settle,
  StreamGroup,
  StreamWish,
  Transport,
  TransportSink,
} from "./stack.js";
import { setOnStream } from "./tcp.js";

/** What a group needs of a session beside its streams. */
export interface GroupSession extends StreamsSession {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  openStream(sink: SessionStreamSink, options?: OpenStreamOptions & { readonly early?: boolean }): SessionStream;
  /** Ends it without a word. */
  abort(): void;
  migrate?(local?: Partial<SocketAddress>): Promise<void>;
}

export interface GroupInit {
  readonly host: Host;
  /** Ours ends when its last stream has, after a moment's grace; one that a peer began, when the peer says so. */
  readonly ours: boolean;
  /** The direction of the Connections that the peer's streams become; and whether we open the first. */
  readonly direction: SelectionProperties["direction"];
  readonly accept?: StreamGroup["accept"];
}

/**
 * A session of streams as RFC 9622's Connection Group: each stream is a Connection, and what concerns the session is
 * told to all of them. It is the session's sink; whoever made the session attaches it.
 */
export class StreamsGroup implements StreamGroup {
  readonly host: Host;
  accept: StreamGroup["accept"];
  /** What secures it; the members' `security`. */
  security!: SecuritySession;
  readonly #init: GroupInit;
  readonly #whenOver = deferred<void>();
  /** Those whose stream is not over, though their Connection may be. */
  readonly #members = new Set<Member>();
  /** Those whose Connection is not over. */
  readonly #live = new Set<Member>();
  readonly #referenced = new Set<Member>();
  #session: GroupSession | undefined;
  #isConfirmed = false;
  /** Does the session end, after a moment's grace, with its last stream? */
  #endsIdle: boolean;
  #isEnding = false;
  #isOver = false;
  #arrivals = 0;
  #grace: Alarm | undefined;

  constructor(init: GroupInit) {
    this.#init = init;
    this.host = init.host;
    this.#endsIdle = init.ours;
    this.accept = init.accept;
  }

  attach(session: GroupSession, security: SecuritySession): this {
    this.#session = session;
    this.security = security;
    return this;
  }

  get session(): GroupSession {
    return this.#session!;
  }

  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  get over(): Promise<void> {
    return this.#whenOver.promise;
  }

  get isIdle(): boolean {
    return this.#members.size === 0;
  }

  /** A stream of ours; `early` is what may go on it before the handshake is over. */
  openStream(
    sink: TransportSink,
    { direction, connPriority, announce }: StreamWish,
    early?: Uint8Array,
  ): StreamTransport {
    if (this.#isEnding) throw new TapsFailure({ reason: "not-cloneable", message: "the session is over" });
    const transport = new StreamTransport(this, direction);
    transport.sink = sink;
    transport.set("connPriority", connPriority);
    this.join(transport);
    // What only receives waits for a stream of the peer's.
    if (direction !== "unidirectional-receive") {
      const of = direction === "bidirectional" ? "bidirectional" : "unidirectional";
      const options = { direction: of, priority: transport.priority, early: early !== undefined } as const;
      transport.attach(this.session.openStream(transport, options));
      if (early !== undefined) transport.sendEarly(early);
      else if (announce) transport.announce();
    }
    // Told later, as every transport does.
    if (this.#isConfirmed) this.host.soon(() => transport.ready());
    return transport;
  }

  /** A Connection that the peer did not open: a Listener whose Connections only send opens them itself. */
  offer(): void {
    const transport = new StreamTransport(this, "unidirectional-send");
    const sink = this.accept?.(transport);
    if (sink === undefined) return;
    transport.sink = sink;
    this.join(transport);
    transport.attach(this.session.openStream(transport, { direction: "unidirectional" }));
    transport.ready();
  }

  /** Nobody waits for further streams: it ends with its last. */
  endWhenIdle(): void {
    this.#endsIdle = true;
    if (this.isIdle) this.#end();
    else if (this.#live.size === 0) this.#endAfter(lingerMs);
  }

  /** CONNECTION_CLOSE once every stream is over. */
  close(): void {
    this.#isEnding = true;
    if (this.isIdle) this.#end();
    else if (this.#live.size === 0) this.#endAfter(lingerMs);
  }

  abort(): void {
    this.#isEnding = true;
    this.#end();
  }

  get migrate(): StreamGroup["migrate"] {
    const { session } = this;
    return session.migrate === undefined ? undefined : (local) => session.migrate!(local);
  }

  // What the session tells.

  /** The handshake is over, and the peer has proved itself: every Connection is Ready. */
  confirmed(): void {
    this.#isConfirmed = true;
    for (const member of [...this.#members]) member.ready();
  }

  /** A stream of the peer's: it goes to who waits for it, or becomes a Connection, or is refused. */
  stream(stream: SessionStream, early = false): SessionStreamSink | undefined {
    if (this.#isEnding) return undefined;
    for (const member of this.#members) {
      const sink = member.takes(stream);
      if (sink !== undefined) return sink;
    }
    const direction = stream.direction === "bidirectional" ? "bidirectional" : "unidirectional-receive";
    const { direction: wanted } = this.#init;
    // A one-way stream has no way back; whoever only sends has no use for what the peer sends.
    if (wanted === "unidirectional-send" || (wanted === "unidirectional-receive" && direction !== wanted)) {
      return undefined;
    }
    const transport = new StreamTransport(this, direction, early);
    transport.attach(stream);
    const sink = this.accept?.(transport);
    if (sink === undefined) return undefined;
    transport.sink = sink;
    this.join(transport);
    if (this.#isConfirmed) transport.ready();
    return transport;
  }

  datagram(bytes: Uint8Array): void {
    for (const member of this.#members) member.datagram?.(bytes);
  }

  softError(failure: Failure): void {
    for (const member of this.#members) member.sink.softError(failure);
  }

  pathChange(change: PathChange): void {
    for (const member of this.#members) member.sink.pathChange(change);
  }

  /** The session is over. Streams have been told by the session; what had none yet hears it here. */
  closed(failure?: Failure): void {
    this.#isOver = this.#isEnding = true;
    this.#grace?.cancel();
    for (const member of [...this.#members]) member.closed(failure);
    this.#whenOver.resolve();
  }

  // What members tell.

  join(member: Member): void {
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#members.add(member);
    this.#live.add(member);
    this.refer(member, true);
  }

  /** Its Connection is over; what it sent may still be on its way, and is waited for within a bound. */
  ended(member: Member): void {
    this.#live.delete(member);
    if (this.#live.size === 0 && !this.isIdle && (this.#endsIdle || this.#isEnding)) this.#endAfter(lingerMs);
  }

  /** Its stream is over. */
  leave(member: Member): void {
    this.#members.delete(member);
    this.#live.delete(member);
    this.#referenced.delete(member);
    if (!this.isIdle || this.#isOver) return;
    if (this.#isEnding || !this.#isConfirmed) this.#end();
    else if (this.#endsIdle) this.#endAfter(sessionIdleGraceMs);
  }

  /** An attempt that was given up: no peer has to hear that its stream is reset. */
  abandoned(member: Member): void {
    const isLast = this.#members.size === 1 && this.#members.has(member);
    if (isLast && this.#endsIdle && !this.#isConfirmed) this.#end();
  }

  /** The process lives while any member wants it to. */
  refer(member: Member, does: boolean): void {
    if (does) this.#referenced.add(member);
    else this.#referenced.delete(member);
    if (this.#referenced.size > 0) this.session.ref();
    else this.session.unref();
  }

  /** Order of arrival, for who serves first come first. */
  nextArrival(): number {
    return ++this.#arrivals;
  }

  #endAfter(ms: number): void {
    this.#grace?.cancel();
    if (!this.#isOver) this.#grace = this.host.wakeAt(this.host.now() + ms, () => this.#end());
  }

  #end(): void {
    this.#isEnding = true;
    if (!this.#isOver) this.session.close();
  }
}

/** A Connection of the group, as the group sees it. */
export interface Member {
  readonly sink: TransportSink;
  ready(): void;
  /** A stream of the peer's that it has been waiting for: answers who hears of it. */
  takes(stream: SessionStream): SessionStreamSink | undefined;
  datagram?(bytes: Uint8Array): void;
  closed(failure?: Failure): void;
}

/** A stream of a session as a Transport. */
export class StreamTransport implements Transport, Member, SessionStreamSink {
  sink!: TransportSink;
  readonly sendMax = Number.POSITIVE_INFINITY;
  readonly receiveMax = Number.POSITIVE_INFINITY;
  readonly singularMax = undefined;
  readonly session: StreamsGroup;
  readonly direction: SelectionProperties["direction"];
  readonly #isEarly: boolean;
  #stream: SessionStream | undefined;
  #connPriority = 100;
  #scheduler: Scheduler = "weighted-fair-queueing";
  #arrival = 0;
  #carriedEarly = false;
  #isPaused = false;
  #isReady = false;
  /** Our direction, and the peer's, are over or never were. */
  #sentAll: boolean;
  #gotAll: boolean;
  /** How the peer gave up, if it did. */
  #reset: Failure | undefined;
  /** TAPS has heard `closed`. */
  #isTold = false;

  constructor(session: StreamsGroup, direction: SelectionProperties["direction"], early = false) {
    this.session = session;
    this.direction = direction;
    this.#isEarly = early;
    this.#sentAll = direction === "unidirectional-receive";
    this.#gotAll = direction === "unidirectional-send";
  }

  attach(stream: SessionStream): void {
    this.#stream = stream;
    stream.setPriority(this.priority);
    if (this.#isPaused) stream.pause();
  }

  get security(): SecuritySession {
    return this.session.security;
  }

  get local(): SocketAddress {
    return this.session.session.local;
  }

  get remote(): SocketAddress {
    return this.session.session.remote;
  }

  /** Nobody is waited for where there is nothing to wait for. */
  get closesWhole(): boolean {
    return this.direction !== "bidirectional";
  }

  /** The session says again what the peer did not take early: nothing is left to be sent anew. */
  get earlyAccepted(): boolean {
    return this.#carriedEarly;
  }

  get priority(): number {
    return priorities[this.#scheduler](this.#connPriority, this.#arrival);
  }

  send(bytes: Uint8Array, _how: SendHow, sent: Settle): boolean {
    const stream = this.#stream!;
    if (this.#scheduler === "first-come-first-served" && stream.queued === 0) {
      this.#arrival = this.session.nextArrival();
      stream.setPriority(this.priority);
    }
    return stream.write(bytes, sent);
  }

  /** The Message is its sender's again once we are Ready, which may be before it is acknowledged: so a copy goes. */
  sendEarly(bytes: Uint8Array): void {
    this.#carriedEarly = true;
    this.#stream!.write(bytes.slice());
  }

  /** An empty STREAM frame (RFC 9000 §19.8). */
  announce(): void {
    this.#stream!.write(new Uint8Array());
  }

  /** FIN. */
  finish(): void {
    if (this.#sentAll) return;
    this.#sentAll = true;
    this.#stream?.finish();
  }

  /** What was sent is still delivered; what the peer still says is not wanted any more (STOP_SENDING). */
  close(): void {
    if (!this.#gotAll) this.#stream?.stopSending(0);
    this.#gotAll = true;
    this.finish();
    this.#endLater();
  }

  abort(): void {
    this.#sentAll = this.#gotAll = true;
    this.#stream?.abort();
    this.#endLater();
    this.session.abandoned(this);
  }

  pause(): void {
    this.#isPaused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#stream?.resume();
  }

  ref(): void {
    this.session.refer(this, true);
  }

  unref(): void {
    this.session.refer(this, false);
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    switch (name) {
      case "connPriority":
        this.#connPriority = value as number;
        break;
      case "connScheduler":
        this.#scheduler = value as Scheduler;
        break;
      case "tcp.userTimeoutValue":
        return false;
      default:
        // The session is one path: what is asked of it on a stream holds for all.
        return this.#stream !== undefined && setOnStream(this.#stream, name, value);
    }
    this.#stream?.setPriority(this.priority);
    return true;
  }

  ready(): void {
    if (this.#isReady || this.#isTold) return;
    this.#isReady = true;
    this.sink.ready();
  }

  takes(stream: SessionStream): SessionStreamSink | undefined {
    if (this.#stream !== undefined || this.#isTold || stream.direction !== "unidirectional") return undefined;
    this.attach(stream);
    return this;
  }

  // What the stream tells.

  bytes(bytes: Uint8Array): void {
    if (this.#gotAll) return;
    // RFC 9001 §9.2: until the handshake is over, what a client sends may be a replay.
    this.sink.received(bytes, this.#isEarly && !this.session.isConfirmed ? early : undefined);
  }

  ended(): void {
    if (this.#gotAll) return;
    this.#gotAll = true;
    this.sink.ended();
  }

  drained(): void {
    if (!this.#isTold) this.sink.writable();
  }

  peerReset(code: number): void {
    if (this.#gotAll) return;
    this.#gotAll = true;
    this.#reset = givenUp("the peer gave up sending", code);
    // With both directions over this is a Connection's end, with one it is not.
    if (this.#sentAll) this.#tell(this.#reset);
    else if (!this.#isTold) this.sink.cut?.("receive", this.#reset);
  }

  peerStopped(code: number): void {
    if (this.#sentAll) return;
    this.#sentAll = true;
    const failure = givenUp("the peer reads no more", code);
    if (this.#reset !== undefined || this.direction === "unidirectional-send") this.#tell(failure);
    else if (!this.#isTold) this.sink.cut?.("send", failure);
  }

  closed(failure?: Failure): void {
    const isWhole = this.#sentAll && this.#gotAll;
    this.#tell(failure ?? this.#reset ?? (isWhole ? undefined : unfinished()));
    this.session.leave(this);
  }

  /** A stream that never was is over at once; another when its last byte is acknowledged. */
  #endLater(): void {
    this.session.host.soon(() => {
      this.#tell(undefined);
      if (this.#stream === undefined) this.session.leave(this);
    });
  }

  #tell(failure: Failure | undefined): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.sink.closed(failure);
    this.session.ended(this);
  }
}

/**
 * What a stream's place is among those of its session, by the group's scheduler: lower goes first, equals take turns.
 * RFC 9622 §9.2.6 lets `connPriority` come before everything where the scheduler looks at it.
 */
const priorities: Readonly<Record<Scheduler, (connPriority: number, arrival: number) => number>> = {
  "first-come-first-served": (_, arrival) => arrival,
  "round-robin": () => 0,
  "round-robin-per-packet": () => 0,
  "fair-capacity": () => 0,
  "priority-based": (connPriority) => connPriority,
  "weighted-fair-queueing": (connPriority) => connPriority,
};

const early = { early: true } as const;

const givenUp = (what: string, code: number): TapsFailure =>
  new TapsFailure({
    reason: "connection-aborted",
    message: `${what}, with code ${code}`,
    fault: "refused",
    byPeer: true,
    code,
  });

const unfinished = (): TapsFailure =>
  new TapsFailure({ reason: "connection-aborted", message: "the session ended before the stream did", byPeer: true });

/** Does who opens a stream want to hear before it speaks? */
export const announces = ({ activeReadBeforeSend }: Pick<SelectionProperties, "activeReadBeforeSend">): boolean =>
  activeReadBeforeSend === "require" || activeReadBeforeSend === "prefer";
