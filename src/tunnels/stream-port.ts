import { formatAddress } from "../bytes/index.js";
import { type EnoPort, Failure, networkFailure, type SocketAddress, type StreamSink } from "../contract/index.js";
import type { TcpConnection, TcpEvent } from "../stack/index.js";
import { receiveSlabSize } from "./limits.js";
import type { StackDriver } from "./stack-network.js";

const nowhere: SocketAddress = { address: "::", port: 0 };

/**
 * A connection of the stack as a stream port. Received bytes are copied once, out of the packets; what arrives in one
 * batch of packets reaches the sink in one piece.
 */
export class StackStreamPort implements EnoPort {
  readonly remote: SocketAddress;
  readonly #driver: StackDriver;
  #connection: TcpConnection | undefined;
  #sink: StreamSink | undefined;
  #local = nowhere;

  #slab = new Uint8Array(0);
  #filled = 0;
  #told = 0;
  #paused = false;
  /** What is to be told, in order. */
  readonly #queue: (() => void)[] = [];
  #scheduled = false;
  #aborted = false;
  #closed = false;
  #holding = true;

  constructor(driver: StackDriver, remote: SocketAddress, sink?: StreamSink) {
    this.#driver = driver;
    this.remote = remote;
    this.#sink = sink;
    driver.hold(1);
  }

  attach(connection: TcpConnection): void {
    this.#connection = connection;
    const { local, localPort } = connection.tuple;
    this.#local = { address: formatAddress(local), port: localPort };
  }

  tell(sink: StreamSink): void {
    this.#sink = sink;
  }

  get local(): SocketAddress {
    return this.#local;
  }

  get queued(): number {
    return this.#connection?.queued ?? 0;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    const connection = this.#connection;
    if (connection === undefined || this.#aborted || connection.isClosed) {
      released?.();
      return true;
    }
    const more = connection.write(bytes, released);
    this.#driver.touched();
    return more;
  }

  push(): void {
    this.#connection?.push();
  }

  finish(): void {
    this.#connection?.finish();
    this.#driver.touched();
  }

  abort(): void {
    if (this.#aborted || this.#closed) return;
    this.#aborted = true;
    this.#queue.length = 0;
    if (this.#connection === undefined || this.#connection.isClosed) this.#close(undefined);
    else this.#connection.abort();
    this.#driver.touched();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#schedule();
  }

  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs", value: number): boolean {
    const connection = this.#connection;
    if (connection === undefined) return false;
    if (option === "noDelay") connection.noDelay = value !== 0;
    else if (option === "keepAliveMs") connection.setKeepAlive(value, this.#driver.host.now());
    else if (option === "dscp") connection.dscp = value;
    else connection.userTimeoutMs = value;
    this.#driver.stack.touched(connection, this.#driver.host.now());
    this.#driver.touched();
    return true;
  }

  ref(): void {
    this.#hold(!this.#closed);
  }

  unref(): void {
    this.#hold(false);
  }

  // ── from the network ───────────────────────────────────────────────────────────────────────────────────────────

  event(event: TcpEvent): void {
    switch (event.kind) {
      case "opened":
        this.#push(() => this.#sink?.opened?.());
        break;
      case "data":
        this.#copy(event.bytes);
        break;
      case "ended":
        this.#mark();
        this.#push(() => this.#sink?.ended());
        break;
      case "drained":
        this.#push(() => this.#sink?.drained());
        break;
      case "closed":
        this.#mark();
        this.#close(this.#aborted ? undefined : event.failure);
        break;
    }
  }

  softError(failure: Failure): void {
    this.#push(() => this.#sink?.softError?.(failure));
  }

  /** It never came about, or the tunnel is gone. */
  failed(failure: unknown): void {
    const told = failure instanceof Failure ? failure : networkFailure("network-failed", String(failure));
    this.#close(this.#aborted ? undefined : told);
  }

  #close(failure: Failure | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    // A paused sink reads before it hears an orderly end; a failure it hears at once, and what it had not read is gone.
    if (failure !== undefined) {
      this.#queue.length = 0;
      this.#paused = false;
    }
    this.#push(() => {
      this.#hold(false);
      this.#sink?.closed(failure);
      this.#sink = undefined;
    });
  }

  #copy(bytes: Uint8Array): void {
    if (this.#aborted) return;
    if (this.#slab.length - this.#filled < bytes.length) {
      this.#mark();
      this.#slab = new Uint8Array(Math.max(receiveSlabSize, bytes.length));
      this.#filled = this.#told = 0;
    }
    this.#slab.set(bytes, this.#filled);
    this.#filled += bytes.length;
    this.#schedule();
  }

  /** What was copied and not told becomes one piece in the queue. */
  #mark(): void {
    if (this.#filled === this.#told) return;
    const piece = this.#slab.subarray(this.#told, this.#filled);
    this.#told = this.#filled;
    this.#queue.push(() => {
      this.#sink?.bytes(piece);
      this.#connection?.consumed(piece.length);
      this.#driver.touched();
    });
  }

  #push(tell: () => void): void {
    this.#mark();
    this.#queue.push(tell);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#driver.host.soon(this.#tellAll);
  }

  readonly #tellAll = (): void => {
    this.#scheduled = false;
    this.#mark();
    while (this.#queue.length > 0 && (!this.#paused || this.#aborted)) this.#queue.shift()!();
  };

  #hold(wanted: boolean): void {
    if (this.#holding !== wanted) this.#driver.hold(wanted ? 1 : -1);
    this.#holding = wanted;
  }
}
