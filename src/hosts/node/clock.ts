import type { Clock, Instant } from "../../contract/index.js";
import { clockCheckMs, clockLagMax } from "./limits.js";

/**
 * Monotonic time that stays near wall-clock time: it is moved forward when the wall clock has run ahead (a suspended
 * machine, a clock that was set), and never back.
 */
export class NodeClock implements Clock {
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  #offset: number;
  #checkAt: number;

  constructor(monotonic: () => number = () => performance.now(), wall: () => number = () => Date.now()) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    const start = monotonic();
    this.#offset = wall() - start;
    this.#checkAt = start + clockCheckMs;
  }

  now(): Instant {
    const monotonic = this.#monotonic();
    if (monotonic >= this.#checkAt) {
      this.#checkAt = monotonic + clockCheckMs;
      const lag = this.#wall() - (monotonic + this.#offset);
      if (lag > clockLagMax) this.#offset += lag;
    }
    return monotonic + this.#offset;
  }
}
