import type { Failure, SessionStream, SessionStreamSink } from "../../contract/index.js";
import type { QuicSession, QuicSink, QuicStream } from "../../protocols/quic/index.js";
import { type BodyInit, type BodySource, IncomingBody, piecesOf } from "./body.js";
import { http3Errors, http3Failure, resetFailure } from "./failure.js";
import { http3Limits } from "./limits.js";

/**
 * HTTP/0.9 on QUIC, ALPN `hq-interop`: a stream carries `GET /path`, the other direction the bytes of the answer, and the
 * end of the stream is all that says whether it was whole. It is what QUIC's interop tests speak; nobody should serve it to
 * the world.
 */
export const hqProtocol = "hq-interop";

/** Asks for a path; resolves with the content that comes. Rejects if the stream or session ends first. */
export function hqGet(session: QuicSession, path: string, options: { readonly early?: boolean } = {}): IncomingBody {
  if (!/^\/[\x21-\x7e]*$/.test(path)) throw http3Failure("misuse", `${path} is no path`, { at: "GET" });
  const exchange = new HqExchange();
  const stream = session.openStream(exchange, { early: options.early ?? true });
  exchange.attach(stream);
  stream.write(new TextEncoder().encode(`GET ${path}\r\n`));
  stream.finish();
  return exchange.body;
}

/** Answers a path with content; undefined, and everything it rejects with, resets the stream. */
export type HqHandler = (path: string, session: QuicSession) => BodyInit | undefined | Promise<BodyInit | undefined>;

/** The server of a session that a listener accepted; the sink that `accept` answers. */
export function hqServer(handler: HqHandler): (session: QuicSession) => QuicSink {
  return (session) => ({
    stream(stream: QuicStream): SessionStreamSink | undefined {
      if (stream.direction === "unidirectional") return undefined;
      return new HqRequest(stream, (path) => handler(path, session));
    },
    closed: () => undefined,
  });
}

class HqExchange implements SessionStreamSink, BodySource {
  readonly body: IncomingBody = new IncomingBody(this);
  #stream: SessionStream | undefined;

  attach(stream: SessionStream): void {
    this.#stream = stream;
  }

  bytes(bytes: Uint8Array): void {
    this.body.push(bytes);
  }

  ended(): void {
    this.body.end(undefined);
  }

  peerReset(code: number): void {
    this.body.fail(resetFailure(code));
  }

  drained(): void {}

  closed(failure?: Failure): void {
    this.body.fail(failure ?? http3Failure("incomplete-response", "the stream ended before the content had"));
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  cancel(): void {
    this.#stream?.stopSending(http3Errors.H3_REQUEST_CANCELLED);
  }
}

/** One request at the server. */
class HqRequest implements SessionStreamSink {
  readonly #stream: QuicStream;
  readonly #serve: (path: string) => ReturnType<HqHandler>;
  #line = "";
  #isAsked = false;
  #isOver = false;
  #drained: (() => void) | undefined;

  constructor(stream: QuicStream, serve: (path: string) => ReturnType<HqHandler>) {
    this.#stream = stream;
    this.#serve = serve;
  }

  bytes(bytes: Uint8Array): void {
    if (this.#isAsked) return;
    this.#line += Buffer.from(bytes).toString("latin1");
    if (this.#line.includes("\n")) this.#asked();
    else if (this.#line.length > http3Limits.hqRequestMax) this.#refuse(http3Errors.H3_EXCESSIVE_LOAD);
  }

  ended(): void {
    if (!this.#isAsked) this.#asked();
  }

  drained(): void {
    this.#drained?.();
  }

  peerReset(): void {
    if (!this.#isAsked) this.#refuse(http3Errors.H3_REQUEST_INCOMPLETE);
  }

  peerStopped(): void {
    this.closed();
  }

  closed(): void {
    this.#isOver = true;
    this.#drained?.();
  }

  #asked(): void {
    this.#isAsked = true;
    const [, path] = /^GET (\/[\x21-\x7e]*)(?: HTTP\/0\.9)?\r?\n?$/.exec(this.#line) ?? [];
    if (path === undefined) this.#refuse(http3Errors.H3_MESSAGE_ERROR);
    else void this.#answer(path);
  }

  async #answer(path: string): Promise<void> {
    try {
      const body = await this.#serve(path);
      if (body === undefined) return this.#refuse(http3Errors.H3_REQUEST_REJECTED);
      for await (const piece of piecesOf(body)) {
        if (this.#isOver) return;
        if (!this.#stream.write(piece)) await new Promise<void>((go) => (this.#drained = go));
      }
      if (!this.#isOver) this.#stream.finish();
    } catch {
      this.#refuse(http3Errors.H3_INTERNAL_ERROR);
    }
  }

  #refuse(code: number): void {
    this.#isAsked = true;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream.reset(code);
    this.#stream.stopSending(code);
  }
}
