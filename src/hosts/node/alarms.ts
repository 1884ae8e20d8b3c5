import type { Alarm, Clock, Instant } from "../../contract/index.js";
import { Heap, type Heaped } from "../../mechanisms/heap.js";
import { timerMax } from "./limits.js";

/**
 * All alarms of a host over one timer, by moment and then by age. The timer holds the process open while any alarm
 * does.
 */
export class Alarms {
  readonly #clock: Clock;
  readonly #heap = new Heap<Entry>((a, b) => a.at < b.at || (a.at === b.at && a.age < b.age));
  #made = 0;
  #referenced = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #firedTo = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#heap.size;
  }

  wakeAt(at: Instant, call: () => void): Alarm {
    // A moment that has passed means soon: after the alarms that fire now, and after input.
    const entry: Entry = { at: Math.max(at, this.#firedTo + 0.001), age: this.#made++, call, place: -1, isRef: true };
    this.#heap.add(entry);
    this.#reference(1);
    this.#set();
    return {
      cancel: () => {
        if (this.#remove(entry) && this.#heap.size === 0) this.#set();
      },
      ref: () => this.#refer(entry, true),
      unref: () => this.#refer(entry, false),
    };
  }

  readonly #fire = (): void => {
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    this.#firedTo = now;
    try {
      for (let top = this.#heap.top; top !== undefined && top.at <= now; top = this.#heap.top) {
        this.#remove(top);
        top.call();
      }
    } finally {
      this.#set();
    }
  };

  #set(): void {
    const next = this.#heap.top?.at ?? Number.POSITIVE_INFINITY;
    if (next >= this.#timerAt && this.#heap.size > 0) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = next;
    if (this.#heap.size === 0) return;
    const wait = Math.ceil(Math.max(0, next - this.#clock.now()));
    this.#timer = setTimeout(this.#fire, Math.min(wait, timerMax));
    if (this.#referenced === 0) this.#timer.unref();
  }

  #remove(entry: Entry): boolean {
    const was = this.#heap.remove(entry);
    if (was && entry.isRef) this.#reference(-1);
    return was;
  }

  #refer(entry: Entry, isRef: boolean): void {
    if (entry.isRef === isRef) return;
    entry.isRef = isRef;
    if (entry.place >= 0) this.#reference(isRef ? 1 : -1);
  }

  #reference(by: 1 | -1): void {
    this.#referenced += by;
    if (this.#referenced === 0) this.#timer?.unref();
    else if (this.#referenced === 1 && by === 1) this.#timer?.ref();
  }
}

interface Entry extends Heaped {
  readonly at: Instant;
  readonly age: number;
  readonly call: () => void;
  isRef: boolean;
}
