import { addressFamily } from "../../bytes/index.js";
import type { DatagramOptions, DatagramPort, Failure, Host, Network, SocketAddress } from "../../contract/index.js";
import { QuicEndpoint } from "./endpoint/endpoint.js";
import { quicFailure } from "./failure.js";
import { udpPayloadMin } from "./limits.js";
import type { QuicClientOptions, QuicServerOptions, QuicVersion } from "./options.js";
import { Hub } from "./session/hub.js";
import { SessionOfConnection } from "./session/session.js";
import type { QuicListener, QuicSession, QuicSink } from "./session.js";

/** What the session stands on, if it is not the host's own network. */
export interface Below {
  /** A tunnel, or a simulated network. Default: the host's. */
  readonly network?: Network;
  readonly datagrams?: DatagramOptions;
}

/** A QUIC client. The answer is there at once; `confirmed`, on it or on the sink, says when it is safe. */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: QuicClientOptions,
  sink: QuicSink,
  below: Below & { readonly local?: Partial<SocketAddress> } = {},
): QuicSession {
  const whole = { keyLog: host.keyLog, trace: host.trace, ...options };
  const { network = host.network } = below;
  // With a fixed peer the network tells us when nobody listens there.
  const datagrams = { ...datagramOptions(whole), remote, ...below.datagrams };
  const server = `${whole.serverName ?? remote.address}:${remote.port}`;
  // RFC 9369 §5: a token is good for the version that it came from.
  const tokenKey = (version: QuicVersion): string => (version === "1" ? server : `${server} version ${version}`);
  const token = whole.tokens?.take(tokenKey(whole.versions?.[0] ?? "1"));
  const hub = new Hub(host, QuicEndpoint.client(host, whole, host.now(), token), whole);
  const any = addressFamily(remote.address) === 6 ? "::" : "0.0.0.0";
  const local = { address: any, port: 0, ...below.local };
  const session = new SessionOfConnection(hub, 1, "client", { local, remote }, { network, datagrams }, sink);
  hub.token = (fresh) => whole.tokens?.add(tokenKey(session.outcome?.version ?? "1"), fresh);
  hub.idle = () => hub.driver.close();
  hub.driver.bind(network, local, datagrams).then(
    (port) => session.begin(port.local),
    (failure: Failure) => session.portGone(failure),
  );
  return session;
}

/** Accepts QUIC sessions. The sink that `accept` answers is told when each is confirmed, or why it never was. */
export async function listen(
  host: Host,
  local: SocketAddress,
  options: QuicServerOptions,
  accept: (session: QuicSession) => QuicSink,
  below: Below = {},
): Promise<QuicListener> {
  const whole = { keyLog: host.keyLog, trace: host.trace, ...options };
  const { network = host.network } = below;
  const datagrams = { ...datagramOptions(whole), ...below.datagrams };
  const endpoint = QuicEndpoint.server(host, whole, host.now());
  const hub = new Hub(host, endpoint, whole);
  hub.accepted = (event) => {
    const session = new SessionOfConnection(hub, event.connection, "server", event, { network, datagrams }, silent);
    session.sink = accept(session);
  };
  const port = await hub.driver.bind(network, local, datagrams);
  const { preferredAddress } = whole;
  for (const address of [preferredAddress?.ipv4, preferredAddress?.ipv6]) {
    if (address !== undefined) await hub.driver.bind(network, address, datagrams);
  }
  return new Listener(hub, port);
}

class Listener implements QuicListener {
  readonly local: SocketAddress;
  readonly closed: Promise<Failure | undefined>;
  readonly #hub: Hub;
  #over: Promise<void> | undefined;

  constructor(hub: Hub, port: DatagramPort) {
    this.#hub = hub;
    this.local = port.local;
    let lost: Failure | undefined;
    // A preferred address alone is no place where clients begin.
    hub.portLost = (failure) => {
      if (lost !== undefined || hub.ports.includes(port)) return;
      lost = failure;
      hub.driver.close();
    };
    this.closed = hub.closed.then((failure) => {
      const cause = lost ?? failure;
      const message = "the port at which this listened is gone";
      return cause && quicFailure("connection-lost", "port", message, { cause });
    });
  }

  get connections(): number {
    return this.#hub.endpoint.connectionCount;
  }

  get halfOpen(): number {
    return this.#hub.endpoint.halfOpenCount;
  }

  close(): Promise<void> {
    this.#end();
    return Promise.resolve();
  }

  closeAll(code = 0, reason = ""): Promise<void> {
    const over = this.#end();
    for (const session of this.#hub.sessions.values()) session.close(code, reason);
    return over;
  }

  ref(): void {
    for (const port of this.#hub.ports) port.ref();
  }

  unref(): void {
    for (const port of this.#hub.ports) port.unref();
  }

  /** The ports go with the last connection. */
  #end(): Promise<void> {
    this.#over ??= new Promise((resolve) => {
      const hub = this.#hub;
      hub.driver.handle({ kind: "stop" });
      hub.idle = () => {
        hub.driver.close();
        resolve();
      };
      if (hub.sessions.size === 0) hub.idle();
    });
    return this.#over;
  }
}

/** Packets that are too large for the path must not be cut on the way, or nobody would find out (RFC 9000 §14). */
const datagramOptions = ({ mtuMax }: QuicClientOptions | QuicServerOptions): DatagramOptions => ({
  dontFragment: mtuMax !== udpPayloadMin,
  receiveBuffer: socketBuffer,
  sendBuffer: socketBuffer,
});

/** What a socket should hold of a burst, in bytes; the system may give less. */
const socketBuffer = 4_194_304;

const silent: QuicSink = { stream: () => undefined, closed: () => undefined };
