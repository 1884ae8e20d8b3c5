import type { SocketAddress } from "../../contract/index.js";
import { connect as connectQuic, listen as listenQuic, type QuicListener } from "../../protocols/quic/index.js";
import { addressOf, processHost, type Where } from "../quic/door.js";
import { clientSecurity, type OriginSecurity, type ServerSecurity, serverSecurity } from "../quic/security.js";
import { Http3Client } from "./client.js";
import type { Http3Options } from "./connection.js";
import { http3Failure } from "./failure.js";
import { type Http3Handler, Http3ServerConnection, type Http3ServerOptions } from "./server.js";

/** ALPN of HTTP/3 (RFC 9114 §3.1). */
export const http3Protocol = "h3";

export interface Http3ConnectOptions extends OriginSecurity, Http3Options, Where {
  readonly signal?: AbortSignal;
}

/**
 * A client of an origin, as soon as its server has proved who it is; with a session to resume, at once: what is asked for
 * before the handshake is over may leave as 0-RTT.
 *
 *     await using client = await connectHttp3("https://localhost:4433", { trust });
 *     const page = await (await client.request({ path: "/" })).text();
 *
 * Rejects with the Failure of whatever failed: the name, the network, the handshake.
 */
export async function connectHttp3(url: string | URL, options: Http3ConnectOptions = {}): Promise<Http3Client> {
  const { protocol, hostname, port, host: authority } = new URL(url);
  if (protocol !== "https:") throw http3Failure("misuse", `${protocol} is not https:`, { at: "URL" });
  const { host = processHost(), network = host.network, signal, fieldSectionMax } = options;
  const name = hostname.replace(/^\[(.*)\]$/, "$1");
  const address = await addressOf(network, name, signal);
  signal?.throwIfAborted();
  const client = new Http3Client({ authority, ...(fieldSectionMax !== undefined && { fieldSectionMax }) });
  const security = clientSecurity(host, [http3Protocol], name, options);
  const remote = { address, port: Number(port || 443) };
  client.attach(connectQuic(host, remote, security, client, { network }));
  const abort = () => client.session.abort();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (options.sessions === undefined) await client.session.confirmed;
    return client;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

export interface Http3ListenOptions extends ServerSecurity, Http3ServerOptions, Where {
  /** Default 0: any that is free. */
  readonly port?: number;
  /** Default `::`, which takes IPv4 too. */
  readonly address?: string;
}

/** A server of HTTP/3 that listens. */
export interface Http3Server extends AsyncDisposable {
  readonly local: SocketAddress;
  readonly connections: number;
  /** Takes no more, finishes what is open, and resolves when the last connection is over. */
  close(): Promise<void>;
}

/**
 * Serves requests with a handler, which may answer with the platform's `Response`.
 *
 *     await using server = await listenHttp3({ port: 4433, identity }, ({ path }) => new Response(`you want ${path}`));
 */
export async function listenHttp3(options: Http3ListenOptions, handler: Http3Handler): Promise<Http3Server> {
  const { host = processHost(), network = host.network, port = 0, address = "::" } = options;
  const open = new Set<Http3ServerConnection>();
  const listener: QuicListener = await listenQuic(
    host,
    { address, port },
    serverSecurity(host, [http3Protocol], options),
    (session) => {
      const later = (ms: number, call: () => void) => void host.wakeAt(host.now() + ms, call);
      const connection = new Http3ServerConnection(handler, options, later).attach(session);
      open.add(connection);
      void connection.done.then(() => open.delete(connection));
      return connection;
    },
    { network },
  );
  const close = async (): Promise<void> => {
    const over = listener.close();
    await Promise.all([...open].map((connection) => connection.close()));
    await over;
  };
  return {
    local: listener.local,
    get connections() {
      return open.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
