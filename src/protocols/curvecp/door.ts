import type { DatagramOptions, Host, Network, SocketAddress } from "../../contract/index.js";
import { checkClientOptions } from "./config.js";
import { curvecpFailure } from "./failure.js";
import { closeWaitMs } from "./limits.js";
import type { CurveCpClientOptions, CurveCpServerOptions } from "./options.js";
import type { CurveCpListener, CurveCpSession, CurveCpSink } from "./session.js";
import { Station } from "./station.js";

/** What sessions stand on, if it is not the host's own network. */
export interface CurveCpBelow {
  /** A tunnel, or a simulated network. Default: the host's. */
  readonly network?: Network;
  readonly datagram?: DatagramOptions;
}

/**
 * A CurveCP client on a port of its own. The answer is there at once; `confirmed`, on it or on the sink, says when the server has
 * proved its key. What is written before goes out with the Initiate, to nobody else. Throws `bad-configuration`.
 */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: CurveCpClientOptions,
  sink: CurveCpSink,
  below: CurveCpBelow & { readonly local?: Partial<SocketAddress> } = {},
): CurveCpSession {
  checkClientOptions(options);
  const station = new Station(host);
  const network = below.network ?? host.network;
  const local = { ...anyPort(remote), ...below.local };
  // With one address alone the port hears of nobody else, and of ICMP.
  const bound = { ...below.datagram, ...((options.alternates?.length ?? 0) === 0 && { remote }) };
  const session = station.connect(remote, options, sink);
  station.rebind = async (to = anyPort(remote)) => {
    const old = [...station.driver.ports];
    await station.bind(network, to, bound);
    for (const port of old) port.close();
  };
  station.onOver = () => {
    // It stays for a server that has not heard of the end, but keeps nothing alive.
    for (const port of station.driver.ports) port.unref();
  };
  station.onEmpty = () => station.driver.close();
  station.bind(network, local, bound).catch((cause: unknown) => {
    session.abortWith(curvecpFailure("connection-lost", "port", "no port could be bound", { cause }));
  });
  return session;
}

/**
 * Accepts CurveCP sessions, all on one port. `accept` is asked when a client has returned its cookie, proved its keys and been
 * let in; the sink that it answers is told all that follows. Rejects with `bad-configuration`.
 */
export async function listen(
  host: Host,
  local: SocketAddress,
  options: CurveCpServerOptions,
  accept: (session: CurveCpSession) => CurveCpSink,
  below: CurveCpBelow = {},
): Promise<CurveCpListener> {
  const station = new Station(host, options, accept);
  const port = await station.bind(below.network ?? host.network, local, below.datagram);
  let closing: Promise<void> | undefined;
  return {
    local: port.local,
    closed: station.closed,
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
    station.onEmpty = () => station.driver.close();
    station.driver.handle({ kind: "close" });
    if ([...station.sessions].length === 0) {
      station.driver.close();
      return;
    }
    // A peer that is gone answers nothing.
    const alarm = station.host.wakeAt(station.now() + closeWaitMs, () => station.driver.close());
    void station.closed.then(() => alarm.cancel());
  });
}

const anyPort = ({ address }: SocketAddress): SocketAddress => ({
  address: address.includes(":") ? "::" : "0.0.0.0",
  port: 0,
});
