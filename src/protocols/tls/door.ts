import type {
  Host,
  ListenOptions,
  Network,
  PortListener,
  SocketAddress,
  StreamOptions,
  StreamPort,
  StreamSink,
} from "../../contract/index.js";
import type { TlsClientOptions, TlsServerOptions } from "./options.js";
import type { TlsSession, TlsSink } from "./session.js";
import { StreamSession } from "./stream-session.js";

/** What the session stands on, if it is not the host's own network. */
export interface Below {
  /** A tunnel, or a simulated network. Default: the host's. */
  readonly network?: Network;
}

/** A TLS client over a new stream. The answer is there at once; `confirmed`, on it or on the sink, says when it is safe. */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: TlsClientOptions,
  sink: TlsSink,
  below: Below & { readonly stream?: StreamOptions } = {},
): TlsSession {
  const session = StreamSession.client(host, options, sink);
  return session.attach((below.network ?? host.network).connectStream(remote, session.lower, below.stream));
}

/** Accepts TLS sessions. The sink that `accept` answers is told when each is confirmed, or why it never was. */
export function listen(
  host: Host,
  local: SocketAddress,
  options: TlsServerOptions,
  accept: (session: TlsSession) => TlsSink,
  below: Below & { readonly listen?: ListenOptions } = {},
): Promise<PortListener> {
  return (below.network ?? host.network).listenStreams(
    local,
    (port) => {
      const { lower, attach } = over(host, "server", options, accept);
      attach(port);
      return lower;
    },
    below.listen,
  );
}

/** TLS over a stream of any kind, in two steps: give `lower` to whoever makes the stream, then the stream to `attach`. */
export interface Layered {
  readonly session: TlsSession;
  readonly lower: StreamSink;
  attach(port: StreamPort): void;
}

export function over(
  host: Host,
  role: "client",
  options: TlsClientOptions,
  accept: (session: TlsSession) => TlsSink,
): Layered;
export function over(
  host: Host,
  role: "server",
  options: TlsServerOptions,
  accept: (session: TlsSession) => TlsSink,
): Layered;
export function over(
  host: Host,
  role: "client" | "server",
  options: TlsClientOptions | TlsServerOptions,
  accept: (session: TlsSession) => TlsSink,
): Layered {
  const session =
    role === "client" ? StreamSession.client(host, options, silent) : StreamSession.server(host, options, silent);
  session.sink = accept(session);
  return { session, lower: session.lower, attach: (port) => void session.attach(port) };
}

const silent: TlsSink = {
  bytes: () => undefined,
  ended: () => undefined,
  drained: () => undefined,
  closed: () => undefined,
};
