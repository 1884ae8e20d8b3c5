import type { DatagramFate, Failure, Instant, SocketAddress } from "../../contract/index.js";
import type {
  OpenQuicStreamOptions,
  QuicOutcome,
  QuicSession,
  QuicSink,
  QuicStream,
} from "../../protocols/quic/index.js";
import { QuicDuplex } from "./stream.js";

/** Streams of the peer's that nobody has taken yet; more are refused. Its own limit is usually lower. */
const waitingMax = 1_024;
/** Datagrams that nobody has read yet; more push out the oldest. */
const datagramsMax = 1_024;

/**
 * A QUIC connection for programs: `opened` and `closed`, the peer's streams by a loop, ours by `open`, datagrams.
 *
 *     for await (const stream of transport) stream.end(await compute(await stream.text()));
 */
export class QuicConnection implements AsyncIterable<QuicDuplex>, AsyncDisposable {
  /** Resolves when the handshake is complete and the peer has proved itself; rejects with what prevented it. */
  readonly opened: Promise<QuicOutcome>;
  /** Resolves when the connection is over, with the Failure if it ended badly; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** The sink of its session. */
  readonly sink: QuicSink;
  readonly datagrams: QuicDatagrams = new QuicDatagrams(this);
  #session: QuicSession | undefined;
  readonly #waiting: QuicDuplex[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;
  #settle!: { resolve(outcome: QuicOutcome): void; reject(failure: unknown): void };

  constructor() {
    this.opened = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.opened.catch(() => undefined); // nobody has to await it
    let close!: (failure: Failure | undefined) => void;
    this.closed = new Promise((resolve) => {
      close = resolve;
    });
    this.sink = {
      stream: (stream) => this.#accept(stream),
      datagram: (bytes) => this.datagrams.push(bytes),
      confirmed: (outcome) => this.#settle.resolve(outcome),
      closed: (failure) => {
        this.#isOver = true;
        this.#settle.reject(failure ?? new Error("the connection was closed before it was opened"));
        this.datagrams.push(undefined);
        this.#wake?.();
        close(failure);
      },
    };
  }

  attach(session: QuicSession): this {
    this.#session = session;
    return this;
  }

  /** The session itself: statistics, exporters, pings. */
  get session(): QuicSession {
    return this.#session!;
  }

  /** A new stream of ours. What is written at once waits for the peer's limits; with `early` it may leave as 0-RTT. */
  open(options?: OpenQuicStreamOptions): QuicDuplex {
    const duplex = new QuicDuplex();
    return duplex.attach(this.session.openStream(duplex.sink, options));
  }

  /** The peer's streams, to the end of the connection. Throws what the connection failed of. */
  async *[Symbol.asyncIterator](): AsyncGenerator<QuicDuplex, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#isOver) {
        const failure = await this.closed;
        if (failure !== undefined) throw failure;
        return;
      } else {
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    }
  }

  /** Client: goes on from another local address; resolves when the peer has answered there (RFC 9000 §9.2). */
  migrate(local?: Partial<SocketAddress>): Promise<void> {
    return this.session.migrate(local);
  }

  /** Calls when the peer, or we, have moved to another address. */
  onMoved(call: (move: { readonly at: Instant }) => void): Disposable {
    return this.session.onMoved(call);
  }

  /** New keys for both directions (RFC 9001 §6). */
  updateKeys(): void {
    this.session.updateKeys();
  }

  /** CONNECTION_CLOSE with a code of the application's; resolves when all is over. */
  async close(code = 0, reason = ""): Promise<void> {
    if (!this.#isOver) this.session.close(code, reason);
    await this.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(stream: QuicStream): QuicDuplex["sink"] | undefined {
    if (this.#waiting.length >= waitingMax) return undefined;
    const duplex = new QuicDuplex().attach(stream);
    this.#waiting.push(duplex);
    this.#wake?.();
    return duplex.sink;
  }
}

/** Messages that may be lost and overtaken (RFC 9221). */
export class QuicDatagrams implements AsyncIterable<Uint8Array> {
  readonly #transport: QuicConnection;
  readonly #waiting: Uint8Array[] = [];
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(transport: QuicConnection) {
    this.#transport = transport;
  }

  /** Greatest message that can be sent now; 0 if the peer takes none. */
  get max(): number {
    return this.#transport.session.datagramMax;
  }

  /** Sends one; resolves with what became of it, `refused` if it could not even leave. */
  send(bytes: Uint8Array, lifetimeMs?: number): Promise<DatagramFate | "refused"> {
    return new Promise((fate) => {
      const options = { fate, ...(lifetimeMs !== undefined && { lifetimeMs }) };
      if (!this.#transport.session.sendDatagram(bytes, options)) fate("refused");
    });
  }

  /** @internal */
  push(bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#isOver = true;
    else {
      if (this.#waiting.length >= datagramsMax) this.#waiting.shift();
      this.#waiting.push(bytes);
    }
    this.#wake?.();
  }

  /** What comes, to the end of the connection. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next !== undefined) yield next;
      else if (this.#isOver) return;
      else {
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    }
  }
}
