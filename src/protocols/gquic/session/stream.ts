import type {
  Failure,
  SessionStreamSink,
  SocketAddress,
  StreamDirection,
  StreamPort,
} from "../../../contract/index.js";
import { writeQueueMark } from "../../../mechanisms/streams/limits.js";
import { gquicFailure } from "../failure.js";
import type { GquicSession, GquicStream } from "../session.js";
import { rstCodes, type Stream } from "../streams/stream.js";
import type { StreamEvent } from "../streams/streams.js";
import type { ConnectionInput, ConnectionNumber } from "../vocabulary.js";

type StreamInput = Extract<ConnectionInput, { readonly stream: number }>;

/** What a stream needs of its session. */
export interface StreamHome {
  readonly session: GquicSession;
  readonly number: ConnectionNumber;
  give(input: StreamInput): void;
  /** Undefined when it is over, or the connection not there yet. */
  stream(id: number): Stream | undefined;
  set(option: StreamOption, value: number): boolean;
}

export type StreamOption = Parameters<StreamPort["set"]>[0];

/** A stream of a session, as those see it who write and read. */
export class SessionStreamOf implements GquicStream {
  readonly id: number;
  readonly direction: StreamDirection = "bidirectional";
  readonly byPeer: boolean;
  readonly early: boolean;
  readonly #home: StreamHome;
  #sink: SessionStreamSink;
  #isOver = false;
  #failure: Failure | undefined;
  /** Written before the connection was there. */
  #unsent = 0;

  constructor(home: StreamHome, id: number, byPeer: boolean, early: boolean, sink: SessionStreamSink) {
    this.#home = home;
    this.id = id;
    this.byPeer = byPeer;
    this.early = early;
    this.#sink = sink;
  }

  /** The sink that `stream` of the session's sink has answered. */
  set sink(sink: SessionStreamSink) {
    this.#sink = sink;
  }

  get session(): GquicSession {
    return this.#home.session;
  }

  get local(): SocketAddress {
    return this.session.local;
  }

  get remote(): SocketAddress {
    return this.session.remote;
  }

  get queued(): number {
    const stream = this.#home.stream(this.id);
    return stream === undefined ? (this.#isOver ? 0 : this.#unsent) : stream.send.unsent;
  }

  get acknowledged(): number {
    return this.#home.stream(this.id)?.send.acknowledgedBytes ?? 0;
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
    this.#give({ kind: "stream-finish" });
  }

  abort(): void {
    this.reset(rstCodes.cancelled);
  }

  /** RST_STREAM ends both directions: the peer gives up its own, too. */
  reset(code: number): void {
    this.#give({ kind: "stream-reset", code });
  }

  stopSending(code: number): void {
    this.#give({ kind: "stream-stop", code });
  }

  pause(): void {
    this.#give({ kind: "stream-pause" });
  }

  resume(): void {
    this.#give({ kind: "stream-resume" });
  }

  setPriority(priority: number): void {
    this.#give({ kind: "stream-priority", priority });
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
        else {
          const { code } = event;
          this.#failure = gquicFailure("closed-by-peer", "RST_STREAM", "the peer gave the stream up", {
            code,
            byPeer: true,
          });
        }
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

  #give(
    input:
      | { readonly kind: "stream-finish" | "stream-pause" | "stream-resume" }
      | { readonly kind: "stream-reset" | "stream-stop"; readonly code: number }
      | { readonly kind: "stream-priority"; readonly priority: number },
  ): void {
    if (this.#isOver) return;
    this.#home.give({ connection: this.#home.number, stream: this.id, ...input });
  }
}
