import type { Clock, Instant } from "../../contract/index.js";
import { Heap, type Heaped } from "../../mechanisms/heap.js";
import { eventsAtOneMomentMax, untilMsDefault } from "./limits.js";

export interface Moment extends Heaped {
  readonly at: Instant;
  readonly age: number;
  readonly run: () => void;
}

/**
 * Virtual time: it stands still while anything runs and jumps to the next thing that is due. Between two events all
 * promises that can settle do, so asynchronous code has its place in the order too.
 */
export class Timeline implements Clock {
  readonly #heap = new Heap<Moment>((a, b) => a.at < b.at || (a.at === b.at && a.age < b.age));
  readonly #soon: (() => void)[] = [];
  readonly #held = new Set<Promise<unknown>>();
  #now: Instant;
  #made = 0;
  #ranAtNow = 0;

  constructor(start: Instant) {
    this.#now = start;
  }

  now(): Instant {
    return this.#now;
  }

  /** A moment that has passed means now, after all that is due already. */
  at(at: Instant, run: () => void): Moment {
    const moment: Moment = { at: Math.max(at, this.#now), age: this.#made++, run, place: -1 };
    this.#heap.add(moment);
    return moment;
  }

  cancel(moment: Moment | undefined): void {
    if (moment !== undefined) this.#heap.remove(moment);
  }

  /** After the current work, before any other event. */
  soon(run: () => void): void {
    this.#soon.push(run);
  }

  /** Lets no virtual time pass until something real has happened: a worker's answer, a file. */
  hold<T>(promise: Promise<T>): Promise<T> {
    const held = promise.finally(() => this.#held.delete(held));
    held.catch(() => {});
    this.#held.add(held);
    return promise;
  }

  /** Runs all that is due within so many milliseconds, and then it is that much later. */
  async run(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#settle();
    while (this.#step(end)) await this.#settle();
    this.#now = end;
  }

  /** Runs until it is so. Throws if it is not within the time, or if nothing is left to happen. */
  async until(isSo: () => boolean, withinMs = untilMsDefault): Promise<void> {
    const end = this.#now + withinMs;
    await this.#settle();
    while (!isSo()) {
      if (!this.#step(end)) {
        const why = this.#heap.size === 0 ? "nothing is left to happen" : `not within ${withinMs} ms`;
        throw new Error(`it never came to pass: ${why}`);
      }
      await this.#settle();
    }
  }

  /** One event, if one is due by then. */
  #step(end: Instant): boolean {
    const top = this.#heap.top;
    if (top === undefined || top.at > end) return false;
    this.#ranAtNow = top.at > this.#now ? 0 : this.#ranAtNow + 1;
    if (this.#ranAtNow > eventsAtOneMomentMax) throw new Error("virtual time does not advance: something spins");
    this.#now = top.at;
    this.#heap.remove(top);
    top.run();
    return true;
  }

  /** Node runs a next-tick callback when no microtask is left, however many led to one another. */
  async #settle(): Promise<void> {
    do {
      for (let run = this.#soon.shift(); run !== undefined; run = this.#soon.shift()) run();
      await new Promise<void>((resolve) => process.nextTick(resolve));
      while (this.#held.size > 0) await Promise.allSettled(this.#held);
    } while (this.#soon.length > 0);
  }
}
