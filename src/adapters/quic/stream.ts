import type { Failure, SessionStreamSink, StreamDirection } from "../../contract/index.js";
import { type QuicStream, quicFailure } from "../../protocols/quic/index.js";

/** Bytes that have come and are not read, from which on the peer is held back. */
const heldMax = 65_536;

/**
 * A stream of a QUIC connection as a pair of WHATWG streams, or read by a loop and written by `write`. Whichever way, who
 * does not read holds the peer back, and `write` resolves when there is room for more.
 */
export class QuicDuplex implements AsyncIterable<Uint8Array> {
  /** Resolves when both directions are over; with a Failure if the connection ended it. Never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Is told of the stream: for whoever opens it or accepts it. */
  readonly sink: SessionStreamSink;
  #stream: QuicStream | undefined;
  readonly #pieces: Uint8Array[] = [];
  #held = 0;
  #isPaused = false;
  #isEnded = false;
  #inFailure: unknown;
  #outFailure: unknown;
  #wake: (() => void) | undefined;
  #drained: (() => void)[] = [];
  #readable: ReadableStream<Uint8Array> | undefined;
  #writable: WritableStream<Uint8Array> | undefined;

  constructor() {
    let close!: (failure: Failure | undefined) => void;
    this.closed = new Promise((resolve) => {
      close = resolve;
    });
    this.sink = {
      bytes: (bytes) => this.#take(bytes),
      ended: () => {
        this.#isEnded = true;
        this.#wake?.();
      },
      drained: () => this.#goOn(),
      peerReset: (code) => this.#endIn(quicFailure("closed-by-peer", "RESET_STREAM", "the peer gave up", { code })),
      peerStopped: (code) =>
        this.#endOut(quicFailure("closed-by-peer", "STOP_SENDING", "the peer has enough", { code })),
      closed: (failure) => {
        const why = failure ?? quicFailure("misuse", "stream", "the stream is closed");
        if (!this.#isEnded) this.#endIn(why);
        this.#endOut(why);
        close(failure);
      },
    };
  }

  attach(stream: QuicStream): this {
    this.#stream = stream;
    return this;
  }

  /** The stream itself: priority, acknowledged bytes. */
  get stream(): QuicStream {
    return this.#stream!;
  }
  get id(): number {
    return this.stream.id;
  }
  get direction(): StreamDirection {
    return this.stream.direction;
  }
  /** Server: its first bytes came as 0-RTT, which an attacker may have replayed. */
  get early(): boolean {
    return this.stream.early;
  }

  /** What the peer sends. Cancelling tells it to stop, with the code 0 or the number that is given as the reason. */
  get readable(): ReadableStream<Uint8Array> {
    return (this.#readable ??= new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.read();
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        },
        cancel: (reason) => this.stop(codeOf(reason)),
      },
      { highWaterMark: 0 },
    ));
  }

  /** What we send. Closing it ends our direction; aborting resets it, with the code 0 or the reason's number. */
  get writable(): WritableStream<Uint8Array> {
    return (this.#writable ??= new WritableStream<Uint8Array>({
      write: (piece) => this.write(piece),
      close: () => this.end(),
      abort: (reason) => this.reset(codeOf(reason)),
    }));
  }

  /** The next piece, undefined at the end. Rejects if the peer gave up, or the connection did. */
  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        this.#held -= piece.length;
        if (this.#isPaused && this.#held < heldMax) {
          this.#isPaused = false;
          this.stream.resume();
        }
        return piece;
      }
      if (this.#isEnded) return undefined;
      if (this.#inFailure !== undefined) throw this.#inFailure;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  /** Piece by piece to the end; leaving the loop early tells the peer to stop. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (let piece = await this.read(); piece !== undefined; piece = await this.read()) yield piece;
    } finally {
      if (!this.#isEnded && this.#inFailure === undefined) this.stop();
    }
  }

  /** All that comes, as UTF-8; rejects, and stops the peer, above `max` bytes. */
  async text(max = 16_777_216): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    let size = 0;
    for await (const piece of this) {
      size += piece.length;
      if (size > max) throw quicFailure("misuse", "text", `more than ${max} bytes`);
      text += decoder.decode(piece, { stream: true });
    }
    return text + decoder.decode();
  }

  /** Sends; the bytes may not change until they have left. Resolves when there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#outFailure !== undefined) throw this.#outFailure;
    if (this.stream.write(bytes)) return;
    await new Promise<void>((go) => this.#drained.push(go));
    if (this.#outFailure !== undefined) throw this.#outFailure;
  }

  /** Sends these bytes, if any, and ends our direction. */
  end(bytes?: Uint8Array): void {
    if (bytes !== undefined) this.stream.write(bytes);
    this.stream.finish();
  }

  /** RESET_STREAM: gives up sending. */
  reset(code = 0): void {
    this.stream.reset(code);
    this.#endOut(quicFailure("misuse", "reset", "the stream was reset", { code }));
  }

  /** STOP_SENDING: wants no more. */
  stop(code = 0): void {
    this.stream.stopSending(code);
    this.#endIn(quicFailure("misuse", "stop", "the rest is not wanted", { code }));
  }

  #take(bytes: Uint8Array): void {
    if (this.#inFailure !== undefined) return;
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    if (!this.#isPaused && this.#held >= heldMax) {
      this.#isPaused = true;
      this.stream.pause();
    }
    this.#wake?.();
  }

  #endIn(failure: unknown): void {
    this.#inFailure ??= failure;
    this.#pieces.length = 0;
    this.#wake?.();
  }

  #endOut(failure: unknown): void {
    this.#outFailure ??= failure;
    this.#goOn();
  }

  #goOn(): void {
    for (const go of this.#drained.splice(0)) go();
  }
}

const codeOf = (reason: unknown): number => (typeof reason === "number" ? reason : 0);
