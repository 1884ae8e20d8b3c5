import { parseAddress } from "../../bytes/index.js";
import type { Failure, Host, Network, SocketAddress } from "../../contract/index.js";
import { nodeHost } from "../../hosts/node/index.js";
import { connect, listen, type QuicListener } from "../../protocols/quic/index.js";
import { QuicConnection } from "./connection.js";
import { clientSecurity, type OriginSecurity, type ServerSecurity, serverSecurity } from "./security.js";

/** Which host, and which of its networks. */
export interface Where {
  /** Default: this process's, on the operating system's network. */
  readonly host?: Host;
  /** A tunnel, say. Default: the host's own. */
  readonly network?: Network;
}

export interface OpenQuicOptions extends OriginSecurity, Where {
  /** Application protocols, most wanted first. */
  readonly alpn: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * A QUIC connection to a server, as soon as it has proved who it is; with `sessions` at once, so that streams opened with
 * `early` may leave as 0-RTT.
 *
 *     await using transport = await openQuic("quic://localhost:4433", { alpn: ["echo"], trust });
 *     const stream = transport.open();
 *
 * Rejects with the Failure of whatever failed: the name, the network, the handshake.
 */
export async function openQuic(url: string | URL, options: OpenQuicOptions): Promise<QuicConnection> {
  const { hostname, port } = new URL(String(url).replace(/^quic:/i, "https:"));
  const { host = processHost(), network = host.network, signal, alpn } = options;
  const name = hostname.replace(/^\[(.*)\]$/, "$1");
  const address = await addressOf(network, name, signal);
  signal?.throwIfAborted();
  const transport = new QuicConnection();
  const security = clientSecurity(host, alpn, name, options);
  transport.attach(connect(host, { address, port: Number(port || 443) }, security, transport.sink, { network }));
  const abort = () => transport.session.abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (options.sessions === undefined) await transport.opened;
    return transport;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

export interface ServeQuicOptions extends ServerSecurity, Where {
  readonly alpn: readonly string[];
  /** Default 0: any that is free. */
  readonly port?: number;
  /** Default `::`, which takes IPv4 too. */
  readonly address?: string;
}

/** A QUIC server that listens. */
export interface QuicServer extends AsyncDisposable {
  readonly local: SocketAddress;
  readonly listener: QuicListener;
  /** Resolves when it listens no more, with the Failure if its port was taken from it; never rejects. */
  readonly closed: Promise<Failure | undefined>;
  /** Ends every connection and takes no more. */
  close(code?: number, reason?: string): Promise<void>;
}

/** Serves connections with a handler, which is given each when its client has been heard of. */
export async function serveQuic(
  options: ServeQuicOptions,
  handler: (transport: QuicConnection) => void | Promise<void>,
): Promise<QuicServer> {
  const { host = processHost(), network = host.network, port = 0, address = "::", alpn } = options;
  const security = serverSecurity(host, alpn, options);
  const listener = await listen(
    host,
    { address, port },
    security,
    (session) => {
      const transport = new QuicConnection().attach(session);
      // A handler that fails ends its connection, and no other.
      void (async () => handler(transport))().catch(() => session.close(1, "the handler failed"));
      return transport.sink;
    },
    { network },
  );
  const close = (code = 0, reason = ""): Promise<void> => listener.closeAll(code, reason);
  return { local: listener.local, listener, closed: listener.closed, close, [Symbol.asyncDispose]: () => close() };
}

/** An address as it stands, or the resolver's first. */
export async function addressOf(network: Network, name: string, signal?: AbortSignal): Promise<string> {
  if (parseAddress(name) !== undefined) return name;
  const [first] = await network.resolve(name, signal === undefined ? {} : { signal });
  return first!;
}

let shared: Host | undefined;

/** The host that all doors share which are given none. */
export const processHost = (): Host => (shared ??= nodeHost());
