import { parseAddress } from "../bytes/index.js";
import {
  type DatagramOptions,
  type DatagramPort,
  type DatagramSink,
  type Ecn,
  Failure,
  networkFailure,
  type SocketAddress,
} from "../contract/index.js";
import type { UdpSocket } from "../stack/index.js";
import type { StackDriver } from "./stack-network.js";

/** A UDP socket of the stack as a datagram port. */
export class StackDatagramPort implements DatagramPort {
  readonly local: SocketAddress;
  readonly #driver: StackDriver;
  readonly #socket: UdpSocket;
  readonly #sink: DatagramSink;
  readonly #forget: () => void;
  #dscp = 0;
  #dontFragment: boolean;
  #closed = false;
  #holding = true;

  constructor(
    driver: StackDriver,
    socket: UdpSocket,
    address: string,
    sink: DatagramSink,
    { dontFragment = false }: DatagramOptions,
    forget: () => void,
  ) {
    this.#driver = driver;
    this.#dontFragment = dontFragment;
    this.#socket = socket;
    this.#sink = sink;
    this.#forget = forget;
    this.local = { address, port: socket.port };
    driver.hold(1);
  }

  /** The stack's queue is bounded and drops: nothing here ever blocks. */
  get blocked(): boolean {
    return false;
  }

  send(bytes: Uint8Array, to?: SocketAddress, segmentSize?: number, ecn: Ecn = 0): void {
    if (this.#closed) return;
    const { remote } = this.#socket;
    const address = to === undefined ? remote?.address : parseAddress(to.address);
    const port = to?.port ?? remote?.port;
    if (address === undefined || port === undefined) {
      throw networkFailure("not-an-address", "a datagram without a destination");
    }
    const { stack, host } = this.#driver;
    const now = host.now();
    const step = segmentSize || Math.max(bytes.length, 1);
    const max = this.#dontFragment ? stack.datagramMax(address, now) : datagramMax;
    for (let at = 0; at < Math.max(bytes.length, 1); at += step) {
      const part = bytes.subarray(at, Math.min(at + step, bytes.length));
      if (part.length > max) this.#tooBig(part.length);
      else stack.send(this.#socket, part, address, port, now, ecn, this.#dscp);
    }
    this.#driver.touched();
  }

  set(option: "dscp" | "hopLimit" | "dontFragment", value: number): boolean {
    if (option === "dscp") this.#dscp = value;
    else if (option === "dontFragment") this.#dontFragment = value !== 0;
    else return false;
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.stack.unbind(this.#socket);
    this.#forget();
    this.#hold(false);
    this.#driver.host.soon(() => this.#sink.closed());
  }

  ref(): void {
    this.#hold(!this.#closed);
  }

  unref(): void {
    this.#hold(false);
  }

  /** The bytes lie in the packet and are lent on. */
  received(bytes: Uint8Array, address: string, port: number, ecn: number): void {
    if (!this.#closed) this.#sink.datagrams(bytes, { address, port }, bytes.length, ecn as Ecn);
  }

  softError(failure: Failure): void {
    if (!this.#closed) this.#sink.softError?.(failure);
  }

  ended(failure: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forget();
    this.#hold(false);
    this.#sink.closed(failure instanceof Failure ? failure : networkFailure("network-failed", String(failure)));
  }

  #tooBig(size: number): void {
    const message = `a datagram of ${size} bytes does not fit ${this.#dontFragment ? "the path" : "UDP"}`;
    const failure = networkFailure("message-too-big", message);
    this.#driver.host.soon(() => this.softError(failure));
  }

  #hold(wanted: boolean): void {
    if (this.#holding !== wanted) this.#driver.hold(wanted ? 1 : -1);
    this.#holding = wanted;
  }
}

/** RFC 768: what sixteen bits of length leave beside the IPv4 and UDP headers. */
const datagramMax = 65_507;
