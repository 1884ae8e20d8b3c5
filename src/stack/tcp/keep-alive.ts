import type { Instant } from "../../contract/index.js";
import { keepAliveIntervalMs, keepAliveProbesMax } from "../limits.js";

/** Keep-alive probes of one connection (RFC 9293 §3.8.4): off unless asked for. */
export class KeepAlive {
  /** A probe is to be sent. */
  wanted = false;
  #afterMs = 0;
  #probes = 0;
  #heardAt: Instant = 0;

  get isOn(): boolean {
    return this.#afterMs > 0;
  }

  /** Zero turns probing off. */
  set(afterMs: number, now: Instant): void {
    this.#afterMs = afterMs;
    this.heard(now);
  }

  /** The peer is there. */
  heard(now: Instant): void {
    this.#heardAt = now;
    this.#probes = 0;
  }

  /** Nobody here ran for so long: no silence of the peer's. */
  overslept(ms: number): void {
    this.#heardAt += ms;
  }

  /** When the next probe is due. */
  at(): Instant {
    return this.#heardAt + this.#afterMs + this.#probes * Math.min(keepAliveIntervalMs, this.#afterMs);
  }

  /** It is due. False if enough were sent: nobody answers. */
  probe(): boolean {
    if (this.#probes >= keepAliveProbesMax) return false;
    this.#probes++;
    this.wanted = true;
    return true;
  }
}
