import {
  connect,
  listen as listenTls,
  serverConfig,
  type TlsOutcome,
  type TlsSession,
  type TlsSink,
} from "../../protocols/tls/index.js";
import { ByteStreamTransport } from "./port-transport.js";
import type { ListenRequest, OpenRequest, StackRequest, Transport, TransportListener } from "./stack.js";
import { keepAliveOf, streamOptions } from "./tcp.js";
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

class TlsTransport extends ByteStreamTransport<TlsSession> implements TlsSink {
  readonly #request: Pick<StackRequest, "properties">;
  /** Bytes that were given as 0-RTT. */
  #earlySize = 0;

  constructor(request: Pick<StackRequest, "properties">) {
    super();
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

  get security(): TlsSession {
    return this.port;
  }

  /** False for data that were refused and not said again, because ALPN came out differently: they are sent anew. */
  get earlyAccepted(): boolean {
    const { outcome, statistics } = this.security;
    return this.#earlySize > 0 && !(outcome?.earlyData === "rejected" && statistics.bytesSent <= this.#earlySize);
  }

  // RFC 9623 §4.4: Ready when the handshake is done, not when the stream is open.
  confirmed(_outcome: TlsOutcome): void {
    const keepAliveMs = keepAliveOf(this.#request.properties);
    if (keepAliveMs !== undefined) this.security.set("keepAliveMs", keepAliveMs);
    this.sink.ready();
  }

  earlyBytes(bytes: Uint8Array): void {
    this.sink.received(bytes, { early: true });
  }
}
