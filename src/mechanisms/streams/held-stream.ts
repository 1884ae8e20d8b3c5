import type {
  Failure,
  SessionStream,
  SessionStreamSink,
  SocketAddress,
  StreamDirection,
  StreamPort,
} from "../../contract/index.js";
import { writeQueueMark } from "./limits.js";

export type StreamOption = Parameters<StreamPort["set"]>[0];

/** What becomes of a stream by its holder's will, as a machine takes it. Written bytes are the machine's until `released` is called. */
export type StreamVerb = { readonly stream: number } & (
  | { readonly kind: "stream-write"; readonly bytes: Uint8Array; readonly released?: (() => void) | undefined }
  | { readonly kind: "stream-finish" | "stream-pause" | "stream-resume" }
  | { readonly kind: "stream-reset" | "stream-stop"; readonly code: number }
  | { readonly kind: "stream-priority"; readonly priority: number }
);

/** What the machine tells of a stream to its holder. */
export type HeldStreamEvent =
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "ended" | "drained"; readonly id: number }
  | { readonly kind: "reset" | "stopped"; readonly id: number; readonly code: number };

/** What a stream needs of the session that it belongs to. */
export interface StreamHome<Session> {
  readonly session: Session;
  readonly number: number;
  give(input: { readonly connection: number } & StreamVerb): void;
  /** The machine's half; undefined when it is over, or the connection not there yet. */
  stream(
    id: number,
  ): { readonly send: { readonly unsent: number; readonly acknowledgedBytes: number } | undefined } | undefined;
  set(option: StreamOption, value: number): boolean;
}

interface Ends {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  ref(): void;
  unref(): void;
}

/** A stream of a session, as those see it who write and read: its verbs are inputs of the session's machine. */
export abstract class HeldStream<Session extends Ends> implements SessionStream {
  readonly id: number;
  readonly direction: StreamDirection;
  readonly byPeer: boolean;
  /** Server: its first bytes came before the handshake was over, and an attacker may have replayed them. */
  readonly early: boolean;
  readonly #home: StreamHome<Session>;
  #sink: SessionStreamSink;
  #isOver = false;
  #failure: Failure | undefined;
  /** Written before the connection was there. */
  #unsent = 0;

  constructor(
    home: StreamHome<Session>,
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

  get session(): Session {
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
    this.#say("stream-finish");
  }

  abstract abort(): void;

  reset(code: number): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-reset", stream: this.id, code });
  }

  stopSending(code: number): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind: "stream-stop", stream: this.id, code });
  }

  pause(): void {
    this.#say("stream-pause");
  }

  resume(): void {
    this.#say("stream-resume");
  }

  setPriority(priority: number): void {
    if (this.#isOver) return;
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

  tell(event: HeldStreamEvent): void {
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
        else this.#failure = this.gaveUp(event.code);
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

  /** The peer gave up sending, with this code, and nobody asked to hear of it. */
  protected abstract gaveUp(code: number): Failure;

  #say(kind: "stream-finish" | "stream-pause" | "stream-resume"): void {
    if (!this.#isOver) this.#home.give({ connection: this.#home.number, kind, stream: this.id });
  }
}
