import { addressFamily } from "../../bytes/index.js";
import type {
  DatagramOptions,
  DatagramPort,
  Failure,
  Host,
  Network,
  SocketAddress,
  Zlib,
} from "../../contract/index.js";
import { type EndpointGround, GquicEndpoint } from "./endpoint/endpoint.js";
import { gquicFailure } from "./failure.js";
import type { GquicClientOptions, GquicServerOptions } from "./options.js";
import { Hub } from "./session/hub.js";
import { SessionOfConnection } from "./session/session.js";
import type { GquicListener, GquicSession, GquicSink } from "./session.js";

/** What the session stands on, if it is not the host's own network. */
export interface Below {
  /** A tunnel, or a simulated network. Default: the host's. */
  readonly network?: Network;
  readonly datagrams?: DatagramOptions;
}

/** A Google QUIC client. The answer is there at once; `confirmed`, on it or on the sink, says when it is safe. */
export function connect(
  host: Host,
  remote: SocketAddress,
  options: GquicClientOptions,
  sink: GquicSink,
  below: Below & { readonly local?: Partial<SocketAddress> } = {},
): GquicSession {
  const whole = { trace: host.trace, ...options };
  const { network = host.network } = below;
  // With a fixed peer the network tells us when nobody listens there.
  const datagrams = { ...datagramOptions, remote, ...below.datagrams };
  const hub = new Hub(host, GquicEndpoint.client(groundOf(host), whole, host.now()), whole);
  const any = addressFamily(remote.address) === 6 ? "::" : "0.0.0.0";
  const local = { address: any, port: 0, ...below.local };
  const session = new SessionOfConnection(hub, 1, "client", { local, remote }, { network, datagrams }, sink);
  hub.idle = () => hub.driver.close();
  hub.driver.bind(network, local, datagrams).then(
    (port) => session.begin(port.local),
    (failure: Failure) => session.portGone(failure),
  );
  return session;
}

/** Accepts Google QUIC sessions. The sink that `accept` answers is told when each is confirmed, or why it never was. */
export async function listen(
  host: Host,
  local: SocketAddress,
  options: GquicServerOptions,
  accept: (session: GquicSession) => GquicSink,
  below: Below = {},
): Promise<GquicListener> {
  const whole = { trace: host.trace, ...options };
  const { network = host.network } = below;
  const datagrams = { ...datagramOptions, ...below.datagrams };
  const hub = new Hub(host, GquicEndpoint.server(groundOf(host), whole, host.now()), whole);
  hub.accepted = (event) => {
    const session = new SessionOfConnection(hub, event.connection, "server", event, { network, datagrams }, silent);
    session.sink = accept(session);
  };
  const port = await hub.driver.bind(network, local, datagrams);
  return new Listener(hub, port);
}

/** Certificates come compressed, always. */
function groundOf({ crypto, entropy, zlib }: Host): EndpointGround {
  return { crypto, entropy, zlib: zlib ?? noZlib };
}

const noZlib: Zlib = {
  deflate() {
    throw gquicFailure("misuse", "zlib", "this host cannot compress certificates");
  },
  inflate() {
    throw gquicFailure("misuse", "zlib", "this host cannot decompress certificates");
  },
};

class Listener implements GquicListener {
  readonly local: SocketAddress;
  readonly closed: Promise<Failure | undefined>;
  readonly #hub: Hub;
  #over: Promise<void> | undefined;

  constructor(hub: Hub, port: DatagramPort) {
    this.#hub = hub;
    this.local = port.local;
    this.closed = hub.closed.then((cause) => {
      const message = "the port at which this listened is gone";
      return cause && gquicFailure("connection-lost", "port", message, { cause });
    });
  }

  get connections(): number {
    return this.#hub.endpoint.connectionCount;
  }

  get halfOpen(): number {
    return this.#hub.endpoint.halfOpenCount;
  }

  get stateless(): GquicListener["stateless"] {
    return this.#hub.endpoint.counters;
  }

  close(): Promise<void> {
    return this.#end();
  }

  closeAll(code?: number, reason?: string): Promise<void> {
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

  /** The port goes with the last connection. */
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

/** What a socket should hold of a burst, in bytes; the system may give less. */
const socketBuffer = 4_194_304;

/** Packets that are too large for the path must not be cut on the way, or nobody would find out (RFC 8899). */
const datagramOptions: DatagramOptions = {
  dontFragment: true,
  receiveBuffer: socketBuffer,
  sendBuffer: socketBuffer,
};

const silent: GquicSink = { stream: () => undefined, closed: () => undefined };
