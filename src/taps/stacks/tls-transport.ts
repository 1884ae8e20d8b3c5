import type { Failure, SocketAddress } from "../../contract/index.js";
import {
  connect,
  listen as listenTls,
  serverConfig,
  type TlsOutcome,
  type TlsSession,
  type TlsSink,
} from "../../protocols/tls/index.js";
import type { ConnectionProperties } from "../properties.js";
import type {
  ListenRequest,
  OpenRequest,
  SendHow,
  StackRequest,
  Transport,
  TransportListener,
  TransportSink,
} from "./stack.js";
import { keepAliveOf, setOnStream, streamOptions } from "./tcp.js";
import { tlsClientOptions, tlsServerOptions } from "./tls-options.js";

export const open = (request: OpenRequest): Transport => new TlsTransport(request).connect(request);

export async function listen({
  host,
  network,
  local,
  interface: on,
  backlog,
  softError,
  accept,
  ...request
}: ListenRequest): Promise<TransportListener> {
  const options = tlsServerOptions({ host, network, ...request });
  // Options that make no sense are found now, and not by the first peer.
  serverConfig(host, options);
  return listenTls(
    host,
    local,
    options,
    (session) => {
      const transport = new TlsTransport(request);
      transport.attach(session);
      transport.sink = accept(transport);
      return transport;
    },
    { network, listen: { backlog, softError, ...(on !== undefined && { interface: on }) } },
  );
}

class TlsTransport implements Transport, TlsSink {
  sink!: TransportSink;
  readonly sendMax = Number.POSITIVE_INFINITY;
  readonly receiveMax = Number.POSITIVE_INFINITY;
  readonly singularMax = undefined;
  readonly #request: Pick<StackRequest, "properties">;
  #session: TlsSession | undefined;
  /** Bytes that were given as 0-RTT. */
  #earlySize = 0;
  #closing = false;
  #ended = false;

  constructor(request: Pick<StackRequest, "properties">) {
    this.#request = request;
  }

  connect(request: OpenRequest): this {
    this.sink = request.sink;
    const { host, network, remote, early } = request;
    this.attach(connect(host, remote, tlsClientOptions(request), this, { network, stream: streamOptions(request) }));
    if (early !== undefined) {
      // The session says it again after the handshake if the server refuses 0-RTT (RFC 9846 §4.3.10).
      this.#earlySize = early.length;
      this.security.writeEarly(early);
    }
    return this;
  }

  attach(session: TlsSession): this {
    this.#session = session;
    return this;
  }

  get security(): TlsSession {
    return this.#session!;
  }

  get local(): SocketAddress {
    return this.security.local;
  }

  get remote(): SocketAddress {
    return this.security.remote;
  }

  /** False for data that were refused and not said again, because ALPN came out differently: they are sent anew. */
  get earlyAccepted(): boolean {
    const { outcome, statistics } = this.security;
    return this.#earlySize > 0 && !(outcome?.earlyData === "rejected" && statistics.bytesSent <= this.#earlySize);
  }

  send(bytes: Uint8Array, _how: SendHow, sent: () => void): boolean {
    return this.security.write(bytes, sent);
  }

  finish(): void {
    this.security.finish();
  }

  /** After close_notify both ways the session lets the stream go by itself. */
  close(): void {
    this.#closing = true;
    if (!this.#ended) this.security.abort();
  }

  abort(): void {
    this.security.abort();
  }

  pause(): void {
    this.security.pause();
  }

  resume(): void {
    this.security.resume();
  }

  ref(): void {
    this.security.ref();
  }

  unref(): void {
    this.security.unref();
  }

  set<Name extends keyof ConnectionProperties>(name: Name, value: ConnectionProperties[Name]): boolean {
    return setOnStream(this.security, name, value);
  }

  // RFC 9623 §4.4: Ready when the handshake is done, not when the stream is open.
  confirmed(_outcome: TlsOutcome): void {
    const keepAliveMs = keepAliveOf(this.#request.properties);
    if (keepAliveMs !== undefined) this.security.set("keepAliveMs", keepAliveMs);
    this.sink.ready();
  }

  bytes(bytes: Uint8Array): void {
    this.sink.received(bytes);
  }

  earlyBytes(bytes: Uint8Array): void {
    this.sink.received(bytes, { early: true });
  }

  ended(): void {
    this.#ended = true;
    this.sink.ended();
  }

  drained(): void {
    this.sink.writable();
  }

  softError(failure: Failure): void {
    this.sink.softError(failure);
  }

  closed(failure?: Failure): void {
    this.sink.closed(this.#closing ? undefined : failure);
  }
}
