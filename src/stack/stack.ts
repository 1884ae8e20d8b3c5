import type { Prefix } from "../bytes/index.js";
import type { CryptoProvider, Entropy, Instant, Machine, Transmit, Wake } from "../contract/index.js";
import { type ControllerFactory, Cubic } from "../mechanisms/congestion/index.js";
import { Icmp } from "./icmp/errors.js";
import type { StackDrop, StackEvent, StackInput } from "./interfaces.js";
import { IpHeader } from "./ip/header.js";
import { IpHost } from "./ip/host.js";
import { Protocol } from "./ip/protocols.js";
import { Reassembly } from "./ip/reassembly.js";
import type { TcpConnection } from "./tcp/connection.js";
import type { ListenOptions, TcpListener } from "./tcp/listener.js";
import { type ConnectOptions, Tcp } from "./tcp/tcp.js";
import type { UdpSocket } from "./udp/socket.js";
import { Udp } from "./udp/udp.js";

export interface StackConfig {
  readonly crypto: CryptoProvider;
  readonly entropy: Entropy;
  /** Our addresses, each with the length of its network's prefix. */
  readonly addresses: readonly Prefix[];
  /** Bytes of the largest IP packet of the layer below. */
  readonly mtu: number;
  /** Default: CUBIC. */
  readonly congestion?: ControllerFactory;
}

/**
 * IP, ICMP, UDP and TCP in user space, over anything that carries IP packets. Packets come in as inputs and go out by
 * `pull`, one at a time into the caller's memory; what happens is told as events. The methods that take `now` are
 * inputs too.
 */
export class Stack implements Machine<StackInput, StackEvent> {
  readonly #host: IpHost;
  readonly #tcp: Tcp;
  readonly #udp: Udp;
  readonly #icmp: Icmp;
  readonly #header = new IpHeader();
  readonly #reassembly = new Reassembly();
  readonly #transmitted: { size: number } = { size: 0 };

  constructor({ crypto, entropy, addresses, mtu, congestion }: StackConfig) {
    this.#host = new IpHost(mtu, addresses, entropy);
    this.#tcp = new Tcp(this.#host, crypto, congestion ?? ((packetSize) => new Cubic(packetSize)));
    this.#udp = new Udp(this.#host);
    this.#icmp = new Icmp(this.#host, this.#tcp, this.#udp);
  }

  /** Bytes of the largest packet. It may be lowered when the layer below knows better; what is queued already stays. */
  get mtu(): number {
    return this.#host.mtu;
  }

  set mtu(bytes: number) {
    this.#host.mtu = bytes;
  }

  get addresses(): readonly Prefix[] {
    return this.#host.addresses;
  }

  get drops(): Record<StackDrop, number> {
    return this.#host.drops;
  }

  handle(input: StackInput | Wake, now: Instant): void {
    this.#host.now = now;
    if (input.kind === "wake") {
      this.#tcp.wake(now);
      return;
    }
    const { bytes, ranges, count } = input;
    for (let i = 0; i < count; i++) this.#packet(bytes, ranges[2 * i]!, ranges[2 * i + 1]!, now);
  }

  transmit(into: Uint8Array, now: Instant): Transmit | undefined {
    this.#transmitted.size = this.pull(into, 0, now);
    return this.#transmitted.size > 0 ? this.#transmitted : undefined;
  }

  /** Writes the next packet at `at` and answers its size; zero if there is none. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    this.#host.now = now;
    const packet = this.#host.next();
    if (packet === undefined) return this.#tcp.pull(into, at, now);
    into.set(packet, at);
    return packet.length;
  }

  event(): StackEvent | undefined {
    return this.#host.events.shift();
  }

  deadline(): Instant | undefined {
    return this.#tcp.deadline();
  }

  /** Opens a connection. Throws `misuse` failures: no address of the family, no free port, too many connections. */
  connect(
    remote: { readonly address: Uint8Array; readonly port: number },
    now: Instant,
    options: ConnectOptions = {},
  ): TcpConnection {
    this.#host.now = now;
    return this.#tcp.connect(remote, now, options);
  }

  /** Listens on a port; zero picks one. */
  listen(port: number, options: ListenOptions = {}): TcpListener {
    return this.#tcp.listen(port, options);
  }

  /** Stops listening: what was accepted lives on, what waits is reset. */
  unlisten(listener: TcpListener): void {
    this.#tcp.unlisten(listener);
  }

  /** After a connection was given work to do: its timers count. */
  touched(connection: TcpConnection, now: Instant): void {
    this.#host.now = now;
    this.#tcp.touched(connection);
  }

  /** Opens a UDP socket; port zero picks one. Throws `misuse` failures: the port is in use, too many sockets. */
  bind(port: number, address?: Uint8Array, remote?: UdpSocket["remote"]): UdpSocket {
    return this.#udp.bind(port, address, remote);
  }

  unbind(socket: UdpSocket): void {
    this.#udp.unbind(socket);
  }

  /** Bytes of the largest datagram that goes there in one packet, as far as our link and ICMP have said. */
  datagramMax(destination: Uint8Array, now: Instant): number {
    this.#host.now = now;
    return this.#host.mtuTo(destination) - (destination.length === 4 ? 20 : 40) - 8;
  }

  /** Queues a datagram; false if it was dropped, which is counted. */
  send(
    socket: UdpSocket,
    payload: Uint8Array,
    destination: Uint8Array,
    port: number,
    now: Instant,
    ecn = 0,
    dscp = 0,
  ): boolean {
    this.#host.now = now;
    return this.#udp.send(socket, payload, destination, port, ecn, dscp);
  }

  /** Sends an echo request; the answer is an `echo-reply` event with the same word. */
  ping(destination: Uint8Array, word: number, body: Uint8Array, now: Instant): boolean {
    this.#host.now = now;
    return this.#icmp.ping(destination, word, body);
  }

  /** Our address for a destination: one on its network, else the first of its family. */
  sourceFor(destination: Uint8Array): Uint8Array | undefined {
    return this.#host.sourceFor(destination);
  }

  #packet(bytes: Uint8Array, at: number, end: number, now: Instant): void {
    const header = this.#header;
    if (!header.read(bytes, at, end)) {
      this.#host.drop("malformed");
      return;
    }
    const size = header.addressSize;
    if (!this.#host.holds(bytes, header.destinationAt, size)) {
      this.#host.drop("not-ours");
      return;
    }
    if (header.problemAt >= 0) {
      this.#icmp.tell("parameter-problem", header.problemAt - at, bytes.subarray(at, header.end), now);
      return;
    }
    if (header.isFragment) {
      const whole = this.#reassembly.add(header, bytes, now);
      if (whole !== undefined) this.#packet(whole, 0, whole.length, now);
      return;
    }
    if (header.protocol === Protocol.tcp) this.#tcp.packet(header, bytes, now);
    else if (header.protocol === Protocol.udp) {
      const isKnown = this.#udp.packet(header, bytes);
      if (!isKnown) this.#icmp.tell("port-unreachable", 0, bytes.subarray(at, header.end), now);
    } else if (header.protocol === (header.version === 4 ? Protocol.icmp : Protocol.icmpv6))
      this.#icmp.packet(header, bytes, now);
    else this.#host.drop("no-socket");
  }
}
