import type {
  Host,
  SendDatagramOptions,
  SessionStreamSink,
  SocketAddress,
  StreamDirection,
} from "../../contract/index.js";
import { type Below, connect, listen } from "./door.js";
import type { QuicFailure } from "./failure.js";
import { limits } from "./limits.js";
import type { QuicClientOptions, QuicServerOptions } from "./options.js";
import type { OpenQuicStreamOptions, QuicListener, QuicOutcome, QuicSession, QuicSink, QuicStream } from "./session.js";

/**
 * A QUIC connection with promises and loops instead of sinks, as WebTransport and node:quic have it:
 *
 *     await using connection = open(host, { address: "192.0.2.1", port: 443 }, { alpn: ["chat"], verify });
 *     const stream = connection.createStream();
 *     await stream.write(bytes);
 *     await stream.end();
 *     for await (const chunk of stream) …
 *     for await (const theirs of connection) …          // the peer's streams
 *     for await (const message of connection.datagrams) …
 */
export class QuicConnection implements AsyncIterable<QuicDuplex>, AsyncDisposable {
  readonly session: QuicSession;
  /** Resolves when the peer has proved itself; rejects with what prevented it. */
  readonly opened: Promise<QuicOutcome>;
  /** Resolves at the end; rejects if it was a bad one. */
  readonly closed: Promise<void>;
  /** Messages of the peer's. One that nobody takes in time is dropped, as any datagram may be. */
  readonly datagrams: AsyncIterable<Uint8Array>;
  readonly #streams = new Channel<QuicDuplex>();
  readonly #datagrams = new Channel<Uint8Array>();
  #waiting = 0;

  /** Made by `open` and `serve`. `begin` gets the sink that the session tells. */
  constructor(begin: (sink: QuicSink) => QuicSession) {
    let end!: (failure?: QuicFailure) => void;
    this.closed = new Promise((resolve, reject) => {
      end = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
    this.closed.catch(() => undefined); // nobody has to await it
    this.datagrams = {
      [Symbol.asyncIterator]: () =>
        this.#datagrams.iterate((bytes) => {
          this.#waiting -= bytes.length;
        }),
    };
    this.session = begin({
      stream: (stream) => {
        const duplex = new QuicDuplex(stream);
        this.#streams.push(duplex);
        return duplex.sink;
      },
      datagram: (bytes) => {
        if (this.#waiting + bytes.length > limits.datagramQueueMax) return;
        this.#waiting += bytes.length;
        this.#datagrams.push(bytes);
      },
      closed: (failure) => {
        this.#streams.close();
        this.#datagrams.close();
        end(failure);
      },
    });
    this.opened = this.session.confirmed;
  }

  /** A stream of ours, at once; what is written waits for the handshake unless `early`. */
  createStream(options?: OpenQuicStreamOptions): QuicDuplex {
    const duplex = new QuicDuplex();
    duplex.attach(this.session.openStream(duplex.sink, options));
    return duplex;
  }

  /** False if it cannot be sent: too long, or the peer takes none. */
  sendDatagram(bytes: Uint8Array, options?: SendDatagramOptions): boolean {
    return this.session.sendDatagram(bytes, options);
  }

  migrate(local?: Partial<SocketAddress>): Promise<void> {
    return this.session.migrate(local);
  }

  /** Ends all streams, and tells the peer so; resolves when it is over. */
  close(code?: number, reason?: string): Promise<void> {
    this.session.close(code, reason);
    return this.closed.catch(() => undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<QuicDuplex> {
    return this.#streams.iterate();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Begins a connection. */
export function open(
  host: Host,
  remote: SocketAddress,
  options: QuicClientOptions,
  below?: Below & { readonly local?: Partial<SocketAddress> },
): QuicConnection {
  return new QuicConnection((sink) => connect(host, remote, options, sink, below));
}

/** Hands each new connection to `handler`; what it throws closes that connection with code 1. */
export function serve(
  host: Host,
  local: SocketAddress,
  options: QuicServerOptions,
  handler: (connection: QuicConnection) => Promise<void> | void,
  below?: Below,
): Promise<QuicListener> {
  const accept = (session: QuicSession): QuicSink => {
    let sink!: QuicSink;
    const connection = new QuicConnection((told) => {
      sink = told;
      return session;
    });
    host.soon(() => {
      Promise.resolve()
        .then(() => handler(connection))
        .catch(() => session.close(1));
    });
    return sink;
  };
  return listen(host, local, options, accept, below);
}

/** A stream that is read by a loop and written with promises. */
export class QuicDuplex implements AsyncIterable<Uint8Array> {
  /** What the session tells goes here. */
  readonly sink: SessionStreamSink;
  /** Resolves when both directions are over; rejects if the connection broke off. */
  readonly closed: Promise<void>;
  readonly #chunks = new Channel<Uint8Array>();
  #stream: QuicStream | undefined;
  #drained: (() => void)[] = [];
  #waiting = 0;
  #isPaused = false;

  constructor(stream?: QuicStream) {
    this.#stream = stream;
    let end!: (failure?: unknown) => void;
    this.closed = new Promise((resolve, reject) => {
      end = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
    this.closed.catch(() => undefined); // nobody has to await it
    this.sink = {
      bytes: (bytes) => this.#take(bytes),
      ended: () => this.#chunks.close(),
      drained: () => this.#release(),
      peerStopped: () => this.#release(),
      closed: (failure) => {
        this.#chunks.close(failure);
        this.#release();
        end(failure);
      },
    };
  }

  attach(stream: QuicStream): void {
    this.#stream = stream;
  }

  get id(): number {
    return this.stream.id;
  }

  get direction(): StreamDirection {
    return this.stream.direction;
  }

  /** The stream itself, for all that is not here. */
  get stream(): QuicStream {
    if (this.#stream === undefined) throw new TypeError("the stream is not attached yet");
    return this.#stream;
  }

  /** Resolves when more may be written; the bytes must be left alone until the peer has acknowledged them. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.stream.write(bytes)) return;
    await new Promise<void>((resolve) => this.#drained.push(resolve));
  }

  /** Ends our direction after all that was written; resolves at once. */
  end(): Promise<void> {
    this.stream.finish();
    return Promise.resolve();
  }

  reset(code: number): void {
    this.stream.reset(code);
  }

  stopSending(code: number): void {
    this.stream.stopSending(code);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#chunks.iterate((bytes) => {
      this.#waiting -= bytes.length;
      if (!this.#isPaused || this.#waiting > limits.streamQueueMark / 2) return;
      this.#isPaused = false;
      this.stream.resume();
    });
  }

  #take(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#waiting += bytes.length;
    // A reader that is slow closes the peer's window, not our memory.
    if (this.#isPaused || this.#waiting < limits.streamQueueMark) return;
    this.#isPaused = true;
    this.stream.pause();
  }

  #release(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }
}

/** What is told, for a loop: items wait for the loop, or the loop for items. */
class Channel<Item> {
  readonly #items: Item[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;
  #failure: unknown;

  push(item: Item): void {
    this.#items.push(item);
    this.#wake?.();
  }

  close(failure?: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = failure;
    this.#wake?.();
  }

  async *iterate(taken?: (item: Item) => void): AsyncGenerator<Item> {
    for (;;) {
      for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
        taken?.(item);
        yield item;
      }
      if (this.#isClosed) {
        if (this.#failure !== undefined) throw this.#failure;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
