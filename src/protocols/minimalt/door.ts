import type { DatagramOptions, Host, Instant, Network, SocketAddress } from "../../contract/index.js";
import { checkAddress, checkClientOptions } from "./config.js";
import { minimaltFailure } from "./failure.js";
import { closeWaitMs } from "./limits.js";
import type { MinimaltClientOptions, MinimaltServerOptions } from "./options.js";
import { Lookup } from "./session/lookup.js";
import { Station } from "./session/station.js";
import type { MinimaltListener, MinimaltSession, MinimaltSink } from "./session.js";
import type { Approach } from "./tunnel/client.js";
import type { ServiceRecord } from "./wire/record.js";

/** What sessions stand on, if it is not the host's own network. */
export interface MinimaltBelow {
  /** A tunnel, or a simulated network. Default: the host's. */
  readonly network?: Network;
  readonly datagram?: DatagramOptions;
}

/**
 * A MinimaLT client on a port of its own. The answer is there at once; `confirmed`, on it or on the sink, says when the server has
 * shown that it holds its key. What is written before leaves with the first packets, and can be read by nobody else. With a
 * `directory` the record says where the server is, and `remote` is not used. Throws `bad-configuration`.
 */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: MinimaltClientOptions,
  sink: MinimaltSink,
  below: MinimaltBelow & { readonly local?: Partial<SocketAddress> } = {},
): MinimaltSession {
  checkClientOptions(options);
  if (options.directory === undefined) checkAddress(remote);
  const station = new Station(host);
  const session = station.client(remote, sink);
  const lookup = new Lookup(station, remote, whole(host, options), {
    approach: (approach) => session.begin(approach),
    failed: (failure) => session.abortWith(failure),
  });
  session.giveUp = () => lookup.cancel();
  // With one address alone the port hears of nobody else, and of ICMP.
  const bound = { ...below.datagram, ...(options.directory === undefined && { remote }) };
  const bind = async () => {
    await station.shared.bindClient(remote, below.local, below.network, bound);
    lookup.begin();
  };
  bind().catch((cause: unknown) => {
    session.abortWith(minimaltFailure("connection-lost", "port", "no port could be bound", { cause }));
  });
  return session;
}

/**
 * Registers a record with a name service (§5.4): resolves when the service has taken it. `options` say how the service is reached and
 * trusted, as those of `connect` do for a server.
 */
export async function publish(
  host: Host,
  remote: SocketAddress,
  record: ServiceRecord,
  options: MinimaltClientOptions,
  below: MinimaltBelow = {},
): Promise<void> {
  checkClientOptions(options);
  const station = new Station(host);
  try {
    await new Promise<void>((resolve, reject) => {
      const give = (approach: Approach): void => {
        station.run(approach, {
          what: { kind: "give", record },
          done: (answer, failure) => {
            const refused = minimaltFailure("refused", "giveCert", "the name service did not take the record");
            if (answer === undefined) reject(failure ?? refused);
            else resolve();
          },
        });
      };
      const lookup = new Lookup(station, remote, whole(host, options), { approach: give, failed: reject });
      const bound = { ...below.datagram, remote };
      station.shared.bindClient(remote, undefined, below.network, bound).then(() => lookup.begin(), reject);
      void station.shared.closed.then((failure) => reject(failure));
    });
  } finally {
    station.driver.close();
  }
}

/**
 * Accepts MinimaLT sessions, all on one port, and tells its record to whoever asks it by its long-term key. `accept` is asked when a
 * tunnel has begun; the sink that it answers is told all that follows. Rejects with `bad-configuration`.
 */
export async function listen(
  host: Host,
  local: SocketAddress,
  options: MinimaltServerOptions,
  accept: (session: MinimaltSession) => MinimaltSink,
  below: MinimaltBelow = {},
): Promise<MinimaltListener> {
  const station = new Station(host, options, accept);
  const calls = new Set<(record: ServiceRecord, notAfter: Instant) => void>();
  let latest: { readonly record: ServiceRecord; readonly notAfter: Instant } | undefined;
  station.onRecord = (record, notAfter) => {
    latest = { record, notAfter };
    for (const call of [...calls]) call(record, notAfter);
  };
  const port = await station.driver.bind(below.network ?? host.network, local, below.datagram);
  station.driver.handle({ kind: "serve", at: options.publicAddress ?? reachable(port.local) });
  const { driver, shared } = station;
  const refuseStrangers = () => driver.handle({ kind: "refuse-strangers" });
  const endAll = () => {
    refuseStrangers();
    for (const session of [...shared.sessions.values()]) session.close();
  };
  return {
    ...shared.listener(port, refuseStrangers, endAll, closeWaitMs),
    drops: station.endpoint.drops,
    get record() {
      return station.endpoint.record!;
    },
    get sessions() {
      return station.endpoint.size;
    },
    get puzzlesPosed() {
      return station.endpoint.puzzlesPosed;
    },
    onRecord: (call) => {
      calls.add(call);
      if (latest !== undefined) call(latest.record, latest.notAfter);
      return { [Symbol.dispose]: () => void calls.delete(call) };
    },
  };
}

const whole = <Options>(host: Host, options: Options): Options => ({ trace: host.trace, ...options });

/** A port that is bound to every address is reached at least from here. */
function reachable({ address, port }: SocketAddress): SocketAddress {
  if (address === "0.0.0.0") return { address: "127.0.0.1", port };
  return address === "::" ? { address: "::1", port } : { address, port };
}
