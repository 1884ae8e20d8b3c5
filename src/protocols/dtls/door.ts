import type {
  DatagramOptions,
  DatagramPort,
  DatagramSink,
  Host,
  Network,
  SocketAddress,
} from "../../contract/index.js";
import { dtlsFailure } from "./failure.js";
import { closeWaitMs } from "./limits.js";
import type { DtlsClientOptions, DtlsServerOptions } from "./options.js";
import type { DtlsListener, DtlsSession, DtlsSink } from "./session.js";
import { type ForeignSink, Station, silent } from "./station.js";

/** What sessions stand on, if it is not the host's own network, and what shares their port. */
export interface DtlsBelow {
  /** A tunnel, or a simulated network. Default: the host's. */
  readonly network?: Network;
  readonly datagram?: DatagramOptions;
  /** Takes what else comes to the same port: STUN, SRTP, QUIC … (RFC 7983, RFC 9443). Default: it is dropped and counted. */
  readonly foreign?: ForeignSink;
}

/**
 * A DTLS client on a port of its own. The answer is there at once; `confirmed`, on it or on the sink, says when it is safe.
 * Messages sent before wait.
 */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: DtlsClientOptions,
  sink: DtlsSink,
  below: DtlsBelow & { readonly local?: SocketAddress } = {},
): DtlsSession {
  const { connectionIdSize } = options;
  const station = new Station(host, { connectionIdSize, foreign: below.foreign });
  const bound = { ...datagramOptions(options), ...below.datagram, ...(below.foreign === undefined ? { remote } : {}) };
  const session = station.connect(remote, options, sink);
  station.shared.bindClient(remote, below.local, below.network, bound).catch((cause: unknown) => {
    session.abortWith(dtlsFailure("connection-lost", "port", "no port could be bound", { cause }));
  });
  return session;
}

/**
 * Accepts DTLS sessions, all on one port. `accept` is asked when a stranger has proved its address; the sink that it answers
 * is told when the session is confirmed, or why it never was.
 */
export async function listen(
  host: Host,
  local: SocketAddress,
  options: DtlsServerOptions,
  accept: (session: DtlsSession) => DtlsSink,
  below: DtlsBelow = {},
): Promise<DtlsListener> {
  const station = new Station(host, { server: options, accept, foreign: below.foreign });
  const port = await station.driver.bind(below.network ?? host.network, local, {
    ...datagramOptions(options),
    ...below.datagram,
  });
  const { endpoint, driver, shared } = station;
  const refuseStrangers = () => driver.handle({ kind: "refuse-strangers" });
  const endAll = () => {
    refuseStrangers();
    for (const session of [...shared.sessions.values()]) session.close();
  };
  return {
    ...shared.listener(port, refuseStrangers, endAll, closeWaitMs),
    sendForeign: (bytes, to) => port.send(bytes, to),
    drops: endpoint.drops,
    get sessions() {
      return endpoint.size;
    },
  };
}

/**
 * DTLS over a flow of datagrams with one peer, whatever carries it: give `lower` what comes from the peer, and the port to
 * `attach`. A server of this kind has no stranger to fear, so it asks for no cookie.
 */
export interface DtlsLayered {
  readonly session: DtlsSession;
  readonly lower: DatagramSink;
  attach(port: DatagramPort): void;
}

export function over(
  host: Host,
  role: "client",
  options: DtlsClientOptions,
  remote: SocketAddress,
  accept: (session: DtlsSession) => DtlsSink,
): DtlsLayered;
export function over(
  host: Host,
  role: "server",
  options: DtlsServerOptions,
  remote: SocketAddress,
  accept: (session: DtlsSession) => DtlsSink,
): DtlsLayered;
export function over(
  host: Host,
  role: "client" | "server",
  options: DtlsClientOptions | DtlsServerOptions,
  remote: SocketAddress,
  accept: (session: DtlsSession) => DtlsSink,
): DtlsLayered {
  let inner: DatagramSink | undefined;
  let attached: DatagramPort | undefined;
  const station = new Station(host, { connectionIdSize: options.connectionIdSize });
  const session =
    role === "client" ? station.connect(remote, options, silent) : station.expect(remote, options, silent);
  session.sink = accept(session);
  station.shared.closeWhenEmpty();
  return {
    session,
    lower: {
      // Who carries the flow knows better than we where the peer is.
      datagrams: (bytes, _from, segmentSize, ecn) => inner?.datagrams(bytes, remote, segmentSize, ecn),
      writable: () => inner?.writable?.(),
      softError: (failure) => inner?.softError?.(failure),
      closed: (failure) => inner?.closed(failure),
    },
    attach: (port) => {
      if (attached !== undefined) throw new TypeError("the session stands on a port already");
      attached = port;
      const bindDatagrams = async (_local: SocketAddress, sink: DatagramSink) => {
        inner = sink;
        return port;
      };
      void station.driver.bind({ bindDatagrams }, port.local);
    },
  };
}

/** Who looks for the path's MTU must not have its datagrams cut. */
const datagramOptions = ({ mtuMax }: DtlsClientOptions | DtlsServerOptions): DatagramOptions => ({
  dontFragment: mtuMax !== undefined,
});
