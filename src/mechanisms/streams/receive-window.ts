import type { Instant } from "../../contract/index.js";
import { tuneRoundTrips } from "./limits.js";

/**
 * What the peer may send, of one stream or of all (RFC 9000 §4.1). The limit moves when half of the window is used up; a
 * window that is used up quickly doubles, up to a maximum, so that it never is what limits a fast path (§4.2).
 */
export class ReceiveWindow {
  /** The peer may send up to this offset. It was told so, or is about to be. */
  limit: number;
  /** Bytes ahead of the reader. */
  size: number;
  readonly sizeMax: number;
  /** Greatest offset received, or the sum of the streams'. */
  received = 0;
  /** Bytes that the application has taken. */
  consumed = 0;
  #movedAt: Instant | undefined;

  constructor(size: number, sizeMax: number) {
    this.limit = this.size = size;
    this.sizeMax = Math.max(size, sizeMax);
  }

  /** The reader took bytes. True if the peer should hear of a new limit. */
  consume(bytes: number, rttMs: number, now: Instant): boolean {
    this.consumed += bytes;
    this.#movedAt ??= now;
    if (this.limit - this.consumed > this.size / 2) return false;
    if (now - this.#movedAt < tuneRoundTrips * rttMs) this.size = Math.min(2 * this.size, this.sizeMax);
    this.#movedAt = now;
    this.limit = this.consumed + this.size;
    return true;
  }

  /** Never less than this, as far as the maximum goes. */
  atLeast(size: number): void {
    this.size = Math.max(this.size, Math.min(size, this.sizeMax));
  }
}
