import { utf8 } from "../../../bytes/index.js";
import type { Instant } from "../../../contract/index.js";
import type { QuicFailure } from "../failure.js";
import { limits } from "../limits.js";

/** What a CONNECTION_CLOSE says. */
export interface CloseMessage {
  readonly code: number;
  /** Frame type that a transport's error is about; undefined for an error of the application's. */
  readonly about: number | undefined;
  readonly reason: Uint8Array;
}

export const closeMessage = (code: number, about: number | undefined, reason: string): CloseMessage => ({
  code,
  about,
  reason: utf8(reason).subarray(0, limits.reasonMax),
});

/**
 * The end of a connection (RFC 9000 §10.2).
 *
 *     open ─ we close ─▶ closing ─ the peer closes, too ─▶ draining ─▶ over
 *          ─ the peer closes, or resets ─────────────────▶ draining ─▶ over
 *          ─ silence ────────────────────────────────────────────────▶ over
 */
export class Closing {
  state: "open" | "closing" | "draining" | "over" = "open";
  failure: QuicFailure | undefined;
  message: CloseMessage | undefined;
  /** A datagram with the message is to be sent. */
  isDue = false;
  #until: Instant = Number.POSITIVE_INFINITY;
  #heard = 0;
  #answerAt = 1;
  #sent = 0;
  #isHidden = false;

  get isOpen(): boolean {
    return this.state === "open";
  }

  close(message: CloseMessage, failure: QuicFailure | undefined, now: Instant, ptoMs: number): void {
    if (!this.isOpen) return;
    this.state = "closing";
    this.message = message;
    this.failure = failure;
    this.isDue = true;
    this.#until = now + 3 * ptoMs;
  }

  /** Is nothing that comes of interest any more? */
  get isDeaf(): boolean {
    return this.state === "over" || (this.state === "draining" && !this.#isHidden);
  }

  /**
   * The peer has closed: we say nothing more (§10.2.2).
   *
   * @param isHidden - what it said is behind in the same datagram, under keys that we may have (§10.2.3)
   */
  drain(failure: QuicFailure | undefined, now: Instant, ptoMs: number, isHidden = false): void {
    const wasHidden = this.#isHidden;
    this.#isHidden = isHidden && (this.isOpen || wasHidden);
    if (this.isOpen || wasHidden) {
      this.failure = failure;
      this.#until = now + 3 * ptoMs;
    }
    if (this.state !== "over") this.state = "draining";
    this.isDue = false;
  }

  end(failure: QuicFailure | undefined): void {
    if (this.isOpen) this.failure = failure;
    this.state = "over";
    this.isDue = false;
  }

  /** Something arrives though we have closed: it is told again, ever more rarely (§10.2.1). */
  heard(): void {
    if (this.state !== "closing" || ++this.#heard < this.#answerAt) return;
    this.#answerAt *= 2;
    this.isDue = this.#sent < limits.closePacketsMax;
  }

  sent(): void {
    this.isDue = false;
    this.#sent++;
  }

  deadline(): Instant | undefined {
    return this.state === "closing" || this.state === "draining" ? this.#until : undefined;
  }

  wake(now: Instant): void {
    if (now >= this.#until) this.state = "over";
  }
}
