import type {
  Answer,
  DatagramInput,
  DatagramOptions,
  DatagramPort,
  Datagrams,
  Ecn,
  Failure,
  Host,
  Instant,
  Machine,
  Network,
  SocketAddress,
} from "../../contract/index.js";
import { DriverCore, type DriverHandlers, type DriverOptions } from "./core.js";
import { SlabPool } from "./slabs.js";

/**
 * Runs a datagram machine over one port or several (a client that migrates, a server with many addresses).
 *
 *     const driver = new DatagramDriver(host, machine, handlers);
 *     await driver.bind(host.network, { address: "::", port: 0 });
 *
 * A transmit whose `from` is an attached port's address leaves there, any other from the port bound last. While a port
 * is blocked the machine keeps its output.
 */
export class DatagramDriver<Input, Event> {
  readonly #machine: Machine<Input | DatagramInput | Answer, Event>;
  readonly #handlers: DriverHandlers<Event>;
  readonly #core: DriverCore<Input | DatagramInput, Event>;
  readonly #slabs: SlabPool;
  readonly #ports: DatagramPort[] = [];
  readonly #arrival: Writable<Datagrams> = {
    kind: "datagrams",
    bytes: new Uint8Array(),
    from: nowhere,
    to: nowhere,
    segmentSize: 0,
    ecn: 0,
  };

  constructor(
    host: Host,
    machine: Machine<Input | DatagramInput | Answer, Event>,
    handlers: DriverHandlers<Event>,
    options: DriverOptions = {},
  ) {
    this.#machine = machine;
    this.#handlers = handlers;
    this.#core = new DriverCore<Input | DatagramInput, Event>(host, machine, handlers, options, (now) =>
      this.#transmit(now),
    );
    this.#slabs = SlabPool.of(host);
  }

  /** Binds one more port. The first opens the machine. */
  async bind(
    network: Pick<Network, "bindDatagrams">,
    local: SocketAddress,
    options?: DatagramOptions,
  ): Promise<DatagramPort> {
    let port: DatagramPort | undefined;
    port = await network.bindDatagrams(
      local,
      {
        datagrams: (bytes, from, segmentSize, ecn) => {
          if (port !== undefined) this.#arrived(port.local, bytes, from, segmentSize, ecn);
        },
        writable: () => {
          this.#core.drain();
          if (!this.isFull && !this.#core.over) this.#handlers.writable?.();
        },
        softError: (failure) => this.#handlers.softError?.(failure),
        closed: (failure) => {
          if (port !== undefined) this.#closed(port, failure);
        },
      },
      options,
    );
    if (this.#core.over) {
      port.close();
      return port;
    }
    this.#ports.push(port);
    if (this.#ports.length === 1) this.#core.handle({ kind: "opened" });
    return port;
  }

  get ports(): readonly DatagramPort[] {
    return this.#ports;
  }

  /** Gives the machine an input of its protocol. False means that a port is blocked: wait for `writable`. */
  handle(input: Input): boolean {
    this.#core.handle(input);
    return !this.isFull;
  }

  /** The same, but what follows from it comes after the current work: nobody is called back from within his call. */
  give(input: Input): void {
    this.#core.give(input);
  }

  get isFull(): boolean {
    for (const port of this.#ports) if (port.blocked) return true;
    return false;
  }

  /** Sends what the machine still has, as far as the ports take it, and closes them all. */
  close(): void {
    this.#core.drain();
    for (const port of [...this.#ports]) port.close();
  }

  #arrived(to: SocketAddress, bytes: Uint8Array, from: SocketAddress, segmentSize: number, ecn: Ecn): void {
    const arrival = this.#arrival;
    arrival.bytes = bytes;
    arrival.from = from;
    arrival.to = to;
    arrival.segmentSize = segmentSize;
    arrival.ecn = ecn;
    this.#core.handle(arrival);
  }

  #closed(port: DatagramPort, failure: Failure | undefined): void {
    this.#ports.splice(this.#ports.indexOf(port), 1);
    if (this.#ports.length === 0) this.#core.end({ kind: "closed", failure }, failure);
    else if (failure !== undefined) this.#handlers.softError?.(failure);
  }

  /** The buffer is this drain's own: a port inside a tunnel drains the tunnel's driver before `send` returns. */
  #transmit(now: Instant): void {
    if (this.#ports.length === 0) return;
    const slab = this.#slabs.take();
    while (!this.isFull) {
      const transmit = this.#machine.transmit(slab.bytes, now);
      if (transmit === undefined) break;
      const bytes = slab.bytes.subarray(0, transmit.size);
      this.#portFrom(transmit.from).send(bytes, transmit.to, transmit.segmentSize, transmit.ecn);
    }
    this.#slabs.give(slab);
  }

  #portFrom(from: SocketAddress | undefined): DatagramPort {
    if (from !== undefined && this.#ports.length > 1) {
      for (const port of this.#ports) {
        if (port.local.port === from.port && port.local.address === from.address) return port;
      }
    }
    return this.#ports[this.#ports.length - 1]!;
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const nowhere: SocketAddress = { address: "::", port: 0 };
