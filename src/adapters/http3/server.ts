import type { Failure, PeerIdentity, SessionStreamSink } from "../../contract/index.js";
import type { QuicSession, QuicStream } from "../../protocols/quic/index.js";
import { type BodyInit, bytesOf, discard, type IncomingBody } from "./body.js";
import { Http3Connection, type Http3Options } from "./connection.js";
import { Exchange, type ExchangeEvents } from "./exchange.js";
import { http3Errors, http3Failure } from "./failure.js";
import { http3Limits } from "./limits.js";
import { contentLength, hasNoContent, type RequestHead, readRequest, writeFields } from "./message.js";
import type { Field } from "./qpack/static-table.js";

/** A request that came: control data, fields, and the content as it comes. */
export interface IncomingRequest extends RequestHead {
  readonly body: IncomingBody;
  /** As far as the path can say it: `https://authority/path`. */
  readonly url: URL;
  /** It came as 0-RTT, which an attacker may have replayed: do nothing twice, or answer 425 (RFC 8470). */
  readonly early: boolean;
  /** Who the client proved to be. */
  readonly peer: PeerIdentity | undefined;
  /** Aborted when the client gives the request up or goes away. */
  readonly signal: AbortSignal;
  /** Sends an interim response: 103 Early Hints and the like. */
  interim(status: number, headers?: HeadersInit): void;
}

/** What a handler answers; the platform's `Response` is one. */
export interface Answer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit | null;
  readonly trailers?: HeadersInit | (() => HeadersInit);
}

export type Http3Handler = (request: IncomingRequest) => Answer | Promise<Answer>;

export interface Http3ServerOptions extends Http3Options {
  /** Hears what a handler threw; the client is answered with 500. Default: nobody does. */
  readonly onError?: (error: unknown, request: IncomingRequest) => void;
}

/** The server's end of an HTTP/3 connection. */
export class Http3ServerConnection extends Http3Connection {
  readonly role = "server";
  readonly #handler: Http3Handler;
  readonly #options: Http3ServerOptions;
  readonly #later: (ms: number, call: () => void) => void;
  readonly #open = new Set<Incoming>();
  #next = 0;
  #isClosing = false;
  #isGone = false;

  /** `later` is how its host waits. */
  constructor(
    handler: Http3Handler,
    options: Http3ServerOptions = {},
    later: (ms: number, call: () => void) => void = (ms, call) => void setTimeout(call, ms),
  ) {
    super(options);
    this.#later = later;
    this.#handler = handler;
    this.#options = options;
  }

  /** Requests that are being served. */
  get open(): number {
    return this.#open.size;
  }

  /** GOAWAY: takes no more requests, finishes those that are open, closes (RFC 9114 §5.2). */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true;
      this.sayGoaway(this.#next);
      // CONNECTION_CLOSE would overtake it, and what crosses it would not know that it was not processed.
      this.#later(http3Limits.goawayMs, () => {
        this.#isGone = true;
        this.#maybeDone();
      });
    }
    await this.done;
  }

  goaway(): void {
    // A client names the pushes that it does not want: there are none.
  }

  protected incoming(stream: QuicStream): SessionStreamSink | undefined {
    if (this.#isClosing || this.#open.size >= http3Limits.requestsMax) {
      stream.reset(http3Errors.H3_REQUEST_REJECTED);
      stream.stopSending(http3Errors.H3_REQUEST_REJECTED);
      return ignored;
    }
    this.#next = Math.max(this.#next, stream.id + 4);
    const incoming = new Incoming(this, stream, this.#handler, this.#options, () => {
      this.#open.delete(incoming);
      this.#maybeDone();
    });
    this.#open.add(incoming);
    return incoming.exchange;
  }

  protected gone(failure: Failure): void {
    for (const incoming of this.#open) incoming.failed(failure);
    this.#open.clear();
  }

  #maybeDone(): void {
    if (this.#isGone && this.#open.size === 0) this.end();
  }
}

const ignored: SessionStreamSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  peerReset: () => undefined,
  closed: () => undefined,
};

/** One request, from its first frame to the last byte of its answer. */
class Incoming implements ExchangeEvents {
  readonly exchange: Exchange;
  readonly #stream: QuicStream;
  readonly #handler: Http3Handler;
  readonly #options: Http3ServerOptions;
  readonly #over: () => void;
  readonly #abort = new AbortController();
  #isAnswered = false;

  constructor(
    connection: Http3ServerConnection,
    stream: QuicStream,
    handler: Http3Handler,
    options: Http3ServerOptions,
    over: () => void,
  ) {
    this.#stream = stream;
    this.#handler = handler;
    this.#options = options;
    this.#over = over;
    this.exchange = new Exchange(connection, this).attach(stream);
  }

  head(fields: readonly Field[], body: IncomingBody): { next: "content"; length: number | undefined } {
    const head = readRequest(fields);
    const length = contentLength(head.headers);
    const stream = this.#stream;
    const request: IncomingRequest = {
      ...head,
      body,
      get url() {
        return new URL(head.path === "*" ? "/" : head.path, `${head.scheme || "https"}://${head.authority}`);
      },
      early: stream.early,
      peer: stream.session.peer,
      signal: this.#abort.signal,
      interim: (status, headers) => this.#interim(status, headers),
    };
    void this.#serve(request);
    return { next: "content", length };
  }

  headTooLarge(): void {
    void this.#answer("GET", { status: 431 });
  }

  failed(failure: Failure): void {
    this.exchange.body.fail(failure);
    this.#abort.abort(failure);
  }

  stopped(failure: Failure): void {
    this.#abort.abort(failure);
  }

  closed(): void {
    this.#over();
  }

  async #serve(request: IncomingRequest): Promise<void> {
    let answer: Answer;
    try {
      // CONNECT makes a tunnel, which this is not (RFC 9114 §4.4).
      answer = request.method === "CONNECT" ? { status: 501 } : await this.#handler(request);
    } catch (error) {
      this.#options.onError?.(error, request);
      answer = { status: 500 };
    }
    await this.#answer(request.method, answer, (error) => this.#options.onError?.(error, request));
  }

  async #answer(method: string, answer: Answer, onError?: (error: unknown) => void): Promise<void> {
    const { exchange } = this;
    if (exchange.isSent) return;
    try {
      const { status = 200, body, trailers } = answer;
      const headers = new Headers(answer.headers);
      const empty = hasNoContent(method, status);
      const length = body === undefined || body === null ? 0 : bytesOf(body)?.length;
      if (length !== undefined && !headers.has("content-length") && status >= 200 && status !== 204 && status !== 304) {
        headers.set("content-length", String(length));
      }
      this.#isAnswered = true;
      exchange.sendFields(writeFields([[":status", String(status)]], headers));
      if (body !== undefined && body !== null) await (empty ? discard(body) : exchange.sendBody(body));
      if (trailers !== undefined) {
        const all = new Headers(typeof trailers === "function" ? trailers() : trailers);
        exchange.sendFields(writeFields([], all));
      }
      exchange.finish();
      // An answer is whole without the rest of the request (RFC 9114 §4.1).
      exchange.body.cancel();
    } catch (error) {
      if (!exchange.isSent) {
        exchange.abort(http3Errors.H3_INTERNAL_ERROR, http3Failure("handler-failed", String(error), { cause: error }));
        onError?.(error);
      }
    }
  }

  #interim(status: number, headers: HeadersInit | undefined): void {
    if (status < 102 || status > 199) throw http3Failure("misuse", `${status} is no interim response`);
    if (this.#isAnswered) throw http3Failure("misuse", "the request has been answered");
    if (!this.exchange.isSent) {
      this.exchange.sendFields(writeFields([[":status", String(status)]], new Headers(headers)));
    }
  }
}

/** The server of a session that a listener accepted; the sink that `accept` answers. */
export function http3Server(
  handler: Http3Handler,
  options: Http3ServerOptions = {},
): (session: QuicSession) => Http3ServerConnection {
  return (session) => new Http3ServerConnection(handler, options).attach(session);
}
