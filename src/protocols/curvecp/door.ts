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
  // With one address alone the port hears of nobody else, and of ICMP.
  const bound = { ...below.datagram, ...((options.alternates?.length ?? 0) === 0 && { remote }) };
  const session = station.connect(remote, options, sink);
  station.shared.bindClient(remote, below.local, below.network, bound).catch((cause: unknown) => {
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
  const port = await station.driver.bind(below.network ?? host.network, local, below.datagram);
  const tell = (kind: "refuse-strangers" | "close") => () => station.driver.handle({ kind });
  const { endpoint } = station;
  return {
    ...station.shared.listener(port, tell("refuse-strangers"), tell("close"), closeWaitMs),
    drops: endpoint.drops,
    get sessions() {
      return endpoint.size;
    },
  };
}
