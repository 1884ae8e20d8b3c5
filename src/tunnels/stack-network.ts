import { formatAddress, parseAddress } from "../bytes/index.js";
import { deferred } from "../contract/deferred.js";
import {
  type DatagramOptions,
  type DatagramPort,
  type DatagramSink,
  type EnoPort,
  type EnoStreams,
  Failure,
  type Host,
  type ListenOptions,
  type Network,
  type NetworkInterface,
  networkFailure,
  type PortListener,
  type ResolveOptions,
  type SocketAddress,
  type StreamOptions,
  type StreamPort,
  type StreamSink,
  type TcpExtension,
} from "../contract/index.js";
import type { Stack, StackEvent, TcpConnection, TcpListener, UdpSocket } from "../stack/index.js";
import { StackDatagramPort } from "./datagram-port.js";
import { StackStreamPort } from "./stream-port.js";

/** What the ports of a stack need of the one who drives it. */
export interface StackDriver {
  readonly host: Host;
  readonly stack: Stack;
  /** The stack has been given work: drain it soon, never from inside this call. */
  touched(): void;
  /** One more, or one less, that wants the process to live. */
  hold(by: 1 | -1): void;
}

/** How names are looked up in here. */
export type Resolve = (name: string, options?: ResolveOptions) => Promise<readonly string[]>;

interface StackListening {
  readonly accept: (port: EnoPort, extension: TcpExtension | undefined) => StreamSink;
  readonly end: (failure: Failure | undefined) => void;
}

/** A stack as a Network, so that whatever stands on the system's sockets stands on a tunnel too. */
export class StackNetwork implements Network {
  readonly name: string;
  readonly #driver: StackDriver;
  readonly #resolve: Resolve;
  readonly #streams = new Map<TcpConnection, StackStreamPort>();
  readonly #listeners = new Map<TcpListener, StackListening>();
  readonly #datagrams = new Map<UdpSocket, StackDatagramPort>();

  constructor(name: string, driver: StackDriver, resolve: Resolve) {
    this.name = name;
    this.#driver = driver;
    this.#resolve = resolve;
  }

  async resolve(name: string, options: ResolveOptions = {}): Promise<readonly string[]> {
    const address = parseAddress(name);
    if (address === undefined) return this.#resolve(name, options);
    if (options.family === undefined || (options.family === 4) === (address.length === 4)) {
      return [formatAddress(address)];
    }
    throw networkFailure("name-not-found", `${name} is not an IPv${options.family} address`);
  }

  connectStream(remote: SocketAddress, sink: StreamSink, options: StreamOptions = {}): StreamPort {
    return this.#connect(remote, sink, undefined, options);
  }

  listenStreams(
    local: SocketAddress,
    accept: (port: StreamPort) => StreamSink,
    options: ListenOptions = {},
  ): Promise<PortListener> {
    return this.#listen(local, undefined, accept, options);
  }

  readonly enoStreams: EnoStreams = {
    connect: (remote, sink, extension, options = {}) => this.#connect(remote, sink, extension, options),
    listen: (local, extension, accept, options = {}) =>
      this.#listen(local, extension, (port, made) => accept(port, made!), options),
  };

  #connect(
    remote: SocketAddress,
    sink: StreamSink,
    extension: TcpExtension | undefined,
    options: StreamOptions,
  ): StackStreamPort {
    const { stack, host } = this.#driver;
    const port = new StackStreamPort(this.#driver, remote, sink);
    try {
      const connection = stack.connect({ address: addressBytes(remote), port: portNumber(remote) }, host.now(), {
        noDelay: options.noDelay ?? true,
        ...(options.local && { local: localOf(options.local) }),
        ...(extension && { extension: () => extension }),
      });
      this.#streams.set(connection, port);
      port.attach(connection);
      if (options.keepAliveMs !== undefined) port.set("keepAliveMs", options.keepAliveMs);
    } catch (failure) {
      port.failed(failure);
    }
    this.#driver.touched();
    return port;
  }

  async #listen(
    local: SocketAddress,
    extension: (() => TcpExtension) | undefined,
    accept: StackListening["accept"],
    options: ListenOptions,
  ): Promise<PortListener> {
    const { stack } = this.#driver;
    const address = anyOf(local);
    const listener = stack.listen(portNumber(local), {
      ...(address && { address }),
      ...(options.backlog !== undefined && { backlog: options.backlog }),
      ...(extension && { extension }),
    });
    const { promise: closed, resolve: end } = deferred<Failure | undefined>();
    this.#listeners.set(listener, { accept, end });
    this.#driver.hold(1);
    let holding = true;
    const hold = (wanted: boolean): void => {
      if (holding !== wanted) this.#driver.hold(wanted ? 1 : -1);
      holding = wanted;
    };
    return {
      local: { address: local.address, port: listener.port },
      closed,
      close: async () => {
        end(undefined);
        if (!this.#listeners.delete(listener)) return;
        hold(false);
        stack.unlisten(listener);
        this.#driver.touched();
      },
      ref: () => hold(this.#listeners.has(listener)),
      unref: () => hold(false),
    };
  }

  async bindDatagrams(local: SocketAddress, sink: DatagramSink, options: DatagramOptions = {}): Promise<DatagramPort> {
    if (options.multicast !== undefined) throw networkFailure("not-supported", "a tunnel carries no multicast groups");
    const remote = options.remote && { address: addressBytes(options.remote), port: portNumber(options.remote) };
    const { stack } = this.#driver;
    const socket = stack.bind(portNumber(local), anyOf(local), remote);
    // With one peer it is known from where it is spoken to.
    const source = anyOf(local) === undefined && remote !== undefined ? stack.sourceFor(remote.address) : undefined;
    const at = source === undefined ? local.address : formatAddress(source);
    const port = new StackDatagramPort(this.#driver, socket, at, sink, options, () => this.#datagrams.delete(socket));
    this.#datagrams.set(socket, port);
    return port;
  }

  interfaces(): readonly NetworkInterface[] {
    const addresses = this.#driver.stack.addresses.map(({ address, length }) => ({
      address: formatAddress(address),
      prefixLength: length,
      temporary: false,
    }));
    return [{ name: this.name, type: "tunnel", addresses }];
  }

  /** Takes what the stack tells, while the packets that it lies in are still there. */
  event(event: StackEvent): void {
    switch (event.kind) {
      case "incoming":
        this.#accept(event.listener);
        break;
      case "datagram":
        this.#datagrams
          .get(event.socket)
          ?.received(event.bytes, formatAddress(event.source), event.sourcePort, event.ecn);
        break;
      case "soft-error":
        if ("tuple" in event.of) this.#streams.get(event.of)?.softError(event.failure);
        else this.#datagrams.get(event.of)?.softError(event.failure);
        break;
      case "echo-reply":
        break;
      case "closed":
        this.#streams.get(event.connection)?.event(event);
        this.#streams.delete(event.connection);
        break;
      default:
        this.#streams.get(event.connection)?.event(event);
    }
  }

  /** The tunnel has ended: everything in it ends, and hears why. */
  end(failure: unknown): void {
    for (const port of this.#streams.values()) port.failed(failure);
    for (const port of [...this.#datagrams.values()]) port.ended(failure);
    for (const { end } of this.#listeners.values()) end(failure instanceof Failure ? failure : undefined);
    this.#streams.clear();
    this.#listeners.clear();
  }

  #accept(listener: TcpListener): void {
    const accept = this.#listeners.get(listener)?.accept;
    const connection = listener.accept();
    if (connection === undefined) return;
    if (accept === undefined) {
      connection.abort();
      return;
    }
    const { remote, remotePort } = connection.tuple;
    const port = new StackStreamPort(this.#driver, { address: formatAddress(remote), port: remotePort });
    this.#streams.set(connection, port);
    port.attach(connection);
    port.tell(accept(port, connection.extension));
    port.event({ kind: "opened", connection });
  }
}

function addressBytes({ address }: SocketAddress): Uint8Array {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw networkFailure("not-an-address", `${address} is not an IP address`);
  return bytes;
}

function portNumber({ port }: SocketAddress): number {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw networkFailure("not-an-address", `no port: ${port}`);
  return port;
}

/** Undefined for `::`, `0.0.0.0` and nothing at all, which mean any of our addresses. */
function anyOf({ address }: Partial<SocketAddress>): Uint8Array | undefined {
  if (address === undefined || address === "") return undefined;
  const bytes = addressBytes({ address, port: 0 });
  return bytes.every((byte) => byte === 0) ? undefined : bytes;
}

function localOf(local: Partial<SocketAddress>): { address?: Uint8Array; port?: number } {
  const address = anyOf(local);
  return { ...(address && { address }), ...(local.port !== undefined && { port: local.port }) };
}
