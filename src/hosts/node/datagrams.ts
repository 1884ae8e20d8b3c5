import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { copyOf } from "../../bytes/index.js";
import type { DatagramOptions, DatagramPort, DatagramSink, Ecn, SocketAddress } from "../../contract/index.js";
import { addressOf, addressOn, hostOf } from "./addresses.js";
import { toFailure } from "./failures.js";
import { datagramQueueLow, datagramQueueMark } from "./limits.js";

export async function bindDatagrams(
  local: SocketAddress,
  sink: DatagramSink,
  options: DatagramOptions = {},
): Promise<DatagramPort> {
  // Who binds to an interface's address does not hear the groups that it joins there.
  const isWide = options.interface === undefined || options.multicast !== undefined;
  const address = isWide ? hostOf(local) : addressOn(options.interface, local.address);
  const type = address.includes(":") ? "udp6" : "udp4";
  const socket = createSocket({
    type,
    reuseAddr: options.reuseAddress ?? false,
    ipv6Only: options.ipv6Only ?? false,
    // Addresses are no names: answered at once, so that a send is a send and not a task for the next tick.
    lookup: (host, _, done) => done(null, host, type === "udp6" ? 6 : 4),
    ...(options.receiveBuffer === undefined ? {} : { recvBufferSize: options.receiveBuffer }),
    ...(options.sendBuffer === undefined ? {} : { sendBufferSize: options.sendBuffer }),
  });
  const port = new NodeDatagramPort(socket, type);
  try {
    await done(socket, (ready) => socket.bind({ address, port: local.port, exclusive: true }, ready));
    const { remote, multicast } = options;
    if (remote !== undefined) await done(socket, (ready) => socket.connect(remote.port, port.hostOf(remote), ready));
    if (multicast !== undefined) join(socket, multicast, options.interface);
  } catch (error) {
    socket.close();
    throw toFailure(error, `${local.address}:${local.port}`);
  }
  port.open(sink, options.remote);
  return port;
}

function done(socket: Socket, start: (ready: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    start(() => {
      socket.off("error", reject);
      resolve();
    });
  });
}

function join(
  socket: Socket,
  { group, source, hopLimit }: NonNullable<DatagramOptions["multicast"]>,
  on?: string,
): void {
  const address = on === undefined ? undefined : isIP(group) === 6 ? `::%${on}` : addressOn(on, group);
  if (source === undefined) socket.addMembership(group, address);
  else socket.addSourceSpecificMembership(source, group, address);
  if (address !== undefined) socket.setMulticastInterface(address);
  if (hopLimit !== undefined) socket.setMulticastTTL(hopLimit);
}

/** Over a bound socket; exported for its tests. */
export class NodeDatagramPort implements DatagramPort {
  readonly #socket: Socket;
  readonly #type: "udp4" | "udp6";
  #sink: DatagramSink | undefined;
  #remote: SocketAddress | undefined;
  #local: SocketAddress = nowhere;
  #blocked = false;
  #isOpen = true;
  /** The host text of the last address sent to, and the address of the last peer heard: most traffic has one peer. */
  #to: SocketAddress | undefined;
  #toHost = "";
  #from: SocketAddress = nowhere;
  #fromHost = "";

  constructor(socket: Socket, type: "udp4" | "udp6") {
    this.#socket = socket;
    this.#type = type;
  }

  open(sink: DatagramSink, remote: SocketAddress | undefined): void {
    const { address, port } = this.#socket.address();
    this.#local = addressOf(address, port);
    this.#sink = sink;
    this.#remote = remote;
    this.#socket
      .on("message", (bytes: Uint8Array, info) => {
        const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
        // ECN is not told to programs that use node:dgram.
        sink.datagrams(view, this.#heard(info), view.length, 0);
      })
      .on("error", (error) => sink.softError?.(toFailure(error)))
      .on("close", () => sink.closed());
  }

  get local(): SocketAddress {
    return this.#local;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  send(bytes: Uint8Array, to?: SocketAddress, segmentSize = bytes.length, _ecn?: Ecn): void {
    if (!this.#isOpen) return;
    for (let at = 0; at < bytes.length || at === 0; at += segmentSize || 1) {
      this.#sendOne(bytes.subarray(at, at + segmentSize), to);
    }
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    if (option !== "hopLimit") return false;
    this.#socket.setTTL(value);
    return true;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#socket.close();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /** As this socket's family writes it: IPv4 peers of an IPv6 socket are mapped (RFC 4291 §2.5.5.2). */
  hostOf(to: SocketAddress): string {
    if (to === this.#to) return this.#toHost;
    const host = hostOf(to);
    this.#to = to;
    this.#toHost = this.#type === "udp6" && isIP(to.address) === 4 ? `::ffff:${host}` : host;
    return this.#toHost;
  }

  #sendOne(lent: Uint8Array, to: SocketAddress | undefined): void {
    // The kernel may not take it at once, and the lender wants its memory back: the copy costs a twentieth of the call.
    const bytes = copyOf(lent);
    // Without a callback Node says nothing of a send that failed.
    try {
      if (this.#remote !== undefined) this.#socket.send(bytes, 0, bytes.length, this.#sent);
      else if (to !== undefined) this.#socket.send(bytes, 0, bytes.length, to.port, this.hostOf(to), this.#sent);
    } catch (error) {
      queueMicrotask(() => this.#sink?.softError?.(toFailure(error)));
    }
    if (this.#socket.getSendQueueSize() > datagramQueueMark) this.#blocked = true;
  }

  readonly #sent = (error: Error | null): void => {
    if (!this.#isOpen) return;
    if (error !== null) this.#sink?.softError?.(toFailure(error));
    if (this.#blocked && this.#socket.getSendQueueSize() <= datagramQueueLow) {
      this.#blocked = false;
      this.#sink?.writable?.();
    }
  };

  #heard({ address, port }: RemoteInfo): SocketAddress {
    if (address !== this.#fromHost || port !== this.#from.port) {
      this.#fromHost = address;
      this.#from = addressOf(address, port);
    }
    return this.#from;
  }
}

const nowhere: SocketAddress = { address: "::", port: 0 };
