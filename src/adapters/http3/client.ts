import type { Failure, SessionStreamSink } from "../../contract/index.js";
import type { QuicSession, QuicStream } from "../../protocols/quic/index.js";
import { type BodyInit, bytesOf, type IncomingBody } from "./body.js";
import { Http3Connection, type Http3Options } from "./connection.js";
import { Exchange, type ExchangeEvents } from "./exchange.js";
import { http3Errors, http3Failure } from "./failure.js";
import { http3Limits } from "./limits.js";
import { contentLength, hasNoContent, readResponse, writeFields } from "./message.js";
import type { Field } from "./qpack/static-table.js";

export interface Http3ClientOptions extends Http3Options {
  /** `:authority` of requests that name none: host, or host and port. */
  readonly authority: string;
}

/** What is asked for. */
export interface Http3Request {
  /** Default GET, or POST with a body. */
  readonly method?: string;
  /** Path and query. Default `/`. */
  readonly path?: string;
  readonly authority?: string;
  /** Default https. */
  readonly scheme?: string;
  readonly headers?: HeadersInit;
  readonly body?: BodyInit;
  /** Sent behind the body. */
  readonly trailers?: HeadersInit | (() => HeadersInit);
  /** Gives the request up, at any time until the response's body is over. */
  readonly signal?: AbortSignal;
  /** Lower goes first among our requests. Default 100. */
  readonly priority?: number;
  /** May leave as 0-RTT, which an attacker can replay. Default: true for GET, HEAD and OPTIONS without a body. */
  readonly early?: boolean;
  /** Hears interim responses (1xx). */
  readonly interim?: (status: number, headers: Headers) => void;
}

/** An answer, as soon as its fields are there; its content follows. */
export class Http3Response {
  readonly status: number;
  readonly headers: Headers;
  /** The content: read it, or `cancel` it; until then the server is held back. */
  readonly body: IncomingBody;

  constructor(status: number, headers: Headers, body: IncomingBody) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /** A status from 200 to 299. */
  get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  /** Fields behind the content. */
  get trailers(): Promise<Headers | undefined> {
    return this.body.trailers;
  }

  /** All the content as UTF-8; rejects above `max` bytes. */
  text(max?: number): Promise<string> {
    return this.body.text(max);
  }

  json(max?: number): Promise<unknown> {
    return this.body.json(max);
  }

  bytes(max?: number): Promise<Uint8Array> {
    return this.body.bytes(max);
  }
}

/** The client's end of an HTTP/3 connection: any number of requests at a time. */
export class Http3Client extends Http3Connection {
  readonly role = "client";
  readonly #authority: string;
  readonly #open = new Map<number, Pending>();
  #goaway = Number.POSITIVE_INFINITY;
  #isClosing = false;

  constructor(options: Http3ClientOptions) {
    super(options);
    this.#authority = options.authority;
  }

  /** Requests whose exchange is not over. */
  get open(): number {
    return this.#open.size;
  }

  /**
   * Sends a request and resolves with the response when its fields have come. Rejects with a Failure: `request-rejected`
   * and `going-away` mean that nothing was done with it, so that it may be sent again on another connection.
   */
  request(request: Http3Request = {}): Promise<Http3Response> {
    return new Promise((resolve, reject) => {
      request.signal?.throwIfAborted();
      if (this.isClosed || this.#isClosing || this.failure !== undefined) {
        throw this.failure ?? http3Failure("going-away", "the connection is closed for requests");
      }
      if (this.#goaway !== Number.POSITIVE_INFINITY) throw wentAway();
      const { body, signal } = request;
      const method = request.method ?? (body === undefined ? "GET" : "POST");
      const fields = this.#fields(method, request);
      const pending = new Pending(this, method, request.interim, resolve, reject);
      const early = request.early ?? (body === undefined && harmless.has(method));
      const { exchange } = pending;
      const stream = this.session.openStream(exchange, { early, priority: request.priority ?? 100 });
      exchange.attach(stream);
      this.#open.set(stream.id, pending);
      const abort = () => pending.fail(signal?.reason, http3Errors.H3_REQUEST_CANCELLED);
      signal?.addEventListener("abort", abort, { once: true });
      pending.over = () => {
        signal?.removeEventListener("abort", abort);
        this.#open.delete(stream.id);
        this.#maybeDone();
      };
      try {
        exchange.sendFields(fields);
      } catch (error) {
        pending.fail(error, http3Errors.H3_REQUEST_CANCELLED);
        return;
      }
      void this.#send(pending, request);
    });
  }

  /** Like `fetch`, with the platform's Response. The URL's host and scheme go along; the connection is this one. */
  async fetch(url: string | URL, init: Omit<Http3Request, "path" | "authority" | "scheme"> = {}): Promise<Response> {
    const { protocol, host, pathname, search } = new URL(url, `https://${this.#authority}`);
    const { status, headers, body } = await this.request({
      ...init,
      scheme: protocol.slice(0, -1),
      authority: host,
      path: pathname + search,
    });
    return new Response(hasNoContent(init.method ?? "GET", status) || status === 205 ? null : body.stream(), {
      status,
      headers,
    });
  }

  /** Takes no more requests, waits for those that are open, and closes the connection. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#maybeDone();
    await this.done;
  }

  /** Closes the connection at once; what is open fails. */
  abort(): void {
    this.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  goaway(id: number): void {
    this.#goaway = id;
    // Those from there on were not and will not be processed (RFC 9114 §5.2).
    for (const [stream, pending] of this.#open) {
      if (stream >= id) pending.fail(wentAway(), http3Errors.H3_REQUEST_CANCELLED);
    }
  }

  /** Servers open no bidirectional streams (RFC 9114 §6.1). */
  protected incoming(_stream: QuicStream): SessionStreamSink | undefined {
    this.fail(http3Failure("unexpected-stream", "a bidirectional stream of the server's"));
    return undefined;
  }

  protected gone(failure: Failure): void {
    for (const pending of this.#open.values()) pending.fail(failure);
    this.#open.clear();
  }

  #maybeDone(): void {
    if (this.#isClosing && this.#open.size === 0) this.end();
  }

  #fields(
    method: string,
    { path = "/", authority = this.#authority, scheme = "https", headers, body }: Http3Request,
  ): Field[] {
    const all = new Headers(headers);
    const length = body === undefined ? undefined : bytesOf(body)?.length;
    if (length !== undefined && !all.has("content-length")) all.set("content-length", String(length));
    // The control data are pseudo-header fields (RFC 9114 §4.3.1).
    all.delete("host");
    const control: Field[] = [
      [":method", method],
      [":scheme", scheme],
      [":authority", authority],
      [":path", path],
    ];
    return writeFields(control, all);
  }

  async #send({ exchange }: Pending, { body, trailers }: Http3Request): Promise<void> {
    try {
      if (body !== undefined) await exchange.sendBody(body);
      if (trailers !== undefined) {
        const all = new Headers(typeof trailers === "function" ? trailers() : trailers);
        exchange.sendFields(writeFields([], all));
      }
      exchange.finish();
    } catch (error) {
      // A server that has heard enough says so and answers all the same (RFC 9114 §4.1): only the body's own end is ours.
      if (!exchange.isSent) exchange.abort(http3Errors.H3_REQUEST_CANCELLED, error);
    }
  }
}

/** Methods that may be repeated, and so may go as 0-RTT (RFC 8470 §2). */
const harmless: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

const wentAway = () =>
  http3Failure("going-away", "the server takes no more requests on this connection", {
    byPeer: true,
    hint: "nothing was done with it: send it on a new connection",
  });

/** A request that waits for its response, or whose response is being read. */
class Pending implements ExchangeEvents {
  readonly exchange: Exchange;
  over: () => void = () => undefined;
  readonly #method: string;
  readonly #interim: Http3Request["interim"];
  readonly #resolve: (response: Http3Response) => void;
  readonly #reject: (failure: unknown) => void;
  #interims = 0;

  constructor(
    client: Http3Client,
    method: string,
    interim: Http3Request["interim"],
    resolve: (response: Http3Response) => void,
    reject: (failure: unknown) => void,
  ) {
    this.exchange = new Exchange(client, this);
    this.#method = method;
    this.#interim = interim;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  head(fields: readonly Field[], body: IncomingBody): { next: "content" | "head"; length: number | undefined } {
    const { status, headers } = readResponse(fields);
    if (status < 200) {
      if (++this.#interims > http3Limits.interimResponsesMax) {
        throw http3Failure("malformed-message", "too many interim responses", { at: ":status" });
      }
      this.#interim?.(status, headers);
      return { next: "head", length: undefined };
    }
    const length = contentLength(headers);
    this.#resolve(new Http3Response(status, headers, body));
    return { next: "content", length: hasNoContent(this.#method, status) ? 0 : length };
  }

  headTooLarge(): void {
    this.fail(
      http3Failure("field-section-too-large", "the response's fields are larger than we take"),
      http3Errors.H3_REQUEST_CANCELLED,
    );
  }

  failed(failure: Failure): void {
    this.fail(failure);
  }

  closed(): void {
    this.#reject(http3Failure("incomplete-response", "the stream ended without a response"));
    this.over();
  }

  /** The end of it, for whichever of the two waits: the response or its body. */
  fail(failure: unknown, code?: number): void {
    if (code !== undefined) this.exchange.abort(code, failure);
    this.exchange.body.fail(failure);
    this.#reject(failure);
  }
}

/** The client of a session that already is; `connect` of this room makes both. */
export function http3(session: QuicSession, options: Http3ClientOptions): Http3Client {
  return new Http3Client(options).attach(session);
}
