import type { Instant } from "../../contract/index.js";
import { packetsFirst, packetsMax } from "./limits.js";

/** What a packet was, in bits. */
export const Sent = {
  /** The peer will acknowledge it (RFC 9002 §2). */
  ackEliciting: 1,
  /** It counts against the congestion window. */
  inFlight: 2,
  /** It looks for a larger MTU: its loss says nothing about congestion (RFC 9000 §14.4). */
  probe: 4,
  /** It was marked ECT(0). */
  ect0: 8,
  /** What it held has been queued again already, by a probe timeout. */
  requeued: 16,
} as const;

export const State = {
  /** No packet: the number was left out, so that an acknowledgement of it is a lie (RFC 9000 §21.4). */
  skipped: 0,
  outstanding: 1,
  acknowledged: 2,
  lost: 3,
} as const;

/**
 * The packets of one number space that were sent and are not settled: a ring of columns, indexed by packet number. What
 * each held stands beside it in a second ring, four numbers a record; nothing is allocated for a packet. Both rings double
 * when they must.
 */
export class SentPackets {
  /** The lowest number that is still told apart. */
  base = 0;
  /** One more than the last number sent. */
  next = 0;
  #mask = packetsFirst - 1;
  #state!: Uint8Array;
  #flags!: Uint8Array;
  #size!: Uint16Array;
  #at!: Float64Array;
  /** First record of a packet, counted from the connection's first; its records end where the next packet's begin. */
  #held!: Float64Array;
  #records = new Float64Array(4 * packetsFirst);
  #recordMask = packetsFirst - 1;
  #recordEnd = 0;

  constructor() {
    this.#columns(packetsFirst);
  }

  state(number: number): number {
    return this.#state[number & this.#mask]!;
  }

  flags(number: number): number {
    return this.#flags[number & this.#mask]!;
  }

  size(number: number): number {
    return this.#size[number & this.#mask]!;
  }

  at(number: number): Instant {
    return this.#at[number & this.#mask]!;
  }

  setState(number: number, state: number): void {
    this.#state[number & this.#mask] = state;
  }

  setFlags(number: number, flags: number): void {
    this.#flags[number & this.#mask] = flags;
  }

  /** First record of what a packet held; see `record`. */
  heldFrom(number: number): number {
    return this.#held[number & this.#mask]!;
  }

  heldTo(number: number): number {
    return number + 1 < this.next ? this.#held[(number + 1) & this.#mask]! : this.#recordEnd;
  }

  /** One of a record's four numbers: kind, id, from, to. */
  record(index: number, field: number): number {
    return this.#records[4 * (index & this.#recordMask) + field]!;
  }

  /**
   * @param number at least `next`; numbers between are remembered as left out
   * @param held records of four numbers each, `heldCount` of them
   */
  push(number: number, size: number, flags: number, held: Float64Array, heldCount: number, now: Instant): void {
    if (this.next === 0) this.base = this.next = number;
    while (this.next < number) this.#put(this.next, State.skipped, 0, 0, now);
    this.#put(number, State.outstanding, size, flags, now);
    this.#hold(held, heldCount);
  }

  /** Takes the lowest number out of the table. */
  forgetFirst(): void {
    this.base++;
  }

  /** Takes the lowest numbers out until there is one that will be acknowledged or lost. */
  forgetUnawaited(): void {
    while (this.base < this.next && !this.#isAwaited(this.base)) this.base++;
  }

  /** Is the table as large as it may be? Then the lowest must be forgotten before another is put in. */
  get isFull(): boolean {
    return this.next - this.base >= packetsMax;
  }

  clear(): void {
    this.base = this.next;
  }

  /** Nothing will be sent any more: the memory goes. */
  close(): void {
    this.clear();
    this.#columns(0);
    this.#records = new Float64Array(0);
  }

  #put(number: number, state: number, size: number, flags: number, now: Instant): void {
    if (number - this.base > this.#mask) this.#room();
    const slot = number & this.#mask;
    this.#state[slot] = state;
    this.#size[slot] = size;
    this.#flags[slot] = flags;
    this.#at[slot] = now;
    this.#held[slot] = this.#recordEnd;
    this.next = number + 1;
  }

  #hold(held: Float64Array, count: number): void {
    while (this.#recordEnd + count - this.#held[this.base & this.#mask]! > this.#recordMask + 1) this.#growRecords();
    for (let i = 0; i < count; i++) {
      const at = 4 * (this.#recordEnd++ & this.#recordMask);
      for (let field = 0; field < 4; field++) this.#records[at + field] = held[4 * i + field]!;
    }
  }

  /** Lets go of the lowest packets if nobody waits for them; else doubles the ring. */
  #room(): void {
    this.forgetUnawaited();
    if (this.next - this.base <= this.#mask) return;
    const mask = this.#mask;
    const [state, flags, sizes, at, held] = [this.#state, this.#flags, this.#size, this.#at, this.#held];
    this.#columns(2 * (mask + 1));
    this.#mask = 2 * mask + 1;
    for (let number = this.base; number < this.next; number++) {
      const from = number & mask;
      const to = number & this.#mask;
      this.#state[to] = state[from]!;
      this.#flags[to] = flags[from]!;
      this.#size[to] = sizes[from]!;
      this.#at[to] = at[from]!;
      this.#held[to] = held[from]!;
    }
  }

  /** Empty ones, in one piece of memory: connections at rest are many. */
  #columns(count: number): void {
    const memory = new ArrayBuffer(20 * count);
    this.#at = new Float64Array(memory, 0, count);
    this.#held = new Float64Array(memory, 8 * count, count);
    this.#size = new Uint16Array(memory, 16 * count, count);
    this.#state = new Uint8Array(memory, 18 * count, count);
    this.#flags = new Uint8Array(memory, 19 * count, count);
  }

  /** Packets that only acknowledge are never acknowledged by themselves, so nobody waits for them. */
  #isAwaited(number: number): boolean {
    return this.state(number) === State.outstanding && (this.flags(number) & Sent.ackEliciting) !== 0;
  }

  #growRecords(): void {
    const first = this.#held[this.base & this.#mask]!;
    const size = 2 * (this.#recordMask + 1);
    const grown = new Float64Array(4 * size);
    for (let index = first; index < this.#recordEnd; index++) {
      for (let field = 0; field < 4; field++) {
        grown[4 * (index & (size - 1)) + field] = this.record(index, field);
      }
    }
    this.#records = grown;
    this.#recordMask = size - 1;
  }
}
