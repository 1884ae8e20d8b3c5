import { putVarint, varintSize } from "../../bytes/index.js";
import { type DatagramFate, earliest, type Instant } from "../../contract/index.js";
import { Held, type Holder } from "./contents.js";
import { FrameType } from "./wire/frame-types.js";

/** Told of a datagram, once. */
export type TellFate = (fate: DatagramFate) => void;

/** What became of a datagram: give `fate` to `tell`. */
export interface DatagramEvent {
  readonly tell: TellFate;
  readonly fate: DatagramFate;
}

interface Queued {
  readonly bytes: Uint8Array;
  readonly until: Instant;
  readonly tell: TellFate | undefined;
}

/**
 * Datagrams that wait to be sent, and the fates of those that were (RFC 9221 §5): each leaves once, in order, and is
 * acknowledged, lost, or too old before it could leave.
 */
export class DatagramQueue {
  readonly #bytesMax: number;
  #queue: Queued[] = [];
  #bytes = 0;
  /** Of those that were sent and have somebody to tell. */
  #sent: Map<number, TellFate> | undefined;
  readonly #events: DatagramEvent[] = [];
  #next = 0;

  /** @param bytesMax that wait; every datagram counts for at least 64 */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get wants(): boolean {
    return this.#queue.length > 0;
  }

  /** False if the queue is full: nothing is told of it. The bytes are kept by reference until they have left. */
  push(bytes: Uint8Array, lifetimeMs: number | undefined, tell: TellFate | undefined, now: Instant): boolean {
    const cost = costOf(bytes);
    if (this.#bytes + cost > this.#bytesMax) return false;
    this.#bytes += cost;
    this.#queue.push({ bytes, until: now + (lifetimeMs ?? Number.POSITIVE_INFINITY), tell });
    return true;
  }

  /** Writes DATAGRAM frames (RFC 9221 §4) between `at` and `end`, as many as fit whole, and answers where they end. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder, now: Instant): number {
    let to = at;
    let taken = 0;
    for (const { bytes, until, tell } of this.#queue) {
      if (until <= now) this.#tell(tell, "expired");
      else {
        const size = bytes.length;
        if (to + 1 + varintSize(size) + size > end) break;
        into[to] = FrameType.datagramWithLength;
        to = putVarint(into, to + 1, size);
        into.set(bytes, to);
        to += size;
        holder.hold(Held.datagram, this.#next, 0, 0);
        if (tell !== undefined) (this.#sent ??= new Map()).set(this.#next, tell);
        this.#next++;
      }
      this.#bytes -= costOf(bytes);
      taken++;
    }
    if (taken > 0) this.#queue.splice(0, taken);
    return to;
  }

  /** What is longer than this can never leave: the path or the peer takes less than it did. */
  dropLonger(sizeMax: number): void {
    this.#keep(({ bytes }) => bytes.length <= sizeMax, "lost");
  }

  acknowledged(id: number): void {
    this.#settle(id, "acknowledged");
  }

  lost(id: number): void {
    this.#settle(id, "lost");
  }

  event(): DatagramEvent | undefined {
    return this.#events.shift();
  }

  deadline(): Instant | undefined {
    let at: Instant | undefined;
    for (const { until } of this.#queue) if (until !== Number.POSITIVE_INFINITY) at = earliest(at, until);
    return at;
  }

  expire(now: Instant): void {
    this.#keep(({ until }) => until > now, "expired");
  }

  /** The connection is over: what has not been acknowledged is lost. */
  close(): void {
    this.#keep(() => false, "lost");
    for (const tell of this.#sent?.values() ?? []) this.#tell(tell, "lost");
    this.#sent = undefined;
  }

  #keep(stays: (each: Queued) => boolean, fate: DatagramFate): void {
    if (this.#queue.every(stays)) return;
    const kept: Queued[] = [];
    for (const each of this.#queue) {
      if (stays(each)) kept.push(each);
      else {
        this.#bytes -= costOf(each.bytes);
        this.#tell(each.tell, fate);
      }
    }
    this.#queue = kept;
  }

  #settle(id: number, fate: DatagramFate): void {
    const tell = this.#sent?.get(id);
    if (tell === undefined) return;
    this.#sent?.delete(id);
    this.#tell(tell, fate);
  }

  #tell(tell: TellFate | undefined, fate: DatagramFate): void {
    if (tell !== undefined) this.#events.push({ tell, fate });
  }
}

/** Empty ones take memory too. */
const costOf = (bytes: Uint8Array): number => Math.max(64, bytes.length);
