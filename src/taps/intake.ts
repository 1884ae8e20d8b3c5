import type { Alarm, Host } from "../contract/index.js";
import { receiveQueueBytesMark } from "./limits.js";
import { Pacer } from "./pacer.js";
import type { ReceiveQueue } from "./receiving.js";
import type { Transport } from "./stacks/stack.js";

/** How fast a Connection takes what comes: held back while its reader is slow, and by `maxRecvRate` (RFC 9622 §8.1.8). */
export class Intake {
  readonly #host: Host;
  readonly #queue: ReceiveQueue;
  readonly #transport: () => Transport | undefined;
  #pacer: Pacer | undefined;
  #alarm: Alarm | undefined;
  #isPaused = false;

  constructor(host: Host, queue: ReceiveQueue, transport: () => Transport | undefined) {
    this.#host = host;
    this.#queue = queue;
    this.#transport = transport;
  }

  /** In bits per second. */
  set rate(rate: number | "unlimited") {
    this.#pacer = rate === "unlimited" ? undefined : new Pacer(rate);
  }

  /** So many bytes have come; they are not in the queue yet. */
  pace(bytes: number): void {
    const pacer = this.#pacer;
    if (pacer === undefined) return;
    const now = this.#host.now();
    pacer.took(bytes, now);
    if (pacer.nextAt <= now || this.#alarm !== undefined) return;
    this.#pause();
    this.#alarm = this.#host.wakeAt(pacer.nextAt, () => {
      this.#alarm = undefined;
      if (this.#queue.size < receiveQueueBytesMark) this.resume();
    });
  }

  /** Something is in the queue. */
  queued(): void {
    if (this.#queue.size >= receiveQueueBytesMark) this.#pause();
  }

  /** The reader has taken something. */
  taken(): void {
    if (this.#queue.size < receiveQueueBytesMark / 2 && this.#alarm === undefined) this.resume();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport()?.resume();
  }

  stop(): void {
    this.#alarm?.cancel();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#transport()?.pause();
  }
}
