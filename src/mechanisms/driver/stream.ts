import type {
  Answer,
  Failure,
  Host,
  Instant,
  Machine,
  SocketAddress,
  StreamInput,
  StreamPort,
  StreamSink,
} from "../../contract/index.js";
import { ownMemoryMax, transmitSizeMin } from "../limits.js";
import { DriverCore, type DriverHandlers, type DriverOptions } from "./core.js";
import { type Slab, SlabPool } from "./slabs.js";

/**
 * Runs a stream machine over a stream port. It is the port's sink: make it, then give it the port.
 *
 *     const driver = new StreamDriver(host, machine, handlers);
 *     driver.attach(network.connectStream(remote, driver));
 *
 * or, at a listener, `accept: (port) => driverFor(port).attach(port)`.
 *
 * Input → `handle` → drain → port. When the port is full the machine keeps its output until the port has drained; when
 * the application is slow, `pause` stops the port.
 */
export class StreamDriver<Input, Event> implements StreamSink {
  readonly #host: Host;
  readonly #machine: Machine<Input | StreamInput | Answer, Event>;
  readonly #handlers: DriverHandlers<Event>;
  readonly #core: DriverCore<Input | StreamInput, Event>;
  readonly #slabs: SlabPool;
  #slab: Slab | undefined;
  #port: StreamPort | undefined;
  /** The port's queue is over its mark. */
  #full = false;
  #finish: "open" | "wanted" | "done" = "open";

  constructor(
    host: Host,
    machine: Machine<Input | StreamInput | Answer, Event>,
    handlers: DriverHandlers<Event>,
    options: DriverOptions = {},
  ) {
    this.#host = host;
    this.#machine = machine;
    this.#handlers = handlers;
    this.#core = new DriverCore<Input | StreamInput, Event>(host, machine, handlers, options, (now) =>
      this.#transmit(now),
    );
    this.#slabs = SlabPool.of(host);
  }

  /** Answers itself, so that a listener's `accept` is one expression. */
  attach(port: StreamPort): this {
    this.#port = port;
    return this;
  }

  /** The port, for its addresses and options. Undefined before `attach`. */
  get port(): StreamPort | undefined {
    return this.#port;
  }

  get local(): SocketAddress | undefined {
    return this.#port?.local;
  }

  get remote(): SocketAddress | undefined {
    return this.#port?.remote;
  }

  /**
   * Gives the machine an input of its protocol. False means that the port is full and the machine holds its output:
   * give it no more to send until `writable`. Input after the end is ignored.
   */
  handle(input: Input): boolean {
    this.#core.handle(input);
    return !this.#full;
  }

  get isFull(): boolean {
    return this.#full;
  }

  /** The application is slow: no more bytes from the port. What the port has handed over is still told. */
  pause(): void {
    this.#port?.pause();
  }

  resume(): void {
    this.#port?.resume();
  }

  /** Ends our direction of the port when all that the machine has to transmit is written. */
  finish(): void {
    if (this.#finish !== "open") return;
    this.#finish = "wanted";
    this.#core.drain();
  }

  /** `finish`, and an `abort` if the port has not closed `lingerMs` later. */
  close(lingerMs: number): void {
    this.finish();
    this.#core.closeBy(this.#host.now() + lingerMs, () => this.abort());
  }

  /** Drops everything. `closed` follows. */
  abort(): void {
    this.#port?.abort();
  }

  opened(): void {
    this.#core.handle({ kind: "opened" });
  }

  bytes(bytes: Uint8Array): void {
    this.#core.handle({ kind: "bytes", bytes });
  }

  ended(): void {
    this.#core.handle({ kind: "end" });
  }

  drained(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#core.drain();
    if (!this.#full && !this.#core.over) this.#handlers.writable?.();
  }

  softError(failure: Failure): void {
    this.#handlers.softError?.(failure);
  }

  closed(failure?: Failure): void {
    this.#finish = "done";
    this.#core.end({ kind: "closed", failure }, failure);
    this.#rest();
  }

  /** Packs what the machine has into slabs, a slab to a write. */
  #transmit(now: Instant): void {
    const port = this.#port;
    if (port === undefined || this.#finish === "done") return;
    for (let more = true; more && !this.#full; ) {
      const slab = (this.#slab ??= this.#slabs.take());
      const start = slab.at;
      do {
        const transmit = this.#machine.transmit(slab.rest(), now);
        if (transmit === undefined) more = false;
        else slab.at += transmit.size;
      } while (more && slab.free >= transmitSizeMin);
      if (slab.at > start) this.#write(port, slab, start);
      if (slab.free < transmitSizeMin) this.#retire(slab);
    }
    this.#rest();
    if (this.#finish === "wanted" && !this.#full) {
      this.#finish = "done";
      port.finish();
    }
  }

  #write(port: StreamPort, slab: Slab, start: number): void {
    if (slab.at - start <= ownMemoryMax) {
      const own = slab.bytes.slice(start, slab.at);
      slab.at = start;
      if (!port.write(own)) this.#full = true;
    } else if (!port.write(slab.piece(start), slab.released)) this.#full = true;
  }

  /** A slab without room goes home by itself when its pieces have come back. */
  #retire(slab: Slab): void {
    this.#slab = undefined;
    if (slab.isOut) slab.idle = () => this.#slabs.give(slab);
    else this.#slabs.give(slab);
  }

  /** An idle driver holds no slab; one with pieces out goes on filling the same one. */
  #rest(): void {
    const slab = this.#slab;
    if (slab === undefined) return;
    if (!slab.isOut) this.#retire(slab);
    else {
      slab.idle ??= () => {
        if (this.#slab === slab) this.#slab = undefined;
        this.#slabs.give(slab);
      };
    }
  }
}
