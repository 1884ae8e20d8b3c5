import type { Failure, SessionStreamSink, SocketAddress, StreamDirection } from "../../src/contract/index.js";
import type {
  OpenQuicStreamOptions,
  QuicOutcome,
  QuicSession,
  QuicSink,
  QuicStatistics,
  QuicStream,
} from "../../src/protocols/quic/index.js";
import { quicFailure } from "../../src/protocols/quic/index.js";

/** Two ends of a session of streams in one process, with no protocol between them: what one writes the other is told. */
export interface SessionPair {
  readonly client: MemorySession;
  readonly server: MemorySession;
}

export interface PairOptions {
  /** Bytes of a stream that may wait before `write` answers false. Default 65,536. */
  readonly mark?: number;
  /** The largest piece that the other end is told at once. Default: as written. */
  readonly pieceMax?: number;
}

/** The sinks are set by `sink =` before anything is told. */
export function sessionPair(options: PairOptions = {}): SessionPair {
  const client = new MemorySession("client", options);
  const server = new MemorySession("server", options);
  client.peer_ = server;
  server.peer_ = client;
  return { client, server };
}

const address: SocketAddress = { address: "192.0.2.1", port: 443 };

/** Things happen in the order in which they were done, each in a turn of its own. */
const later = (what: () => void): void => void Promise.resolve().then(what);

export class MemorySession implements QuicSession {
  readonly protocol = "QUIC";
  readonly role: "client" | "server";
  readonly local = address;
  readonly remote = address;
  readonly alpn = "h3";
  readonly outcome: QuicOutcome | undefined = undefined;
  readonly failure = undefined;
  readonly peer = undefined;
  readonly datagramMax = 0;
  readonly options: PairOptions;
  readonly streams = new Map<number, MemoryStream>();
  sink: QuicSink = { stream: () => undefined, closed: () => undefined };
  peer_!: MemorySession;
  /** What it was closed with, by either end. */
  closedWith: { readonly code: number; readonly reason: string } | undefined;
  #next = { bidirectional: 0, unidirectional: 0 };

  constructor(role: "client" | "server", options: PairOptions) {
    this.role = role;
    this.options = options;
  }

  get confirmed(): Promise<QuicOutcome> {
    throw new TypeError("nothing is negotiated here");
  }

  get statistics(): QuicStatistics {
    throw new TypeError("nothing is counted here");
  }

  openStream(sink: SessionStreamSink, { direction = "bidirectional" }: OpenQuicStreamOptions = {}): QuicStream {
    if (this.closedWith !== undefined) throw quicFailure("misuse", "openStream", "the session is closed");
    const id =
      this.#next[direction]++ * 4 + (direction === "unidirectional" ? 2 : 0) + (this.role === "server" ? 1 : 0);
    const ours = new MemoryStream(this, id, direction, false);
    const theirs = new MemoryStream(this.peer_, id, direction, true);
    ours.other = theirs;
    theirs.other = ours;
    ours.sink = sink;
    this.streams.set(id, ours);
    this.peer_.streams.set(id, theirs);
    later(() => {
      theirs.sink = this.peer_.sink.stream(theirs);
      if (theirs.sink === undefined) {
        theirs.sink = silent;
        theirs.stopSending(0);
        if (direction === "bidirectional") theirs.reset(0);
      }
    });
    if (direction === "unidirectional") {
      ours.isInOver = true;
      theirs.isOutOver = true;
    }
    return ours;
  }

  sendDatagram(): boolean {
    return false;
  }

  close(code = 0, reason = ""): void {
    this.#end(code, reason, false);
    later(() => this.peer_.#end(code, reason, true));
  }

  abort(): void {
    this.close();
  }

  updateKeys(): void {}
  async migrate(): Promise<void> {}
  ping(): void {}
  ref(): void {}
  unref(): void {}

  onMoved(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  onKeyExpiring(): Disposable {
    return { [Symbol.dispose]: () => undefined };
  }

  exportKey(): Uint8Array {
    return new Uint8Array();
  }

  #end(code: number, reason: string, byPeer: boolean): void {
    if (this.closedWith !== undefined) return;
    this.closedWith = { code, reason };
    const failure =
      byPeer && code !== 0 ? quicFailure("closed-by-application", "CONNECTION_CLOSE", reason, { code }) : undefined;
    for (const stream of this.streams.values()) stream.over(failure ?? gone);
    later(() => this.sink.closed(failure));
  }
}

const gone: Failure = quicFailure("connection-lost", "session", "the session is closed");

const silent: SessionStreamSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  peerReset: () => undefined,
  closed: () => undefined,
};

export class MemoryStream implements QuicStream {
  readonly session: MemorySession;
  readonly id: number;
  readonly direction: StreamDirection;
  readonly byPeer: boolean;
  readonly early = false;
  readonly local = address;
  readonly remote = address;
  other!: MemoryStream;
  sink: SessionStreamSink | undefined;
  isInOver = false;
  isOutOver = false;
  acknowledged = 0;
  /** Is it paused now, and how often it was. */
  isPaused = false;
  pauses = 0;
  /** Codes that this end gave up with. */
  resetWith: number | undefined;
  stoppedWith: number | undefined;
  #queue: { bytes: Uint8Array; released: (() => void) | undefined }[] = [];
  #finished = false;
  #wantsDrain = false;
  #isClosed = false;
  #isMoving = false;

  constructor(session: MemorySession, id: number, direction: StreamDirection, byPeer: boolean) {
    this.session = session;
    this.id = id;
    this.direction = direction;
    this.byPeer = byPeer;
  }

  get queued(): number {
    return this.#queue.reduce((size, { bytes }) => size + bytes.length, 0);
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.isOutOver || this.#finished) {
      released?.();
      return true;
    }
    this.#queue.push({ bytes, released });
    this.move();
    const free = this.queued < (this.session.options.mark ?? 65_536);
    if (!free) this.#wantsDrain = true;
    return free;
  }

  finish(): void {
    this.#finished = true;
    this.move();
  }

  abort(): void {
    this.reset(0);
    this.stopSending(0);
  }

  reset(code: number): void {
    if (this.isOutOver) return;
    this.resetWith = code;
    this.#endOut();
    later(() => {
      if (this.other.isInOver) return;
      this.other.isInOver = true;
      this.other.sink?.peerReset?.(code);
      this.other.check();
    });
    this.check();
  }

  stopSending(code: number): void {
    if (this.isInOver) return;
    this.stoppedWith = code;
    this.isInOver = true;
    later(() => {
      if (this.other.isOutOver) return;
      this.other.#endOut();
      this.other.sink?.peerStopped?.(code);
      this.other.check();
    });
    this.check();
  }

  pause(): void {
    this.isPaused = true;
    this.pauses++;
  }

  resume(): void {
    this.isPaused = false;
    this.other.move();
  }

  setPriority(): void {}
  set(): boolean {
    return false;
  }
  ref(): void {}
  unref(): void {}

  over(failure: Failure): void {
    this.isInOver = true;
    this.#endOut();
    this.check(failure);
  }

  /** Hands on what waits, a piece a turn, unless the other end is paused. */
  move(): void {
    if (this.#isMoving) return;
    this.#isMoving = true;
    later(() => {
      this.#isMoving = false;
      const { other } = this;
      if (this.isOutOver || other.isPaused) return;
      const first = this.#queue[0];
      if (first !== undefined) {
        const piece = first.bytes.slice(0, this.session.options.pieceMax);
        first.bytes = first.bytes.subarray(piece.length);
        if (first.bytes.length === 0) {
          this.#queue.shift();
          first.released?.();
        }
        this.acknowledged += piece.length;
        if (!other.isInOver && piece.length > 0) other.sink?.bytes(piece);
        if (this.#wantsDrain && this.queued < (this.session.options.mark ?? 65_536)) {
          this.#wantsDrain = false;
          this.sink?.drained();
        }
        this.move();
      } else if (this.#finished) {
        this.isOutOver = true;
        if (!other.isInOver) {
          other.isInOver = true;
          other.sink?.ended();
        }
        this.check();
        other.check();
      }
    });
  }

  check(failure?: Failure): void {
    if (!this.isInOver || !this.isOutOver || this.#isClosed) return;
    this.#isClosed = true;
    later(() => this.sink?.closed(failure));
  }

  #endOut(): void {
    this.isOutOver = true;
    for (const { released } of this.#queue.splice(0)) released?.();
  }
}
