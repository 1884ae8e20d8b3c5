import { createServer, type Server, type Socket } from "node:net";
import { deferred } from "../../contract/deferred.js";
import {
  Failure,
  type ListenOptions,
  type NetworkReason,
  type PortListener,
  type SocketAddress,
  type StreamOptions,
  type StreamPort,
  type StreamSink,
} from "../../contract/index.js";
import { addressOf, addressOn, hostOf } from "./addresses.js";
import { toFailure } from "./failures.js";
import { backlogDefault, corkSizeMax, streamQueueLow, streamQueueMark } from "./limits.js";
import { onSlabs, slabSocket } from "./reading.js";

export function connectStream(remote: SocketAddress, sink: StreamSink, options: StreamOptions = {}): StreamPort {
  const socket = slabSocket(options.allowHalfOpen ?? true, (bytes) => sink.bytes(bytes));
  const port = new NodeStreamPort(socket, remote);
  port.tell(sink);
  // `connect` takes these as options and ignores them: Nagle's algorithm and a delayed acknowledgment cost 40 ms.
  socket.setNoDelay(options.noDelay ?? true);
  if (options.keepAliveMs !== undefined) socket.setKeepAlive(true, options.keepAliveMs);
  try {
    const local = options.local?.address ?? (options.interface && addressOn(options.interface, remote.address));
    socket.connect({
      host: hostOf(remote),
      port: remote.port,
      ...(local ? { localAddress: local } : {}),
      ...(options.local?.port ? { localPort: options.local.port } : {}),
    });
  } catch (error) {
    // Told like any other failure to connect: by the sink, later.
    socket.destroy(error instanceof Error ? error : undefined);
  }
  return port;
}

export async function listenStreams(
  local: SocketAddress,
  accept: (port: StreamPort) => StreamSink,
  options: ListenOptions = {},
): Promise<PortListener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (accepted) => {
    const remote = addressOf(accepted.remoteAddress, accepted.remotePort);
    const socket = onSlabs(accepted, (bytes) => sink.bytes(bytes));
    const port = new NodeStreamPort(socket, remote);
    const sink = accept(port);
    port.tell(sink);
    sink.opened?.();
  });
  const host = options.interface === undefined ? hostOf(local) : addressOn(options.interface, local.address);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(toFailure(error, `${local.address}:${local.port}`)));
    server.listen(
      { host, port: local.port, backlog: options.backlog ?? backlogDefault, ipv6Only: options.ipv6Only ?? false },
      resolve,
    );
  });
  server.on("error", (error) => options.softError?.(toFailure(error, "accept")));
  return new NodeListener(server);
}

class NodeListener implements PortListener {
  readonly #server: Server;
  readonly local: SocketAddress;
  readonly #whenClosed = deferred<undefined>();

  constructor(server: Server) {
    this.#server = server;
    const bound = server.address();
    this.local = typeof bound === "object" && bound !== null ? addressOf(bound.address, bound.port) : nowhere;
  }

  /** The descriptor is closed when this returns; Node's own callback would wait for every connection too. */
  close(): Promise<void> {
    this.#server.close();
    this.#whenClosed.resolve(undefined);
    return Promise.resolve();
  }

  /** A listening TCP socket of the kernel's does not fail by itself; what fails is one `accept`. */
  get closed(): Promise<undefined> {
    return this.#whenClosed.promise;
  }

  ref(): void {
    this.#server.ref();
  }

  unref(): void {
    this.#server.unref();
  }
}

class NodeStreamPort implements StreamPort {
  readonly #socket: Socket;
  #remote: SocketAddress;
  #local: SocketAddress | undefined;
  #sink: StreamSink | undefined;
  #failure: Failure<NetworkReason> | undefined;
  #full = false;
  #corked = false;
  #aborted = false;
  /** Bytes ever written, and where each piece of lent memory ends among them. */
  #written = 0;
  #lent: { readonly end: number; readonly released: () => void }[] = [];

  constructor(socket: Socket, remote: SocketAddress) {
    this.#socket = socket;
    this.#remote = remote;
  }

  /** Before the first event. */
  tell(sink: StreamSink): void {
    this.#sink = sink;
    this.#socket
      .on("connect", () => sink.opened?.())
      .on("end", () => sink.ended())
      .on("error", (error) => {
        this.#failure = error instanceof Failure ? (error as Failure<NetworkReason>) : toFailure(error);
      })
      .on("close", () => {
        this.#releaseTo(this.#written);
        sink.closed(this.#aborted ? undefined : this.#failure);
      });
  }

  get local(): SocketAddress {
    if (this.#local === undefined && this.#socket.localPort === undefined) return nowhere;
    return (this.#local ??= addressOf(this.#socket.localAddress, this.#socket.localPort));
  }

  get remote(): SocketAddress {
    return this.#remote;
  }

  get queued(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const socket = this.#socket;
    if (!socket.writable) {
      released?.();
      return true;
    }
    const small = bytes.length <= corkSizeMax;
    if (small && !this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(this.#uncork);
    }
    this.#written += bytes.length;
    if (released !== undefined) this.#lent.push({ end: this.#written, released });
    socket.write(bytes, this.#sent);
    if (!small || socket.writableLength > 8 * corkSizeMax) this.#uncork();
    // What the kernel took at once is given back at once: bulk senders fill the same slab again, still in cache.
    if (this.#lent.length > 0) this.#releaseTo(this.#written - socket.writableLength);
    if (socket.writableLength >= streamQueueMark) this.#full = true;
    return !this.#full;
  }

  finish(): void {
    this.#uncork();
    this.#socket.end();
  }

  abort(): void {
    this.#aborted = true;
    const { connecting, pending, writableEnded } = this.#socket;
    // libuv does not reset what it is shutting down, and would leave the descriptor open.
    if (connecting || pending || writableEnded) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean {
    if (option === "noDelay") this.#socket.setNoDelay(value !== 0);
    else if (option === "keepAliveMs") this.#socket.setKeepAlive(value > 0, value);
    else return false;
    return true;
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  };

  readonly #sent = (): void => {
    if (this.#lent.length > 0) this.#releaseTo(this.#written - this.#socket.writableLength);
    if (this.#full && this.#socket.writableLength <= streamQueueLow && !this.#socket.destroyed) {
      this.#full = false;
      this.#sink?.drained();
    }
  };

  #releaseTo(position: number): void {
    let count = 0;
    while (count < this.#lent.length && this.#lent[count]!.end <= position) count++;
    if (count > 0) for (const { released } of this.#lent.splice(0, count)) released();
  }
}

const nowhere: SocketAddress = { address: "::", port: 0 };
