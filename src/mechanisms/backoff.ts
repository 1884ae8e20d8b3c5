import type { Instant } from "../contract/index.js";

export interface BackoffOptions {
  readonly firstMs: number;
  /** Each wait is so many times the one before. Default 2. */
  readonly factor?: number;
  /** Longest wait. Default: none. */
  readonly waitMsMax?: number;
  /** Times that something is sent again before it is given up. Default: no end. */
  readonly repeatsMax?: number;
}

/**
 * When to send again what was not answered: DTLS flights (RFC 6347 §4.2.4.1), IKE requests, WireGuard initiations. Start
 * it when something goes out, stop it when the answer is there, and ask `due` when the deadline has come.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #waitMs: number;
  #deadline: Instant | undefined;
  #repeats = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
    this.#waitMs = options.firstMs;
  }

  get deadline(): Instant | undefined {
    return this.#deadline;
  }

  /** Times it was sent again since `start`. */
  get repeats(): number {
    return this.#repeats;
  }

  /** Something new went out. `jitterMs` is added to this wait alone. */
  start(now: Instant, jitterMs = 0): void {
    this.#repeats = 0;
    this.#waitMs = this.#options.firstMs;
    this.#deadline = now + this.#waitMs + jitterMs;
  }

  stop(): void {
    this.#deadline = undefined;
  }

  /** `again`: send it once more, the next wait is running; `exhausted`: give it up, nothing is running. */
  due(now: Instant, jitterMs = 0): "waiting" | "again" | "exhausted" {
    if (this.#deadline === undefined || now < this.#deadline) return "waiting";
    if (this.#repeats >= (this.#options.repeatsMax ?? Number.POSITIVE_INFINITY)) {
      this.stop();
      return "exhausted";
    }
    this.#repeats++;
    const { factor = 2, waitMsMax = Number.POSITIVE_INFINITY } = this.#options;
    this.#waitMs = Math.min(this.#waitMs * factor, waitMsMax);
    this.#deadline = now + this.#waitMs + jitterMs;
    return "again";
  }
}
