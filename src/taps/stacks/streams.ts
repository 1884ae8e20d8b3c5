import { deferred } from "../../contract/deferred.js";
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
import { TapsFailure } from "../failure.js";
import { lingerMs, sessionIdleGraceMs } from "../limits.js";
import type { SelectionProperties } from "../properties.js";
import type { PathChange, SecuritySession, StreamGroup, StreamWish, TransportSink } from "./stack.js";
import { StreamTransport } from "./stream-transport.js";

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
  onTrouble: StreamGroup["onTrouble"];
  /** What secures it; the members' `security`. */
  security!: SecuritySession;
  readonly #init: GroupInit;
  readonly #whenOver = deferred<void>();
  /** Those whose stream is not over, though their Connection may be. */
  readonly #members = new Set<Member>();
  /** Those whose Connection is not over. */
  readonly #live = new Set<Member>();
  /** Those who wait for streams of the peer's. */
  readonly #takers = new Set<Member>();
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

  get local(): SocketAddress {
    return this.session.local;
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
    // What only receives waits for a stream of the peer's.
    const waits = direction === "unidirectional-receive";
    if (!waits) {
      const of = direction === "bidirectional" ? "bidirectional" : "unidirectional";
      const options = { direction: of, priority: transport.priority, early: early !== undefined } as const;
      transport.attach(this.session.openStream(transport, options));
      if (early !== undefined) transport.sendEarly(early);
      else if (announce) transport.announce();
    }
    this.join(transport, waits);
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
    transport.attach(this.session.openStream(transport, { direction: "unidirectional" }));
    this.join(transport);
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
    for (const member of this.#takers) {
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
    this.onTrouble?.(failure);
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

  join(member: Member, takes = false): void {
    if (takes) this.#takers.add(member);
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

  /** It has the stream that it waited for. */
  served(member: Member): void {
    this.#takers.delete(member);
  }

  /** Its stream is over. */
  leave(member: Member): void {
    for (const each of [this.#members, this.#live, this.#takers, this.#referenced]) each.delete(member);
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

/** Does who opens a stream want to hear before it speaks? */
export const announces = ({ activeReadBeforeSend }: Pick<SelectionProperties, "activeReadBeforeSend">): boolean =>
  activeReadBeforeSend === "require" || activeReadBeforeSend === "prefer";
