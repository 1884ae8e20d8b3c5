import { utf8 } from "../../../bytes/index.js";
import type { Instant } from "../../../contract/index.js";
import type { GquicFailure } from "../failure.js";
import { limits } from "../limits.js";
import type { Level } from "../wire/header.js";

/**
 * The end of a connection. Google QUIC has no closing period; ours lasts three probe timeouts, in which CONNECTION_CLOSE is said
 * again to who goes on, ever more rarely.
 */
export class Closing {
  state: "open" | "closing" | "draining" | "over" = "open";
  failure: GquicFailure | undefined;
  code = 0;
  reason: Uint8Array = new Uint8Array(0);
  /** Levels at which it is still to be said. */
  readonly due: Level[] = [];
  #levels: readonly Level[] = [];
  #until: Instant = Number.POSITIVE_INFINITY;
  #heard = 0;
  #answerAt = 1;
  #sent = 0;

  get isOpen(): boolean {
    return this.state === "open";
  }

  close(
    code: number,
    reason: string,
    failure: GquicFailure | undefined,
    levels: readonly Level[],
    until: Instant,
  ): void {
    if (!this.isOpen) return;
    this.state = "closing";
    this.code = code;
    this.reason = utf8(reason).subarray(0, limits.reasonMax);
    this.failure = failure;
    this.#levels = levels;
    this.due.push(...levels);
    this.#until = until;
  }

  /** The peer has closed: we say nothing more. */
  drain(failure: GquicFailure | undefined, until: Instant): void {
    if (this.isOpen) {
      this.failure = failure;
      this.#until = until;
    }
    if (this.state !== "over") this.state = "draining";
    this.due.length = 0;
  }

  end(failure: GquicFailure | undefined): void {
    if (this.isOpen) this.failure = failure;
    this.state = "over";
    this.due.length = 0;
  }

  /** Something arrives though we have closed. */
  heard(): void {
    if (this.state !== "closing" || this.due.length > 0 || ++this.#heard < this.#answerAt) return;
    this.#answerAt *= 2;
    if (this.#sent < limits.closePacketsMax) this.due.push(...this.#levels);
  }

  sent(): void {
    this.due.shift();
    this.#sent++;
  }

  deadline(): Instant | undefined {
    return this.state === "closing" || this.state === "draining" ? this.#until : undefined;
  }

  wake(now: Instant): void {
    if (now >= this.#until) this.state = "over";
  }
}
