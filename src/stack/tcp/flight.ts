import type { Instant } from "../../contract/index.js";
import { sentKeptMax } from "../limits.js";

/** Step of the clock behind TCP's timestamps, in milliseconds. */
const clockStepMs = 1;

/** One segment on its way, by offsets in our sequence space. */
export interface Sent {
  start: number;
  end: number;
  /** When it was sent last. */
  sentAt: Instant;
  retransmitted: boolean;
  sacked: boolean;
  /** Given up: to be sent again, and not counted as in flight. */
  lost: boolean;
}

/**
 * What is on its way (RFC 6675's scoreboard, RFC 8985's list), and the judgement of what is lost: by time since
 * something sent later arrived (RACK), not by counting duplicates.
 */
export class Flight {
  /** Bytes sent, neither acknowledged nor given up. */
  inFlight = 0;
  /** Bytes that the last acknowledgement told of for the first time. */
  delivered = 0;
  /** The largest segment that it told of. */
  largestDelivered = 0;
  /** When the newest segment was sent that the last acknowledgement told of; its round trip if it is unambiguous. */
  newestSentAt: Instant = Number.NEGATIVE_INFINITY;
  newestRttMs: number | undefined;
  /** Bytes that the last `detect` newly gave up, and when the newest of them was sent. */
  newlyLostBytes = 0;
  lostSentAt: Instant = Number.NEGATIVE_INFINITY;

  readonly #segments: Sent[] = [];
  /** Those that have arrived, for reuse: what lies before the head is not looked at any more. */
  readonly #used: Sent[] = [];
  #head = 0;
  #sackedCount = 0;
  #lostCount = 0;

  // RACK, RFC 8985 §6
  #rackSentAt: Instant = Number.NEGATIVE_INFINITY;
  #rackEnd = 0;
  #rackRttMs = 0;
  #highestDelivered = 0;
  #reorderingSeen = false;
  #windowMultiplier = 1;
  #windowPersists = 0;
  #minRttMs = 0;
  #echoedAt: Instant | undefined;

  get isEmpty(): boolean {
    return this.#head === this.#segments.length;
  }

  get hasLost(): boolean {
    return this.#lostCount > 0;
  }

  get hasSacked(): boolean {
    return this.#sackedCount > 0;
  }

  /** Segments on their way. */
  get count(): number {
    return this.#segments.length - this.#head;
  }

  first(): Sent | undefined {
    return this.#segments[this.#head];
  }

  last(): Sent | undefined {
    return this.isEmpty ? undefined : this.#segments[this.#segments.length - 1];
  }

  /** The first segment that was given up. */
  firstLost(): Sent | undefined {
    if (this.#lostCount === 0) return undefined;
    for (let i = this.#head; i < this.#segments.length; i++) if (this.#segments[i]!.lost) return this.#segments[i];
    return undefined;
  }

  push(start: number, end: number, now: Instant): void {
    const used = this.#used.pop();
    if (used === undefined) {
      this.#segments.push({ start, end, sentAt: now, retransmitted: false, sacked: false, lost: false });
    } else {
      used.start = start;
      used.end = end;
      used.sentAt = now;
      used.retransmitted = used.sacked = used.lost = false;
      this.#segments.push(used);
    }
    this.inFlight += end - start;
  }

  /** The segment goes out again, or its first `size` bytes do and the rest stays as it was. */
  resend(segment: Sent, size: number, now: Instant): void {
    if (segment.end - segment.start > size) {
      const rest: Sent = { ...segment, start: segment.start + size };
      this.#segments.splice(this.#segments.indexOf(segment, this.#head) + 1, 0, rest);
      segment.end = rest.start;
      if (segment.lost) this.#lostCount++;
    }
    if (segment.lost) {
      segment.lost = false;
      this.#lostCount--;
      this.inFlight += segment.end - segment.start;
    }
    segment.sentAt = now;
    segment.retransmitted = true;
  }

  /**
   * Before the parts of one acknowledgement are told.
   *
   * @param echoedAt when the peer had what it echoes the timestamp of sent to it, if it echoes one
   */
  begin(minRttMs = 0, echoedAt: Instant | undefined = undefined): void {
    this.#minRttMs = minRttMs;
    this.#echoedAt = echoedAt;
    this.delivered = 0;
    this.largestDelivered = 0;
    this.newestSentAt = Number.NEGATIVE_INFINITY;
    this.newestRttMs = undefined;
    this.newlyLostBytes = 0;
  }

  /** Everything before `una` has arrived. */
  acknowledge(una: number, now: Instant): void {
    while (this.#head < this.#segments.length) {
      const segment = this.#segments[this.#head]!;
      if (segment.start >= una) break;
      const part = Math.min(segment.end, una);
      if (!segment.sacked) this.#deliver(segment, part - segment.start, now);
      if (part < segment.end) {
        segment.start = part;
        break;
      }
      if (segment.sacked) this.#sackedCount--;
      if (segment.lost) this.#lostCount--;
      this.#head++;
      if (this.#used.length < sentKeptMax) this.#used.push(segment);
    }
    if (this.#head > 256 && this.#head * 2 > this.#segments.length) {
      this.#segments.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Whole segments between the edges have arrived (RFC 2018). */
  sack(from: number, to: number, now: Instant): void {
    for (let i = this.#indexOf(from); i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      if (segment.end > to) break;
      if (segment.start < from || segment.sacked) continue;
      this.#deliver(segment, segment.end - segment.start, now);
      segment.sacked = true;
      this.#sackedCount++;
      if (segment.lost) {
        segment.lost = false;
        this.#lostCount--;
      }
    }
  }

  /** The peer got something twice (RFC 2883): our patience was too short (RFC 8985 §6.2, step 4). */
  duplicateArrived(): void {
    this.#windowMultiplier = Math.min(this.#windowMultiplier + 1, 64);
    this.#windowPersists = 16;
  }

  recoveryEnded(): void {
    if (this.#windowPersists > 0 && --this.#windowPersists === 0) this.#windowMultiplier = 1;
  }

  /**
   * Gives up what was sent long enough before something that arrived. Answers when to look again, if that may make a
   * difference.
   */
  detect(now: Instant, minRttMs: number, smoothedMs: number, inRecovery: boolean): Instant | undefined {
    if (this.#rackSentAt === Number.NEGATIVE_INFINITY) return undefined;
    const patienceMs = this.#patience(minRttMs, smoothedMs, inRecovery);
    let lookAt: Instant | undefined;
    for (let i = this.#head; i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      if (segment.sacked || segment.lost) continue;
      const before =
        segment.sentAt < this.#rackSentAt || (segment.sentAt === this.#rackSentAt && segment.end < this.#rackEnd);
      // Never sent again means sent in order: nothing behind was sent before.
      if (!before) {
        if (!segment.retransmitted) break;
        continue;
      }
      const at = segment.sentAt + this.#rackRttMs + patienceMs;
      if (at <= now) this.#lose(segment);
      else if (lookAt === undefined || at < lookAt) lookAt = at;
    }
    return lookAt;
  }

  /** A timeout: all that did not arrive is given up. */
  loseAll(): void {
    for (let i = this.#head; i < this.#segments.length; i++) {
      const segment = this.#segments[i]!;
      if (!segment.sacked && !segment.lost) this.#lose(segment);
    }
  }

  clear(): void {
    this.#segments.length = 0;
    this.#head = this.#sackedCount = this.#lostCount = this.inFlight = 0;
  }

  #lose(segment: Sent): void {
    segment.lost = true;
    this.#lostCount++;
    this.newlyLostBytes += segment.end - segment.start;
    this.inFlight -= segment.end - segment.start;
    this.lostSentAt = Math.max(this.lostSentAt, segment.sentAt);
  }

  #deliver(segment: Sent, size: number, now: Instant): void {
    this.delivered += size;
    this.largestDelivered = Math.max(this.largestDelivered, size);
    if (!segment.lost) this.inFlight -= size;
    const rttMs = now - segment.sentAt;
    if (segment.sentAt >= this.newestSentAt) {
      this.newestSentAt = segment.sentAt;
      this.newestRttMs = segment.retransmitted ? undefined : rttMs;
    }
    if (!segment.retransmitted && segment.end < this.#highestDelivered) this.#reorderingSeen = true;
    this.#highestDelivered = Math.max(this.#highestDelivered, segment.end);
    // RFC 8985 §6.2, step 2: what arrived was the original, and says nothing about what was sent before its repetition.
    const isOriginal =
      rttMs < this.#minRttMs || (this.#echoedAt !== undefined && this.#echoedAt < segment.sentAt - clockStepMs);
    if (segment.retransmitted && isOriginal) {
      this.#reorderingSeen = true;
      return;
    }
    if (segment.sentAt > this.#rackSentAt || (segment.sentAt === this.#rackSentAt && segment.end > this.#rackEnd)) {
      this.#rackSentAt = segment.sentAt;
      this.#rackEnd = segment.end;
      this.#rackRttMs = rttMs;
    }
  }

  /** The reordering window (RFC 8985 §6.2, step 4). */
  #patience(minRttMs: number, smoothedMs: number, inRecovery: boolean): number {
    if (!this.#reorderingSeen && (inRecovery || this.#sackedCount >= 3)) return 0;
    return Math.min((this.#windowMultiplier * minRttMs) / 4, smoothedMs);
  }

  #indexOf(offset: number): number {
    let low = this.#head;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#segments[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
