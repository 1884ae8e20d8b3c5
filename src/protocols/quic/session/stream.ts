import type {
  Failure,
  SessionStreamSink,
  SocketAddress,
  StreamDirection,
  StreamPort,
} from "../../../contract/index.js";
import { writeQueueMark } from "../../../mechanisms/streams/limits.js";
import { quicFailure } from "../failure.js";
import type { QuicSession, QuicStream } from "../session.js";
import type { StreamEvent } from "../streams/index.js";
import type { Stream } from "../streams/stream.js";
import type { ConnectionInput, ConnectionNumber } from "../vocabulary.js";

type StreamInput = Extract<ConnectionInput, { readonly stream: number }>;

/** What a stream needs of its session. */
export interface StreamHome {
  readonly session: QuicSession;
  readonly number: ConnectionNumber;
  give(input: StreamInput): void;
  /** Undefined when it is over, or the connection not there yet. */
  stream(id: number): Stream | undefined;
  set(option: StreamOption, value: number): boolean;
}

export type StreamOption = Parameters<StreamPort["set"]>[0];

/** A stream of a session, as those see it who write and read. */
export class SessionStreamOf implements QuicStream {
  readonly id: number;
  readonly direction: StreamDirection;
  readonly byPeer: boolean;
  readonly early: boolean;
  readonly #home: StreamHome;
  #sink: SessionStreamSink;
  #isOver = false;
  /** Written before the connection was there. */
  #unsent = 0;

  constructor(
    home: StreamHome,
    id: number,
    options: { readonly direction: StreamDirection; readonly byPeer: boolean; readonly early: boolean },
    sink: SessionStreamSink,
  ) {
    this.#home = home;
    this.id = id;
    this.direction = options.direction;
    this.byPeer = options.byPeer;
    this.early = options.early;
    this.#sink = sink;
  }

  /** The sink that `stream` of the session's sink has answered. */
  set sink(sink: SessionStreamSink) {
    this.#sink = sink;
  }

  get session(): QuicSession {
    return this.#home.session;
  }

  get local(): SocketAddress {
    return this.session.local;
  }

  get remote(): SocketAddress {
    return this.session.remote;
  }

  get queued(): number {
    const send = this.#home.stream(this.id)?.send;
    return send === undefined ? (this.#isOver ? 0 : this.#unsent) : send.unsent;
  }

  get acknowledged(): number {
    return this.#home.stream(this.id)?.send?.acknowledgedBytes ?? 0;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#isOver) {
      released?.();
      return true;
    }
    if (this.#home.stream(this.id) === undefined) this.#unsent += bytes.length;
    this.#home.give({ connection: this.#home.number, kind: "stream-write", stream: this.id, bytes, released });
    return this.queued <= writeQueueMark;
  }

  finish(): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-finish", stream: this.id });
  }

  abort(): void {
    this.reset(0);
    this.stopSending(0);
  }

  reset(code: number): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-reset", stream: this.id, code });
  }

  stopSending(code: number): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-stop", stream: this.id, code });
  }

  pause(): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-pause", stream: this.id });
  }

  resume(): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-resume", stream: this.id });
  }

  setPriority(priority: number): void {
    if (!this.#isOver)
      this.#home.give({ connection: this.#home.number, kind: "stream-priority", stream: this.id, priority });
  }

  /** The connection is one path: what is asked for a stream holds for all of it. */
  set(option: StreamOption, value: number): boolean {
    return this.#home.set(option, value);
  }

  ref(): void {
    this.session.ref();
  }

  unref(): void {
    this.session.unref();
  }

  // What the machine tells

  opened(): void {
    this.#sink.opened?.();
  }

  tell(event: Exclude<StreamEvent, { readonly kind: "opened" | "released" | "over" }>): void {
    const sink = this.#sink;
    switch (event.kind) {
      case "bytes":
        sink.bytes(event.bytes);
        break;
      case "ended":
        sink.ended();
        break;
      case "reset":
        if (sink.peerReset !== undefined) sink.peerReset(event.code);
        else
          this.#failure = quicFailure("closed-by-peer", "reset_stream", "the peer gave up sending", {
            code: event.code,
          });
        break;
      case "stopped":
        sink.peerStopped?.(event.code);
        break;
      case "drained":
        sink.drained();
        break;
    }
  }

  /** Both directions are over, or the session is. */
  over(failure?: Failure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.closed(failure ?? this.#failure);
  }

  #failure: Failure | undefined;
}
