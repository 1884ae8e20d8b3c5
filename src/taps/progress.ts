import type { Alarm, Host } from "../contract/index.js";

/** `connTimeout` (RFC 9622 §8.1.3): what was given to a Connection must make progress within it. */
export class Progress {
  readonly #host: Host;
  readonly #limit: () => number | "disabled";
  readonly #isDone: () => boolean;
  readonly #failed: (limit: number) => void;
  #watch: Alarm | undefined;
  #movedAt = 0;

  /**
   * @param limit - in milliseconds, as it stands
   * @param isDone - is nothing left that could make progress?
   */
  constructor(host: Host, limit: () => number | "disabled", isDone: () => boolean, failed: (limit: number) => void) {
    this.#host = host;
    this.#limit = limit;
    this.#isDone = isDone;
    this.#failed = failed;
  }

  /** Something was sent, or has expired. */
  moved(): void {
    this.#movedAt = this.#host.now();
  }

  /** There may be something to watch over. */
  guard(): void {
    const limit = this.#limit();
    if (limit === "disabled" || this.#isDone() || this.#watch !== undefined) return;
    this.moved();
    this.#watch = this.#host.wakeAt(this.#movedAt + limit, this.#look);
  }

  stop(): void {
    this.#watch?.cancel();
  }

  readonly #look = (): void => {
    this.#watch = undefined;
    const limit = this.#limit();
    if (this.#isDone() || limit === "disabled") return;
    if (this.#host.now() >= this.#movedAt + limit) this.#failed(limit);
    else this.#watch = this.#host.wakeAt(this.#movedAt + limit, this.#look);
  };
}
