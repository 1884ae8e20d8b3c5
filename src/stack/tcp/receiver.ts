import type { Instant } from "../../contract/index.js";
import { delayedAckMs, sackBlocksMax } from "../limits.js";
import { OutOfOrder } from "./reassembly.js";
import type { OptionsOut } from "./segment.js";

/** How far windows have to be shifted so that the field holds one of this size (RFC 7323 §2.3). */
export function windowShift(size: number): number {
  let shift = 0;
  while (size >> shift > 0xffff && shift < 14) shift++;
  return shift;
}

/** The receiving half: what is next, what waits, what may still come, and when to acknowledge. */
export class Receiver {
  /** The peer's initial sequence number. */
  readonly initial: number;
  /** Offset in the peer's sequence space of what is wanted next; its SYN is 0, its first byte 1. */
  next = 1;
  /** Shift of the windows that we advertise (RFC 7323 §2). */
  scale = 0;
  /** Offset of the peer's FIN, once it is known. */
  finAt: number | undefined;
  /** An acknowledgement is to go out now. */
  ackNow = false;
  ackAt: Instant | undefined;

  readonly #capacity: number;
  readonly #segmentSize: number;
  readonly #outOfOrder = new OutOfOrder();
  /** Delivered and not yet consumed by the application. */
  #unread = 0;
  /** Right edge of the window as the peer knows it: it must never go back (RFC 9293 §3.8.6). */
  #advertised = 1;
  #acknowledged = 1;
  #unacknowledgedSegments = 0;
  /** A block that arrived twice, to be told once (RFC 2883). */
  #duplicate: readonly [number, number] | undefined;

  /** @param segmentSize the most that one segment of the peer holds: what is larger is several, merged below us */
  constructor(initial: number, capacity: number, segmentSize: number) {
    this.initial = initial;
    this.#segmentSize = segmentSize;
    this.#capacity = capacity;
  }

  /** Offset of a sequence number near what is next. */
  offsetOf(sequence: number): number {
    return this.next + ((sequence - this.initial - this.next) | 0);
  }

  get nextSequence(): number {
    return (this.initial + this.next) >>> 0;
  }

  /** Bytes that may come beyond what is next. */
  get window(): number {
    return Math.max(0, this.#advertised - this.next);
  }

  /** RFC 9293 §3.10.7.4: does any of the segment lie in the window? */
  accepts(start: number, length: number): boolean {
    const { next, window } = this;
    if (length === 0) return window === 0 ? start === next : start >= next && start < next + window;
    const last = start + length - 1;
    return window > 0 && ((start >= next && start < next + window) || (last >= next && last < next + window));
  }

  /**
   * Takes data that starts at `start`. Answers what can be delivered now: a view of the segment, and then `more` until
   * it is empty.
   */
  data(start: number, payload: Uint8Array, now: Instant): Uint8Array | undefined {
    const { next } = this;
    const end = start + payload.length;
    if (end <= next) {
      this.#duplicate = [start, end];
      this.ackNow = true;
      return undefined;
    }
    // Beyond the window we promised nothing.
    const limit = this.#advertised;
    const usable = end > limit ? payload.subarray(0, Math.max(0, limit - start)) : payload;
    if (usable.length < payload.length) this.ackNow = true;
    if (start > next) {
      if (usable.length > 0) this.#outOfOrder.add(start, usable);
      this.ackNow = true;
      return undefined;
    }
    if (start < next) this.#duplicate = [start, next];
    const fresh = start < next ? usable.subarray(next - start) : usable;
    this.#deliver(fresh.length);
    // RFC 5681 §4.2: at least every second full segment, and at once when a gap is filled.
    if (!this.#outOfOrder.isEmpty) this.ackNow = true;
    else if (fresh.length > this.#segmentSize || ++this.#unacknowledgedSegments >= 2) this.ackNow = true;
    else this.ackAt ??= now + delayedAckMs;
    return fresh;
  }

  /** What lies outside the window is answered at once; if it came before, that is told (RFC 2883). */
  refused(start: number, end: number): void {
    if (end > start && end <= this.next) this.#duplicate = [start, end];
    this.ackNow = true;
  }

  /** What had waited and is next now. */
  more(): Uint8Array | undefined {
    if (this.#outOfOrder.isEmpty) return undefined;
    const bytes = this.#outOfOrder.take(this.next);
    if (bytes !== undefined) this.#deliver(bytes.length);
    return bytes;
  }

  /** The FIN, if everything before it is here. */
  takeFin(): boolean {
    if (this.finAt === undefined || this.next !== this.finAt) return false;
    this.next++;
    this.#advertised = Math.max(this.#advertised, this.next);
    this.ackNow = true;
    return true;
  }

  /** The application has read; answers whether the peer should be told of the room. */
  consumed(size: number): boolean {
    this.#unread = Math.max(0, this.#unread - size);
    const gain = this.next + this.#free() - this.#advertised;
    // RFC 9293 §3.8.6.2.2: no silly little windows.
    return gain >= Math.min(this.#capacity / 2, 65_536) || (this.window === 0 && gain > 0 && this.#unread === 0);
  }

  /** The window field of a segment that goes out now, scaled unless it is a SYN. */
  advertise(scaled: boolean): number {
    const shift = scaled ? this.scale : 0;
    const edge = this.next + this.#free();
    const window = Math.max(edge, this.#advertised) - this.next;
    const field = Math.min(window >> shift, 0xffff);
    this.#advertised = Math.max(this.#advertised, this.next + (field << shift));
    return field;
  }

  /** An acknowledgement has waited long enough. */
  wake(now: Instant): void {
    if (this.ackAt === undefined || now < this.ackAt) return;
    this.ackAt = undefined;
    this.ackNow = true;
  }

  /** The acknowledgement has gone out. */
  acknowledged(): void {
    this.ackNow = false;
    this.ackAt = undefined;
    this.#acknowledged = this.next;
    this.#unacknowledgedSegments = 0;
  }

  get owesAck(): boolean {
    return this.ackNow || this.#acknowledged !== this.next;
  }

  get hasBlocks(): boolean {
    return this.#duplicate !== undefined || !this.#outOfOrder.isEmpty;
  }

  /** Fills in the blocks of a SACK option, a duplicate first (RFC 2883 §4). */
  writeBlocks(options: OptionsOut, most: number): void {
    const limit = Math.min(most, sackBlocksMax);
    let count = 0;
    const put = ([from, to]: readonly [number, number]): void => {
      if (count >= limit) return;
      options.sackEdges[2 * count] = (this.initial + from) >>> 0;
      options.sackEdges[2 * count + 1] = (this.initial + to) >>> 0;
      count++;
    };
    if (this.#duplicate !== undefined) put(this.#duplicate);
    this.#duplicate = undefined;
    for (const block of this.#outOfOrder.blocks(limit)) put(block);
    options.sackCount = count;
  }

  clear(): void {
    this.#outOfOrder.clear();
  }

  #free(): number {
    return Math.max(0, this.#capacity - this.#unread - this.#outOfOrder.bytes);
  }

  #deliver(size: number): void {
    this.next += size;
    this.#unread += size;
  }
}
