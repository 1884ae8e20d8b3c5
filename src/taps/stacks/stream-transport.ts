import type { Failure, SessionStream, SessionStreamSink, SocketAddress } from "../../contract/index.js";
import { TapsFailure } from "../failure.js";
import type { ConnectionProperties, Scheduler, SelectionProperties } from "../properties.js";
import { setOnStream } from "./port-transport.js";
import type { SecuritySession, SendHow, Settle, Transport, TransportSink } from "./stack.js";
import type { Member, StreamsGroup } from "./streams.js";

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

  /** The Message is its sender's again once we are Ready, which may be before it is acknowledged: so a copy goes (no slice, which of a Buffer is a view). */
  sendEarly(bytes: Uint8Array): void {
    this.#carriedEarly = true;
    this.#stream!.write(new Uint8Array(bytes));
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
    this.session.served(this);
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
