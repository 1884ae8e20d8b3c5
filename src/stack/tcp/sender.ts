import { earliest, type Instant } from "../../contract/index.js";
import { type CongestionController, type ControllerFactory, RttEstimator } from "../../mechanisms/congestion/index.js";
import {
  blackHoleTimeouts,
  delayedAckMs,
  pathMtuRaiseMs,
  persistMaxMs,
  persistMinMs,
  retransmitTimeoutInitialMs,
  retransmitTimeoutMaxMs,
  retransmitTimeoutMinMs,
} from "../limits.js";
import { Flight, type Sent } from "./flight.js";
import { Reduction } from "./reduction.js";
import type { Segment } from "./segment.js";
import { SendBuffer } from "./send-buffer.js";

/**
 * The sending half. Its sequence space counts from our SYN, which is offset 0; the first byte of data is 1, the FIN
 * stands behind the last.
 */
export class Sender {
  /** Our initial sequence number. */
  readonly initial: number;
  readonly buffer = new SendBuffer();
  readonly flight = new Flight();
  readonly rtt = new RttEstimator(retransmitTimeoutInitialMs);
  readonly #reduction = new Reduction();
  controller: CongestionController;
  /** Nagle's algorithm (RFC 9293 §3.7.4) is off unless asked for. */
  noDelay = true;

  una = 0;
  next = 0;
  /** Right edge of what the peer lets us send. */
  edge = 1;
  /** The largest window that the peer has offered. */
  windowMax = 0;
  /** Shift of the windows that the peer advertises. */
  scale = 0;
  /** No data follow; the FIN goes out when they are gone. */
  finishing = false;
  finSent = false;
  /** Bytes of payload that fit a segment beside the options that every one carries. */
  segmentSize: number;
  /** When the peer last acknowledged something new, or when the first unacknowledged byte was sent. */
  progressAt: Instant | undefined;

  #updateSequence = 0;
  #updateAcknowledgment = 0;
  #rtoAt: Instant | undefined;
  #probeAt: Instant | undefined;
  #reorderAt: Instant | undefined;
  #persistAt: Instant | undefined;
  #backoff = 0;
  #persistMs = persistMinMs;
  /** What a timer wants sent whatever the window says: a tail probe or a window probe. */
  #forced: "probe" | "window-probe" | undefined;
  #probeOutstanding = false;
  /** Recovery lasts until this offset is acknowledged. */
  #recoveryPoint: number | undefined;
  /** The congestion window, and nothing else, holds back what could go out. */
  #heldByWindow = false;
  /** Segments of this size vanished, or zero; they are tried again when it is time. */
  #vanishedSize = 0;
  #raiseFrom = 0;
  #raiseAt: Instant = 0;
  /** Of the last recovery: where it began, and how much was sent again, from when on and as far as which offset. */
  #recoveryStart = 0;
  #resent = 0;
  #resentAt: Instant | undefined;
  #resentEnd = 0;
  /** Of the last timeout: when, so that an echo of an older time shows that it was spurious (RFC 3522). */
  #timedOutAt: Instant | undefined;
  /** The last wake was a timeout. */
  #timedOut = false;

  // What `pick` chose.
  outStart = 0;
  outEnd = 0;
  outSent: Sent | undefined;

  constructor(initial: number, segmentSize: number, controller: ControllerFactory) {
    this.initial = initial;
    this.segmentSize = segmentSize;
    this.controller = controller(segmentSize);
  }

  sequenceOf(offset: number): number {
    return (this.initial + offset) >>> 0;
  }

  offsetOf(sequence: number): number {
    return this.una + ((sequence - this.initial - this.una) | 0);
  }

  /** Offset behind the last byte given to us. */
  get dataEnd(): number {
    return this.buffer.end + 1;
  }

  get unsent(): number {
    return Math.max(0, this.dataEnd - Math.max(1, this.next));
  }

  /** All that was to be sent has been sent and acknowledged, the FIN too if there is to be one. */
  get isDone(): boolean {
    return this.una === this.next && this.next === this.dataEnd + (this.finishing ? 1 : 0);
  }

  /** What fits is known now. */
  setSegmentSize(bytes: number): void {
    this.segmentSize = bytes;
    this.#vanishedSize = 0;
    this.controller.setPacketSize(bytes);
  }

  /** Size of a segment that timed out so often that it may be too large for the way, or zero; asked after a wake. */
  get suspect(): number {
    const first = this.#timedOut && this.#backoff >= blackHoleTimeouts ? this.flight.first() : undefined;
    return first !== undefined && !first.sacked ? Math.min(first.end - first.start, this.segmentSize) : 0;
  }

  /** Goes on with smaller segments. Once they have passed, a large one is tried, and again every so often (RFC 8899 §4.3). */
  tryLess(bytes: number): void {
    const vanished = Math.max(this.#vanishedSize, this.segmentSize);
    this.setSegmentSize(bytes);
    this.#vanishedSize = vanished;
    this.#raiseFrom = this.next;
    this.#raiseAt = 0;
  }

  /** Did a segment arrive that was larger than what is sent now? Then all are again. */
  hasPassed(): boolean {
    if (this.#vanishedSize === 0 || this.flight.largestDelivered <= this.segmentSize) return false;
    this.setSegmentSize(this.#vanishedSize);
    return true;
  }

  /** Takes the window of a segment, if it is not older than the last (RFC 9293 §3.10.7.4). */
  takeWindow(sequence: number, acknowledgment: number, window: number, now: Instant): boolean {
    const newer = sequence - this.#updateSequence;
    if (newer < 0 || (newer === 0 && acknowledgment < this.#updateAcknowledgment)) return false;
    this.#updateSequence = sequence;
    this.#updateAcknowledgment = acknowledgment;
    // RFC 9293 §3.8.6.1: a peer that answers probes with a closed window is alive.
    if (window === 0 && this.progressAt !== undefined) this.progressAt = now;
    const edge = acknowledgment + window;
    const opened = edge > this.edge;
    this.edge = Math.max(edge, this.una);
    this.windowMax = Math.max(this.windowMax, window);
    if (window > 0 && this.#persistAt !== undefined) {
      this.#persistAt = undefined;
      this.#persistMs = persistMinMs;
    }
    return opened;
  }

  /** Takes a believable acknowledgement with its SACK blocks. True if it told of anything new. */
  acknowledge(ack: number, segment: Segment, echoMs: number | undefined, now: Instant): boolean {
    const { flight, rtt } = this;
    const before = flight.inFlight;
    const limited = !this.#heldByWindow;
    flight.begin(rtt.minMs, echoMs === undefined ? undefined : now - echoMs);
    if (ack > this.una) {
      flight.acknowledge(ack, now);
      this.una = ack;
      this.buffer.release(Math.min(ack - 1, this.buffer.end));
      this.progressAt = this.una === this.next ? undefined : now;
      this.edge = Math.max(this.edge, ack);
    }
    this.#takeBlocks(ack, segment, now);
    if (flight.delivered === 0) return false;
    const sample = flight.newestRttMs ?? echoMs;
    if (sample !== undefined) rtt.sample(sample);
    if (this.#timedOutAt !== undefined) this.#judgeTimeout(ack, echoMs, now);
    else this.#judgeRecovery(echoMs, now);
    this.#backoff = 0;
    this.#probeOutstanding = false;
    this.controller.acknowledged(flight.delivered, flight.newestSentAt, before, rtt, now, limited);
    if (this.#recoveryPoint !== undefined && this.una >= this.#recoveryPoint) {
      this.#recoveryPoint = undefined;
      this.#reduction.end();
      flight.recoveryEnded();
    }
    this.#detect(before, now);
    this.#reduce(flight.delivered);
    this.arm(now);
    return true;
  }

  /** The peer says that a CE mark came through (RFC 3168 §6.1.2). */
  echoedCongestion(now: Instant): boolean {
    if (this.#recoveryPoint !== undefined) return false;
    this.#recoveryPoint = this.next;
    this.#reduction.begin(this.flight.inFlight);
    this.controller.congested(now, this.flight.inFlight, "ecn", now);
    this.#reduce(0);
    return true;
  }

  /**
   * Chooses what to send next: `outStart … outEnd`, and `outSent` if it goes out again.
   *
   * @param beside bytes of options that this segment carries beside those that all do
   */
  pick(now: Instant, beside = 0): boolean {
    const { flight } = this;
    const forced = this.#forced;
    const lost = flight.firstLost();
    const fits = this.segmentSize - beside;
    this.#heldByWindow = false;
    this.outSent = lost;
    if (lost !== undefined) {
      const size = Math.min(lost.end - lost.start, fits);
      if (!this.#hasRoom(size)) return this.#held();
      this.outStart = lost.start;
      this.outEnd = lost.start + size;
      return true;
    }
    this.outStart = this.next;
    const available = this.dataEnd - this.next;
    const usable = Math.max(0, this.edge - this.next);
    let size = Math.min(available, usable, this.#raises(Math.min(available, usable), now) ? this.#vanishedSize : fits);
    if (forced === "window-probe" && size <= 0 && available > 0) size = 1;
    if (size > 0) {
      this.outEnd = this.next + size;
      if (forced !== undefined) return true;
      if (!this.#hasRoom(size)) return this.#held();
      return this.#worthSending(size, available) || this.#hold(now);
    }
    if (forced === "probe") return this.#pickProbe();
    // A FIN of its own; with a closed window it waits like data.
    if (this.finishing && !this.finSent && available === 0 && (usable > 0 || forced !== undefined)) {
      this.outEnd = this.next;
      return true;
    }
    return available > 0 && this.#hold(now);
  }

  /** Does the FIN belong on what was picked? */
  get outHasFin(): boolean {
    if (!this.finishing) return false;
    return this.outSent === undefined ? this.outEnd === this.dataEnd : this.outEnd > this.dataEnd;
  }

  /** Bytes of data in what was picked. */
  get outSize(): number {
    return Math.min(this.outEnd, this.dataEnd) - this.outStart;
  }

  /** What was picked has gone out. */
  sent(now: Instant): void {
    this.#forced = undefined;
    if (this.outSent !== undefined) {
      const size = this.outEnd - this.outStart;
      this.#resent++;
      this.#resentAt ??= now;
      this.#resentEnd = Math.max(this.#resentEnd, this.outEnd);
      this.flight.resend(this.outSent, size, now);
      this.#reduction.sent(size);
      this.controller.sent(size, this.flight.inFlight, now);
    } else {
      const end = this.outEnd + (this.outHasFin ? 1 : 0);
      if (this.outHasFin) this.finSent = true;
      if (end - this.outStart > this.segmentSize + 1) this.#raiseAt = now + pathMtuRaiseMs;
      this.flight.push(this.outStart, end, now);
      this.#reduction.sent(end - this.outStart);
      this.controller.sent(end - this.outStart, this.flight.inFlight, now);
      this.next = end;
      this.progressAt ??= now;
    }
    this.arm(now);
  }

  /** The SYN takes offset 0. */
  sentSyn(now: Instant): void {
    const first = this.flight.first();
    if (first === undefined) {
      this.flight.push(0, 1, now);
      this.next = 1;
      this.progressAt = now;
    } else this.flight.resend(first, 1, now);
    this.arm(now);
  }

  deadline(): Instant | undefined {
    return earliest(earliest(this.#rtoAt, this.#probeAt), earliest(this.#reorderAt, this.#persistAt));
  }

  /** Time has come for some of it. True if something may be sent now. */
  wake(now: Instant): boolean {
    let act = false;
    this.#timedOut = false;
    if (this.#reorderAt !== undefined && now >= this.#reorderAt) {
      this.#reorderAt = undefined;
      this.#detect(this.flight.inFlight, now);
      this.#reduce(0);
      act = this.flight.hasLost;
    }
    if (this.#probeAt !== undefined && now >= this.#probeAt) {
      this.#probeAt = undefined;
      this.#probeOutstanding = true;
      this.#forced = "probe";
      this.arm(now);
      act = true;
    }
    if (this.#rtoAt !== undefined && now >= this.#rtoAt) {
      this.#timeout(now);
      act = true;
    }
    if (this.#persistAt !== undefined && now >= this.#persistAt) {
      this.#persistMs = Math.min(2 * this.#persistMs, persistMaxMs);
      this.#persistAt = now + this.#persistMs;
      if (this.flight.isEmpty) this.#forced = "window-probe";
      act = true;
    }
    return act;
  }

  /** Sets the timers for what is in flight (RFC 6298 §5, RFC 8985 §7.2). */
  arm(now: Instant): void {
    const { flight, rtt } = this;
    this.#rtoAt = this.#probeAt = undefined;
    if (flight.isEmpty) return;
    const rto = Math.min(
      Math.max(rtt.sampled ? rtt.timeoutMs() : retransmitTimeoutInitialMs, retransmitTimeoutMinMs) * 2 ** this.#backoff,
      retransmitTimeoutMaxMs,
    );
    const from = this.#backoff > 0 ? (flight.first()?.sentAt ?? now) : now;
    const rtoAt = Math.max(now, from) + rto;
    const mayProbe =
      rtt.sampled && !this.#probeOutstanding && this.#backoff === 0 && !flight.hasLost && !flight.hasSacked;
    if (mayProbe) {
      const patience = 2 * rtt.smoothedMs + (flight.count === 1 ? delayedAckMs + 10 : 2);
      if (now + patience < rtoAt) {
        this.#probeAt = now + patience;
        return;
      }
    }
    this.#rtoAt = rtoAt;
  }

  stop(): void {
    this.#rtoAt = this.#probeAt = this.#reorderAt = this.#persistAt = undefined;
    this.flight.clear();
    this.buffer.clear();
  }

  #takeBlocks(ack: number, segment: Segment, now: Instant): void {
    for (let i = 0; i < segment.sackCount; i++) {
      const from = this.offsetOf(segment.sackEdges[2 * i]!);
      const to = this.offsetOf(segment.sackEdges[2 * i + 1]!);
      if (from >= to || to > this.next) continue;
      const inside = i === 0 && segment.sackCount > 1 && this.#holds(segment, from, to);
      if (i === 0 && (to <= ack || inside)) this.#duplicate(to);
      else if (from >= ack) this.flight.sack(from, to, now);
    }
  }

  /** Does the second block hold the first? Then the first tells of a duplicate (RFC 2883 §4). */
  #holds(segment: Segment, from: number, to: number): boolean {
    return this.offsetOf(segment.sackEdges[2]!) <= from && to <= this.offsetOf(segment.sackEdges[3]!);
  }

  /** @param before bytes in flight before what is told of now */
  #detect(before: number, now: Instant): void {
    const { flight, rtt } = this;
    this.#reorderAt = undefined;
    if (!flight.hasSacked && this.#recoveryPoint === undefined) return;
    flight.newlyLostBytes = 0;
    this.#reorderAt = flight.detect(now, rtt.minMs, rtt.smoothedMs, this.#recoveryPoint !== undefined);
    if (flight.newlyLostBytes === 0) return;
    this.controller.lost(flight.newlyLostBytes, flight.lostSentAt, now);
    // RFC 8899 §3 (7): a probe that is lost says nothing about congestion.
    const lost = flight.firstLost()!;
    const wasProbe = lost.end - lost.start > this.segmentSize + 1 && flight.newlyLostBytes === lost.end - lost.start;
    const window = this.controller.window;
    if (!wasProbe) this.controller.congested(flight.lostSentAt, flight.inFlight, "loss", now);
    if (this.controller.window < window) this.#reduction.begin(before);
    if (this.#recoveryPoint === undefined) {
      this.#recoveryStart = this.una;
      this.#resent = this.#resentEnd = 0;
      this.#resentAt = undefined;
    }
    this.#recoveryPoint ??= this.next;
  }

  /** The peer got something twice. If that is all that was sent again, nothing had been lost (RFC 3708 §2). */
  #duplicate(end: number): void {
    this.flight.duplicateArrived();
    if (this.#resent === 0 || end <= this.#recoveryStart || end > this.#resentEnd) return;
    if (--this.#resent > 0) return;
    this.#reduction.end();
    this.controller.undo();
  }

  /** RFC 3522: all that was sent again had arrived before, since the peer echoes a time before that. */
  #judgeRecovery(echoMs: number | undefined, now: Instant): void {
    if (this.#recoveryPoint === undefined || this.#resentAt === undefined || echoMs === undefined) return;
    if (this.una < this.#resentEnd || now - echoMs >= this.#resentAt - 1 || this.flight.hasLost) return;
    this.#resent = 0;
    this.#resentAt = undefined;
    this.#recoveryPoint = undefined;
    this.#reduction.end();
    this.controller.undo();
  }

  #timeout(now: Instant): void {
    this.#rtoAt = undefined;
    if (this.#backoff === 0 && this.next > 1) {
      this.controller.collapsed(this.flight.inFlight, now);
      this.#timedOutAt = now;
    }
    this.#timedOut = true;
    this.#backoff++;
    this.#recoveryPoint = this.next;
    this.#reduction.end();
    this.flight.loseAll();
    // The first lost segment goes out; the timer then counts from it.
    this.#rtoAt = undefined;
  }

  /** RFC 3522: an echo from before the timeout says that the original had arrived. */
  #judgeTimeout(ack: number, echoMs: number | undefined, now: Instant): void {
    const spurious = echoMs !== undefined && now - echoMs < this.#timedOutAt! - 1;
    if (spurious) this.controller.undo();
    if (spurious || ack >= this.next || echoMs !== undefined) this.#timedOutAt = undefined;
  }

  /** RFC 6937: while the window shrinks, what goes out follows what arrives. */
  #reduce(delivered: number): void {
    const { inFlight } = this.flight;
    if (this.#reduction.isOn)
      this.#reduction.acknowledged(delivered, inFlight, this.controller.window, this.segmentSize);
  }

  #hasRoom(size: number): boolean {
    const { inFlight } = this.flight;
    const window = this.#reduction.isOn ? this.#reduction.window : this.controller.window;
    return inFlight === 0 || inFlight + size <= window;
  }

  #held(): false {
    this.#heldByWindow = true;
    return false;
  }

  /** Is it time to try a segment of the size that vanished, and is there one? */
  #raises(size: number, now: Instant): boolean {
    if (this.#vanishedSize === 0 || size < this.#vanishedSize) return false;
    return now >= this.#raiseAt && this.una >= this.#raiseFrom && this.#recoveryPoint === undefined;
  }

  /** The window is closed or too small to be worth it, and nothing on its way will tell when it opens: ask in a while. */
  #hold(now: Instant): false {
    if (this.flight.isEmpty) this.#persistAt ??= now + this.#persistMs;
    return false;
  }

  /** Sender's silly window avoidance and Nagle (RFC 9293 §3.8.6.2.1, §3.7.4). */
  #worthSending(size: number, available: number): boolean {
    if (size >= this.segmentSize) return true;
    if (size === available && (this.noDelay || this.finishing || this.flight.isEmpty)) return true;
    return this.windowMax > 0 && size >= this.windowMax / 2;
  }

  /** A tail probe with nothing new to send repeats the last segment (RFC 8985 §7.3). */
  #pickProbe(): boolean {
    const last = this.flight.last();
    if (last === undefined || last.sacked) return false;
    const size = Math.min(last.end - last.start, this.segmentSize);
    this.outSent = last;
    this.outStart = last.start;
    this.outEnd = last.start + size;
    return true;
  }
}
