import { http3Failure } from "./failure.js";
import { http3Limits } from "./limits.js";

/** Content that goes out. Bytes are read until the stream has let go of them: they may not be changed meanwhile. */
export type BodyInit = string | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** What the content's owner does with the stream that it comes from. */
export interface BodySource {
  pause(): void;
  resume(): void;
  /** Nobody reads what is still to come. */
  cancel(): void;
}

/** Queued bytes from which on the stream is held back; what its flow control lets out still comes. */
const heldMax = 65_536;

/** The content of a message as it comes: to be read once, in one of the ways. */
export class IncomingBody implements AsyncIterable<Uint8Array> {
  /** Fields behind the content, when all of it has come; undefined if there are none. Rejects if the content does. */
  readonly trailers: Promise<Headers | undefined>;
  readonly #source: BodySource;
  readonly #pieces: Uint8Array[] = [];
  #size = 0;
  #isPaused = false;
  #isEnded = false;
  #failure: unknown;
  #isTaken = false;
  #wake: (() => void) | undefined;
  #settleTrailers!: { resolve(trailers: Headers | undefined): void; reject(failure: unknown): void };

  constructor(source: BodySource) {
    this.#source = source;
    this.trailers = new Promise((resolve, reject) => {
      this.#settleTrailers = { resolve, reject };
    });
    this.trailers.catch(() => undefined); // nobody has to await it
  }

  /** Has the content come to its end or failed? */
  get isOver(): boolean {
    return this.#isEnded || this.#failure !== undefined;
  }

  /** @internal */
  push(bytes: Uint8Array): void {
    if (this.#failure !== undefined) return;
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    if (!this.#isPaused && this.#size >= heldMax) {
      this.#isPaused = true;
      this.#source.pause();
    }
    this.#wake?.();
  }

  /** @internal */
  end(trailers: Headers | undefined): void {
    if (this.isOver) return;
    this.#isEnded = true;
    this.#settleTrailers.resolve(trailers);
    this.#wake?.();
  }

  /** @internal What has come and was not read is dropped. */
  fail(failure: unknown): void {
    if (this.isOver) return;
    this.#failure = failure;
    this.#pieces.length = 0;
    this.#settleTrailers.reject(failure);
    this.#wake?.();
  }

  /** As a WHATWG stream, which holds the peer back while it is not read. */
  stream(): ReadableStream<Uint8Array> {
    const pieces = this[Symbol.asyncIterator]();
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await pieces.next();
          if (done === true) controller.close();
          else controller.enqueue(value);
        },
        cancel: async () => void (await pieces.return?.()),
      },
      { highWaterMark: 0 },
    );
  }

  /** Piece by piece; leaving the loop early tells the peer to stop. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#isTaken) throw http3Failure("misuse", "the body has been read already");
    this.#isTaken = true;
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure;
        const piece = this.#pieces.shift();
        if (piece !== undefined) {
          this.#size -= piece.length;
          if (this.#isPaused && this.#size < heldMax) {
            this.#isPaused = false;
            this.#source.resume();
          }
          yield piece;
        } else if (this.#isEnded) return;
        else {
          await new Promise<void>((wake) => {
            this.#wake = wake;
          });
          this.#wake = undefined;
        }
      }
    } finally {
      this.cancel();
    }
  }

  /** All of it. Rejects with `body-too-large` above `max` bytes. */
  async bytes(max: number = http3Limits.bodyMax): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of this) {
      size += piece.length;
      if (size > max) throw http3Failure("body-too-large", `more than ${max} bytes of content`);
      pieces.push(piece);
    }
    const whole = new Uint8Array(size);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** All of it, as UTF-8. */
  async text(max?: number): Promise<string> {
    return new TextDecoder().decode(await this.bytes(max));
  }

  /** All of it, as JSON; rejects with a SyntaxError if it is none. */
  async json(max?: number): Promise<unknown> {
    return JSON.parse(await this.text(max));
  }

  /** Reads no more of it, and tells the peer so. */
  cancel(): void {
    if (this.isOver) {
      this.#pieces.length = 0;
      return;
    }
    this.fail(http3Failure("cancelled", "the rest of the content is not wanted"));
    this.#source.cancel();
  }
}

/** Bytes of a body whose length is known. */
export function bytesOf(body: BodyInit): Uint8Array | undefined {
  if (typeof body === "string") return new TextEncoder().encode(body);
  return body instanceof Uint8Array ? body : undefined;
}

/** The pieces of any body. */
export async function* piecesOf(body: BodyInit): AsyncGenerator<Uint8Array, void, undefined> {
  const whole = bytesOf(body);
  if (whole === undefined) yield* body as AsyncIterable<Uint8Array>;
  else yield whole;
}

/** A body that will not be sent: whoever makes it is told. */
export async function discard(body: BodyInit): Promise<void> {
  if (body instanceof ReadableStream) await body.cancel();
  else if (bytesOf(body) === undefined) await (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]().return?.();
}
