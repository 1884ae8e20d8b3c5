import type { Ecn, Instant } from "../../contract/index.js";
import { Ranges } from "../ranges.js";
import { ackEveryDefault, ackRangesMax } from "./limits.js";

/**
 * Which packets of one number space have arrived, and when that must be told (RFC 9000 §13.2). It holds a bounded number of
 * ranges: what lies below the lowest of them counts as seen, so no packet is ever taken twice.
 */
export class ReceivedPackets {
  readonly ranges: Ranges;
  /** How long an acknowledgement may wait; 0 in the spaces of the handshake (RFC 9000 §13.2.1). */
  maxAckDelayMs: number;
  /** So many packets that ask for it are acknowledged at once (§13.2.2). */
  ackEvery: number = ackEveryDefault;
  /** When the packet of the largest number came. */
  largestAt: Instant = 0;
  /** Packets that came with each mark (§13.4). */
  readonly ecn: { ect0: number; ect1: number; ce: number } = { ect0: 0, ect1: 0, ce: 0 };
  /** Numbers below are no longer told apart. */
  #floor = 0;
  #tellFrom = 0;
  #asking = 0;
  #askingSince: Instant | undefined;
  #atOnce = false;
  /** Something is there that no acknowledgement has told. */
  #untold = false;

  constructor(maxAckDelayMs: number, rangesMax: number = ackRangesMax) {
    this.maxAckDelayMs = maxAckDelayMs;
    this.ranges = new Ranges(rangesMax);
  }

  /** The largest number, or -1. */
  get largest(): number {
    return this.ranges.end - 1;
  }

  /** Seen already, or too old to know. Ask before the work of opening it; call `received` after. */
  isDuplicate(number: number): boolean {
    return number < this.#floor || this.ranges.has(number);
  }

  /** An authentic packet that is no duplicate. */
  received(number: number, asksForAck: boolean, ecn: Ecn, now: Instant): void {
    const { ranges } = this;
    const expected = ranges.end;
    const lowest = Math.min(ranges.least, number);
    ranges.add(number, number + 1);
    // A full set forgot its lowest range.
    if (ranges.least > lowest) this.#floor = ranges.least;
    this.#untold = true;
    if (number >= expected) this.largestAt = now;
    if (ecn !== 0) this.#count(ecn);
    if (!asksForAck) return;
    this.#asking++;
    this.#askingSince ??= now;
    // §13.2.1: at once if it leaves a gap or fills one, and on a CE mark.
    if (number !== expected || ecn === 3) this.#atOnce = true;
  }

  /** Something was received that no acknowledgement has told yet. */
  get hasUntold(): boolean {
    return this.#untold;
  }

  /** Somebody waits for an acknowledgement. */
  get isAsked(): boolean {
    return this.#asking > 0;
  }

  /** An acknowledgement must go now. */
  isDue(now: Instant): boolean {
    if (this.#asking === 0) return false;
    return this.#atOnce || this.#asking >= this.ackEvery || now >= this.#askingSince! + this.maxAckDelayMs;
  }

  /** When an acknowledgement must go; undefined if nobody waits. */
  deadline(): Instant | undefined {
    if (this.#asking === 0) return undefined;
    if (this.#atOnce || this.#asking >= this.ackEvery) return this.#askingSince;
    return this.#askingSince! + this.maxAckDelayMs;
  }

  /** How long the largest number has waited, for the ACK Delay field. */
  delayMs(now: Instant): number {
    return Math.max(0, now - this.largestAt);
  }

  /** An acknowledgement of all this has been written into a packet. */
  told(): void {
    this.#asking = 0;
    this.#askingSince = undefined;
    this.#atOnce = false;
    this.#untold = false;
  }

  /** Index of the lowest range that must still be told. */
  get firstToTell(): number {
    const { ranges } = this;
    let index = Math.max(0, ranges.count - 1);
    while (index > 0 && ranges.to(index - 1) > this.#tellFrom) index--;
    return index;
  }

  /**
   * The peer has our acknowledgement of all below: it need not be repeated (§13.2.4). It stays remembered, so that a packet
   * that fills an old gap is still welcome.
   */
  confirmedBelow(number: number): void {
    this.#tellFrom = Math.max(this.#tellFrom, number);
  }

  #count(ecn: Ecn): void {
    if (ecn === 2) this.ecn.ect0++;
    else if (ecn === 1) this.ecn.ect1++;
    else this.ecn.ce++;
  }
}
