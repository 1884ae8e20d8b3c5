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
  const network = below.network ?? host.network;
  const local = below.local ?? anyPort(remote);
  const bound = { ...datagramOptions(options), ...below.datagram, ...(below.foreign === undefined ? { remote } : {}) };
  const session = station.connect(remote, options, sink);
  station.rebind = async (to = anyPort(remote)) => {
    const old = [...station.driver.ports];
    await station.bind(network, to, bound);
    for (const port of old) port.close();
  };
  station.onEnded = () => {
    // It stays for a peer that has not heard of the end, but keeps nothing alive.
    for (const port of station.driver.ports) port.unref();
  };
  station.onEmpty = () => station.driver.close();
  station.bind(network, local, bound).catch((cause: unknown) => {
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
  const port = await station.bind(below.network ?? host.network, local, {
    ...datagramOptions(options),
    ...below.datagram,
  });
  let closing: Promise<void> | undefined;
  return {
    local: port.local,
    closed: station.closed,
    sendForeign: (bytes, to) => port.send(bytes, to),
    drops: station.endpoint.drops,
    get sessions() {
      return station.endpoint.size;
    },
    stop: () => {
      station.driver.handle({ kind: "refuse-strangers" });
      station.onEmpty ??= () => station.driver.close();
      if ([...station.sessions].length === 0) station.driver.close();
      return Promise.resolve();
    },
    close: () => (closing ??= closeStation(station)),
    ref: () => port.ref(),
    unref: () => port.unref(),
  };
}

function closeStation(station: Station): Promise<void> {
  return new Promise((resolve) => {
    void station.closed.then(() => resolve());
    station.driver.handle({ kind: "refuse-strangers" });
    const sessions = [...station.sessions];
    if (sessions.length === 0) {
      station.driver.close();
      return;
    }
    station.onEmpty = () => station.driver.close();
    for (const session of sessions) session.close();
    // A peer that is gone answers nothing.
    const alarm = station.host.wakeAt(station.now() + closeWaitMs, () => station.driver.close());
    void station.closed.then(() => alarm.cancel());
  });
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
  station.onEmpty = () => station.driver.close();
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
      void station.bind({ bindDatagrams }, port.local);
    },
  };
}

/** Who looks for the path's MTU must not have its datagrams cut. */
const datagramOptions = ({ mtuMax }: DtlsClientOptions | DtlsServerOptions): DatagramOptions => ({
  dontFragment: mtuMax !== undefined,
});

const anyPort = ({ address }: SocketAddress): SocketAddress => ({
  address: address.includes(":") ? "::" : "0.0.0.0",
  port: 0,
});
