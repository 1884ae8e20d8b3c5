import type { Failure, SessionStreamSink, SocketAddress, StreamPort } from "../../../contract/index.js";
import { minimaltFailure } from "../failure.js";
import { writeQueueMark } from "../limits.js";
import type { MinimaltSession, MinimaltStream } from "../session.js";
import type { Stream } from "../tunnel/stream.js";
import type { TunnelInput } from "../vocabulary.js";

/** What a stream needs of its session. */
export interface StreamHome {
  readonly session: MinimaltSession;
  readonly number: number;
  give(input: TunnelInput): void;
  /** Undefined when it is over, or the tunnel not there yet. */
  stream(id: number): Stream | undefined;
  set(option: Parameters<StreamPort["set"]>[0], value: number): boolean;
}

/** A connection of a tunnel, as those see it who write and read. */
export class StreamOfSession implements MinimaltStream {
  readonly direction = "bidirectional";
  readonly id: number;
  readonly byPeer: boolean;
  readonly service: string;
  readonly user: Uint8Array | undefined;
  sink: SessionStreamSink;
  readonly #home: StreamHome;
  #isOver = false;
  /** Written before the tunnel was there. */
  #unsent = 0;

  constructor(
    home: StreamHome,
    id: number,
    of: { readonly byPeer: boolean; readonly service: string; readonly user: Uint8Array | undefined },
    sink: SessionStreamSink,
  ) {
    this.#home = home;
    this.id = id;
    this.byPeer = of.byPeer;
    this.service = of.service;
    this.user = of.user;
    this.sink = sink;
  }

  get session(): MinimaltSession {
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
    return stream === undefined ? (this.#isOver ? 0 : this.#unsent) : stream.unsent;
  }

  get acknowledged(): number {
    return this.#home.stream(this.id)?.buffer.base ?? 0;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#isOver) {
      released?.();
      return true;
    }
    if (this.#home.stream(this.id) === undefined) this.#unsent += bytes.length;
    this.#home.give({ kind: "write", tunnel: this.#home.number, connection: this.id, bytes, released });
    return this.queued <= writeQueueMark;
  }

  finish(): void {
    this.#give("finish");
  }

  abort(): void {
    this.#refuse();
  }

  /** MinimaLT gives a connection up as a whole, and tells no code. */
  reset(_code: number): void {
    this.#refuse();
  }

  /** What comes is thrown away; the peer is not told, for MinimaLT has no word for it. */
  stopSending(_code: number): void {
    this.#give("stop");
  }

  pause(): void {
    this.#give("pause");
  }

  resume(): void {
    this.#give("resume");
  }

  setPriority(priority: number): void {
    if (this.#isOver) return;
    this.#home.give({ kind: "priority", tunnel: this.#home.number, connection: this.id, priority });
  }

  set(option: Parameters<StreamPort["set"]>[0], value: number): boolean {
    return this.#home.set(option, value);
  }

  ref(): void {
    this.session.ref();
  }

  unref(): void {
    this.session.unref();
  }

  #give(kind: "finish" | "stop" | "pause" | "resume"): void {
    if (!this.#isOver) this.#home.give({ kind, tunnel: this.#home.number, connection: this.id });
  }

  #refuse(): void {
    if (this.#isOver) return;
    this.#home.give({ kind: "refuse", tunnel: this.#home.number, connection: this.id });
  }

  // What the session tells

  /** Both directions are over, or the session is. */
  over(failure?: Failure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.sink.closed(failure);
  }

  refused(): void {
    const message = "the peer refused the connection, or gave it up";
    this.over(minimaltFailure("refused", "refuse", message, { byPeer: true }));
  }
}

export const silent: SessionStreamSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
