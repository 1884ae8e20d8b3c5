import type { Instant } from "../../../contract/index.js";
import { type CongestionController, RttEstimator } from "../../../mechanisms/congestion/index.js";
import { Pacer } from "../../../mechanisms/pacer.js";
import { SendBuffer } from "../../../mechanisms/streams/send-buffer.js";
import { firstTimeoutMs, fullBufferMs, limits, silenceMs, timeoutMsMax, timeoutMsMin } from "../limits.js";
import { blockSizeMax, type MessageView, rangesPerMessage, type StreamEnd } from "../messages/message.js";
import { blockState, Flight } from "./flight.js";

/** RFC 9002 §6.1: so many later messages that came, or so much longer than a round trip, and a message is lost. */
const reorderFirst = 3;
const lossDelayFactor = 9 / 8;
const lossDelayMinMs = 1;
/** Time-outs in a row after which all that is in flight counts as lost, and the controller begins anew. */
const collapseAfter = 2;
/** Blocks that a time-out lets out, whatever the window says. */
const probes = 2;

/** The sending half of a stream: cuts blocks, and sees each acknowledged. */
export class Sender {
  readonly rtt = new RttEstimator(firstTimeoutMs / 3);
  readonly buffer = new SendBuffer();
  /** How the stream ends, once the application has said so. */
  end: StreamEnd | undefined;
  /** The block that `cut` chose. */
  position = 0;
  size = 0;
  isEnd = false;
  retransmissions = 0;
  /** Time-outs since the last acknowledgement. */
  timeouts = 0;
  readonly #flight = new Flight();
  readonly #controller: CongestionController;
  readonly #pacer: Pacer;
  /** Behind the last byte that a block was cut of. */
  #cutTo = 0;
  #endCut = false;
  #block = -1;
  #lostFrom = 0;
  #largest = -1;
  /** The last message without a block. */
  #ping = -1;
  #reorder = reorderFirst;
  #probes = 0;
  /** Since when something has been under way without an answer; undefined when all is answered. */
  #waitingSince: Instant | undefined;
  #timeoutAt: Instant | undefined;
  #lossAt: Instant | undefined;
  #paceAt: Instant | undefined;
  #limited = false;

  constructor(controller: CongestionController) {
    this.#controller = controller;
    this.#pacer = new Pacer(blockSizeMax);
  }

  /** Bytes that were written and never sent. */
  get unsent(): number {
    return this.buffer.end - this.#cutTo;
  }

  /** Bytes that are to be sent, for the first time or again. */
  get queued(): number {
    return this.unsent + this.#flight.lostBytes;
  }

  /** The end, and all before it, is acknowledged. */
  get isDone(): boolean {
    return this.#endCut && this.#flight.count === 0;
  }

  /** All is acknowledged but perhaps the end. */
  get onlyEndIsLeft(): boolean {
    return this.#endCut && this.buffer.base >= this.buffer.end;
  }

  get controllerName(): string {
    return this.#controller.name;
  }

  /** Messages without a block are counted among the others, so that their answers are recognised. Answers the sequence. */
  ping(now: Instant): number {
    this.#probes = 0;
    this.#ping = this.#flight.sent(-1, now);
    this.#waits(now);
    return this.#ping;
  }

  /** Nothing that was written is sent any more: the stream fails where it is. Too late, and false, once its end was sent. */
  fail(): boolean {
    if (this.#endCut) return false;
    this.end = "failure";
    this.#flight.clear();
    this.buffer.abandon();
    this.buffer.end = this.#cutTo;
    return true;
  }

  /**
   * May a block go now, and which? Then it is `position`, `size` and `isEnd`, and `sent` follows. Blocks are never larger than
   * `max`, but for those that were cut before.
   */
  cut(max: number, now: Instant): boolean {
    const flight = this.#flight;
    this.#paceAt = undefined;
    if (flight.lost === 0 && !this.#hasNew()) {
      this.#limited = true;
      return false;
    }
    if (flight.nextSequence - flight.oldest >= limits.transmissionsMax && this.#probes === 0) return false;
    if (this.#probes === 0 && !this.#mayGo(now)) return false;
    if (flight.lost > 0) {
      this.#block = flight.firstLost(this.#lostFrom);
      if (this.#block === flight.next) this.#block = flight.firstLost();
      this.#lostFrom = this.#block + 1;
      this.position = flight.position(this.#block);
      this.size = flight.size(this.#block);
      this.isEnd = flight.isEnd(this.#block);
      return true;
    }
    if (flight.count >= limits.blocksMax) return false;
    this.position = this.#cutTo;
    this.size = Math.min(max, this.unsent);
    this.isEnd = this.end !== undefined && this.size === this.unsent;
    this.#block = -1;
    return true;
  }

  /** Copies the chosen block's bytes and sees it sent; answers its sequence number. */
  sent(into: Uint8Array, at: number, now: Instant): number {
    const flight = this.#flight;
    if (this.#block < 0) {
      this.#block = flight.add(this.position, this.size, this.isEnd);
      this.#cutTo += this.size;
      if (this.isEnd) this.#endCut = true;
    } else this.retransmissions++;
    if (this.size > 0) this.buffer.copy(this.position, this.size, into, at);
    const sequence = flight.sent(this.#block, now);
    if (this.#probes > 0) this.#probes--;
    this.#controller.sent(this.size, flight.bytes, now);
    this.#pacer.sent(this.size, now, this.#controller.pacingRate);
    this.#waits(now);
    return sequence;
  }

  /** Takes what a message of the peer's says of our stream. */
  acknowledge(message: MessageView, now: Instant): void {
    const flight = this.#flight;
    const before = flight.bytes;
    let delivered = 0;
    let newest = -1;
    const sequence = flight.sequenceOf(message.answered);
    let isProgress = false;
    if (sequence !== undefined) {
      const block = flight.blockOf(sequence);
      if (sequence > this.#largest) {
        this.rtt.sample(Math.max(0, now - flight.sentAt(sequence)));
        this.#largest = newest = sequence;
        isProgress = true;
      }
      if (block >= flight.first) {
        this.#noticeReordering(block, sequence);
        delivered += flight.answered(block);
      }
    }
    const { ranges } = message;
    const sentTo = this.#cutTo + (this.#endCut ? 1 : 0);
    for (let i = 0; i < rangesPerMessage; i++) {
      const from = ranges[2 * i]!;
      const to = ranges[2 * i + 1]!;
      // What we never sent cannot be acknowledged.
      if (to <= from || to > sentTo) continue;
      for (let block = flight.at(from); block < flight.next && flight.behind(block) <= to; block++) {
        if (flight.state(block) === blockState.acknowledged) continue;
        newest = Math.max(newest, flight.lastSent(block));
        delivered += flight.acknowledged(block);
        // By whole blocks: what may have to be sent again is never let go of.
        this.buffer.acknowledge(flight.position(block), flight.position(block) + flight.size(block));
        isProgress = true;
      }
    }
    flight.forget();
    if (newest >= 0) this.#largest = Math.max(this.#largest, newest);
    if (isProgress) {
      this.#progress(delivered, newest, before, now);
      this.#restart(now);
    } else if (this.#waitingSince !== undefined) this.#heard(now);
    this.#detectLoss(now);
  }

  /** Time has passed. False: the peer has been silent for too long. */
  wake(now: Instant): boolean {
    if (this.#lossAt !== undefined && this.#lossAt <= now) this.#detectLoss(now);
    if (this.#paceAt !== undefined && this.#paceAt <= now) this.#paceAt = undefined;
    if (this.#timeoutAt === undefined || this.#timeoutAt > now) return true;
    const isLost = this.#waitingSince !== undefined && now - this.#waitingSince >= silenceMs;
    this.#timedOut(now);
    return !isLost;
  }

  /** Has a message that was to be answered not been, and there is no block to send in its place? */
  get wantsPing(): boolean {
    return this.#probes > 0 && this.#flight.lost === 0 && !this.#hasNew();
  }

  deadline(): Instant | undefined {
    let at = this.#timeoutAt ?? Number.POSITIVE_INFINITY;
    if (this.#lossAt !== undefined && this.#lossAt < at) at = this.#lossAt;
    if (this.#paceAt !== undefined && this.#paceAt < at) at = this.#paceAt;
    return at === Number.POSITIVE_INFINITY ? undefined : at;
  }

  /** Another path: what was measured holds no more, and what was under way is gone. */
  moved(now: Instant): void {
    this.rtt.reset(firstTimeoutMs / 3);
    this.timeouts = 0;
    this.#probes = probes;
    this.#loseOldest(probes);
    this.#restart(now);
  }

  /** It lives, but takes nothing: its buffer is full, and it says nothing when it is not any more. */
  #heard(now: Instant): void {
    this.#waitingSince = now;
    const asked = now + fullBufferMs;
    if (this.#timeoutAt === undefined || this.#timeoutAt > asked) this.#timeoutAt = asked;
  }

  /** Is there something that the peer has to answer? */
  get #isOutstanding(): boolean {
    return this.#flight.count > 0 || this.#ping > this.#largest;
  }

  #hasNew(): boolean {
    return this.unsent > 0 || (this.end !== undefined && !this.#endCut);
  }

  #mayGo(now: Instant): boolean {
    const { bytes } = this.#flight;
    const next = Math.min(blockSizeMax, Math.max(1, this.unsent));
    if (bytes > 0 && bytes + next > this.#controller.window) {
      this.#limited = false;
      return false;
    }
    const rate = this.#controller.pacingRate;
    if (this.#pacer.allowance(now, rate) >= blockSizeMax) return true;
    this.#paceAt = this.#pacer.readyAt(now, rate);
    this.#limited = false;
    return false;
  }

  #waits(now: Instant): void {
    this.#waitingSince ??= now;
    this.#limited = false;
    this.#restart(now);
  }

  #progress(delivered: number, newest: number, before: number, now: Instant): void {
    const flight = this.#flight;
    this.timeouts = 0;
    this.#probes = 0;
    this.#waitingSince = this.#isOutstanding ? now : undefined;
    const sentAt = newest >= 0 && flight.remembers(newest) ? flight.sentAt(newest) : now;
    this.#controller.acknowledged(delivered, sentAt, before, this.rtt, now, this.#limited);
  }

  /** A message that was held to be lost has come after all: reordering, and not loss. */
  #noticeReordering(block: number, sequence: number): void {
    const flight = this.#flight;
    const isSpurious = flight.state(block) === blockState.lost || flight.lastSent(block) !== sequence;
    if (!isSpurious || flight.state(block) >= blockState.answered) return;
    this.#reorder = Math.min(limits.reorderMax, Math.max(this.#reorder, this.#largest - sequence + 1));
    this.#controller.undo();
  }

  /** RFC 9002 §6.1, by sequence numbers. */
  #detectLoss(now: Instant): void {
    const flight = this.#flight;
    this.#lossAt = undefined;
    const delay = Math.max(lossDelayMinMs, lossDelayFactor * Math.max(this.rtt.smoothedMs, this.rtt.latestMs));
    let lostBytes = 0;
    let lostAt = 0;
    for (let sequence = flight.oldest; sequence < this.#largest; sequence++) {
      if (flight.isUndecided(sequence)) {
        const sentAt = flight.sentAt(sequence);
        if (this.#largest - sequence >= this.#reorder || sentAt + delay <= now) {
          const block = flight.blockOf(sequence);
          lostBytes += Math.max(1, flight.size(block));
          lostAt = sentAt;
          flight.lose(block);
          this.#lostFrom = Math.min(this.#lostFrom, block);
        } else {
          this.#lossAt = Math.min(this.#lossAt ?? Number.POSITIVE_INFINITY, sentAt + delay);
          continue;
        }
      }
      if (sequence === flight.oldest) flight.oldest++;
    }
    if (lostBytes === 0) return;
    this.#controller.lost(lostBytes, lostAt, now);
    this.#controller.congested(lostAt, flight.bytes, "loss", now);
  }

  /** RFC 9002 §6.2: nothing has been heard. */
  #timedOut(now: Instant): void {
    const flight = this.#flight;
    if (!this.#isOutstanding) {
      this.#waitingSince = this.#timeoutAt = undefined;
      return;
    }
    this.timeouts++;
    this.#probes = probes;
    if (this.timeouts >= collapseAfter) {
      const { bytes } = flight;
      this.#loseOldest(flight.count);
      this.#controller.collapsed(bytes, now);
    } else this.#loseOldest(probes);
    this.#restart(now);
  }

  #loseOldest(count: number): void {
    const flight = this.#flight;
    for (let block = flight.first; block < flight.next && count > 0; block++) {
      if (flight.state(block) === blockState.acknowledged) continue;
      flight.lose(block);
      count--;
    }
    this.#lostFrom = flight.first;
  }

  #restart(now: Instant): void {
    if (this.#waitingSince === undefined) {
      this.#timeoutAt = undefined;
      return;
    }
    const base = this.rtt.sampled ? Math.max(timeoutMsMin, this.rtt.timeoutMs()) : firstTimeoutMs;
    this.#timeoutAt = now + Math.min(timeoutMsMax, base * 2 ** this.timeouts);
  }
}
