import { earliest, type Instant } from "../../contract/index.js";
import { type CongestionController, RttEstimator } from "../congestion/index.js";
import { Pacer } from "../pacer.js";
import {
  backoffMax,
  granularityMs,
  initialRttMsDefault,
  lostKeptTimeouts,
  persistentCongestionThreshold,
  probesPerTimeout,
  reorderingDefault,
  reorderingMax,
  timeThresholdDefault,
  timeThresholdMax,
} from "./limits.js";
import type { RecoveryOptions, SentContents } from "./options.js";
import { Sent, State } from "./sent-packets.js";
import { Space, spent } from "./space.js";

/**
 * Loss detection and the sending side of congestion control (RFC 9002): one for a connection, with a table a packet number
 * space. It knows packets and what they held by number only; what the numbers mean is its user's business.
 */
export class Recovery {
  readonly rtt: RttEstimator;
  controller: CongestionController;
  bytesInFlight = 0;
  ptoCount = 0;
  /** Packets that a probe timeout lets out of `probeSpace` whatever the window says; counted down as they are sent. */
  probes = 0;
  probeSpace = 0;
  /** The handshake is confirmed: the last space has probe timeouts (RFC 9002 §6.2.1). */
  confirmed = false;
  /** Client: the server has shown that it validated our address. A server's peer always has (§6.2.2.1). */
  peerValidated: boolean;
  /** The anti-amplification limit holds everything back: no probe timeout runs (§6.2.2.1). */
  amplificationBlocked = false;
  /** How long the peer says that it may hold back acknowledgements. */
  maxAckDelayMs = 25;
  packetsLost = 0;
  packetsLostSpuriously = 0;

  /** Of the last `acknowledge`: packets, bytes and ECT(0) marks that it acknowledged first. */
  newlyAcked = 0;
  newlyAckedBytes = 0;
  newlyAckedEct0 = 0;
  /** It acknowledged a larger number than any before. */
  isNewest = false;
  /** Bytes of the largest packet that it acknowledged first. */
  newlyAckedSizeMax = 0;
  /** Bytes of the largest that the last `acknowledge` or `timeout` found lost or long overdue, MTU probes apart. */
  missedSizeMax = 0;

  readonly #options: RecoveryOptions;
  readonly #contents: SentContents;
  readonly #spaces: Space[];
  readonly #pacer: Pacer;
  #packetSize: number;
  #held = new Float64Array(4 * 4);
  #heldCount = 0;
  #reordering = reorderingDefault;
  #timeThreshold = timeThresholdDefault;
  #limited = false;
  /** When the last congestion was noticed: what was lost of packets sent before belongs to it. */
  #congestedAt: Instant = Number.NEGATIVE_INFINITY;
  /** Packets lost in it that have not arrived after all. */
  #congestionLosses = 0;
  #firstSampleAt: Instant = Number.POSITIVE_INFINITY;
  #activityAt: Instant = 0;
  /** Whose probe timeout comes first. */
  #timeoutSpace = 0;

  constructor(options: RecoveryOptions) {
    this.#options = options;
    this.#contents = options.contents;
    this.#packetSize = options.packetSize;
    this.#spaces = Array.from({ length: options.spaces }, () => new Space());
    this.#pacer = new Pacer(options.packetSize);
    this.rtt = new RttEstimator(options.initialRttMs ?? initialRttMsDefault);
    this.controller = options.controller(options.packetSize);
    this.peerValidated = !options.isClient;
  }

  /** Notes something that the packet under construction holds. */
  hold(kind: number, id: number, from: number, to: number): void {
    const at = 4 * this.#heldCount++;
    if (at === this.#held.length) {
      const grown = new Float64Array(2 * at);
      grown.set(this.#held);
      this.#held = grown;
    }
    this.#held[at] = kind;
    this.#held[at + 1] = id;
    this.#held[at + 2] = from;
    this.#held[at + 3] = to;
  }

  /** The packet under construction will not be sent; what it held is not lost either. */
  abandonHeld(): void {
    this.#heldCount = 0;
  }

  /** The packet under construction has its number and leaves. @param flags of `Sent` */
  sent(space: number, number: number, size: number, flags: number, now: Instant): void {
    const { packets } = this.#at(space);
    if (packets.isFull) this.#forgetFirst(space);
    packets.push(number, size, flags, this.#held, this.#heldCount, now);
    this.#heldCount = 0;
    if ((flags & Sent.inFlight) !== 0) {
      const rate = this.controller.pacingRate;
      if (this.#options.pacing !== false) this.#pacer.sent(size, now, rate);
      this.bytesInFlight += size;
      if (this.bytesInFlight + this.#packetSize > this.#window) this.#limited = false;
      this.controller.sent(size, this.bytesInFlight, now);
    }
    if ((flags & Sent.ackEliciting) !== 0) {
      const each = this.#at(space);
      each.elicitingSentAt = this.#activityAt = now;
      each.eliciting++;
      if (this.probes > 0 && space === this.probeSpace) this.probes--;
    }
  }

  /**
   * Works through an acknowledgement.
   * @param bounds pairs of the first and last number of each range, both acknowledged, the highest range first
   * @param count of pairs
   * @returns `unsent` if it acknowledges what was never sent: then nothing of it has been taken
   */
  acknowledge(space: number, bounds: Float64Array, count: number, ackDelayMs: number, now: Instant): "ok" | "unsent" {
    const each = this.#at(space);
    const { packets } = each;
    this.newlyAcked = this.newlyAckedBytes = this.newlyAckedEct0 = this.newlyAckedSizeMax = this.missedSizeMax = 0;
    this.isNewest = false;
    if (!each.hasSent(bounds, count)) return "unsent";
    const largest = bounds[1]!;
    const largestIsNew = largest > each.largestAcked && largest >= packets.base;
    if (largestIsNew) {
      this.isNewest = true;
      each.largestAcked = largest;
      each.largestAckedSentAt = packets.at(largest);
    }
    const before = this.bytesInFlight;
    let newestSentAt = Number.NEGATIVE_INFINITY;
    let eliciting = false;
    let counted = 0;
    for (let i = count - 1; i >= 0; i--) {
      const last = bounds[2 * i + 1]!;
      for (let number = Math.max(bounds[2 * i]!, packets.base); number <= last; number++) {
        const state = packets.state(number);
        if (state === State.acknowledged) continue;
        const flags = packets.flags(number);
        const size = packets.size(number);
        this.newlyAcked++;
        this.newlyAckedBytes += size;
        if (size > this.newlyAckedSizeMax) this.newlyAckedSizeMax = size;
        if ((flags & Sent.ect0) !== 0) this.newlyAckedEct0++;
        if ((flags & Sent.ackEliciting) !== 0) eliciting = true;
        if (state === State.lost) this.#wasSpurious(each, number, now);
        else this.#leftFlight(each, flags, size);
        if ((flags & Sent.inFlight) !== 0) {
          counted += size;
          newestSentAt = Math.max(newestSentAt, packets.at(number));
        }
        packets.setState(number, State.acknowledged);
        this.#tell(space, number, true);
      }
    }
    if (this.newlyAcked === 0) return "ok";
    // RFC 9002 §5.1: only if the largest is new, and something asked for the acknowledgement; and only of this path.
    if (largestIsNew && eliciting && (packets.flags(largest) & Sent.inFlight) !== 0) {
      this.#sample(space, now - packets.at(largest), ackDelayMs, now);
    }
    const limited =
      this.#limited &&
      (before < this.controller.window / 2 || this.controller.window >= this.controller.slowStartThreshold);
    if (counted > 0) this.controller.acknowledged(counted, newestSentAt, before, this.rtt, now, limited);
    this.#detect(space, now);
    // §6.2.1: a client goes on backing off until it knows that the server has validated its address.
    if (this.peerValidated) this.ptoCount = 0;
    this.#activityAt = now;
    each.forgetSettled(now, lostKeptTimeouts * this.rtt.timeoutMs(granularityMs));
    return "ok";
  }

  /** The peer's counts tell of new CE marks on packets that were sent no later than this moment (RFC 9002 §7.1). */
  congestionExperienced(space: number, now: Instant): void {
    const sentAt = this.#at(space).largestAckedSentAt;
    if (sentAt > this.#congestedAt) {
      this.#congestedAt = now;
      this.#congestionLosses = Number.POSITIVE_INFINITY;
    }
    this.controller.congested(sentAt, this.bytesInFlight, "ecn", now);
  }

  /** The largest number that the peer has acknowledged, or -1. */
  largestAcked(space: number): number {
    return this.#at(space).largestAcked;
  }

  /** Does the space have keys, so that it can send probes? */
  setKeys(space: number, has: boolean): void {
    this.#at(space).hasKeys = has;
  }

  /** Keys are dropped: nothing of the space is in flight any more, nor lost (§6.4). */
  discard(space: number, now: Instant): void {
    const each = this.#at(space);
    this.#clear(each);
    this.#spaces[space] = spent;
    this.ptoCount = 0;
    if (this.probeSpace === space) this.probes = 0;
    this.#activityAt = now;
  }

  /** A Retry, rejected 0-RTT, another version: what was sent was never taken. It is told as lost, but is no congestion. */
  lostAll(space: number): void {
    const each = this.#at(space);
    const { packets } = each;
    for (let number = packets.base; number < packets.next; number++) {
      if (packets.state(number) === State.outstanding && (packets.flags(number) & Sent.requeued) === 0) {
        this.#tell(space, number, false);
      }
    }
    this.#clear(each);
    this.ptoCount = 0;
  }

  /** All numbers below have been settled: nobody awaits an acknowledgement of them. */
  leastAwaited(space: number): number {
    return this.#at(space).packets.base;
  }

  /** When `timeout` must be called; undefined if nothing is awaited. */
  deadline(): Instant | undefined {
    return this.#earliestLoss() ?? this.#probeTimeout();
  }

  /**
   * The deadline has come. `probe`: packets may go in `probeSpace`, `probes` of them, whatever the window says; what the
   * oldest packets in flight held has been told as lost, so that there is something to put into them (§6.2.4).
   */
  timeout(now: Instant): "none" | "lost" | "probe" {
    this.missedSizeMax = 0;
    const lossAt = this.#earliestLoss();
    if (lossAt !== undefined) {
      if (now < lossAt) return "none";
      for (let space = 0; space < this.#spaces.length; space++) this.#detect(space, now);
      return "lost";
    }
    const at = this.#probeTimeout();
    if (at === undefined || now < at) return "none";
    this.probeSpace = this.#timeoutSpace;
    this.probes = probesPerTimeout;
    this.ptoCount = Math.min(this.ptoCount + 1, backoffMax);
    this.#activityAt = now;
    // The wait that follows counts from now, whether or not the probe can leave.
    this.#at(this.probeSpace).elicitingSentAt = now;
    this.#requeueOldest(this.probeSpace);
    return "probe";
  }

  /** The probe timeout of a space, without backoff (§6.2.1). */
  ptoMs(space: number): number {
    const delay = space === this.#spaces.length - 1 ? this.maxAckDelayMs : 0;
    return this.rtt.timeoutMs(granularityMs) + delay;
  }

  /** Bytes that the window has left. */
  get room(): number {
    return this.#window - this.bytesInFlight;
  }

  /** Bytes that window and pace let out now: nothing, or at least a full packet. */
  allowance(now: Instant): number {
    const { room } = this;
    if (room < this.#packetSize || this.#spaces[this.#spaces.length - 1]!.packets.isFull) return 0;
    if (this.#options.pacing === false) return room;
    const paced = this.#pacer.allowance(now, this.controller.pacingRate);
    return paced < this.#packetSize ? 0 : Math.min(room, paced);
  }

  /** When the pace will let a packet out; undefined if it is the window that holds, or nothing. */
  paceAt(now: Instant): Instant | undefined {
    if (this.#options.pacing === false || this.#window - this.bytesInFlight < this.#packetSize) return undefined;
    const at = this.#pacer.readyAt(now, this.controller.pacingRate);
    return at > now ? at : undefined;
  }

  /** There was nothing more to send, though there was room: the window is not what limits us (§7.8). */
  applicationLimited(): void {
    this.#limited = true;
  }

  /**
   * The last space goes on along another path: what was learned about the old one no longer holds, and what is still on its
   * way there counts neither against the new window nor for the new round trip (RFC 9000 §9.4).
   */
  newPath(packetSize: number): void {
    const { packets } = this.#spaces[this.#spaces.length - 1]!;
    for (let number = packets.base; number < packets.next; number++) {
      const flags = packets.flags(number);
      if (packets.state(number) === State.outstanding && (flags & Sent.inFlight) !== 0) {
        this.bytesInFlight -= packets.size(number);
      }
      packets.setFlags(number, flags & ~Sent.inFlight);
    }
    this.#packetSize = packetSize;
    this.controller = this.#options.controller(packetSize);
    this.#pacer.setPacketSize(packetSize);
    this.rtt.reset(this.#options.initialRttMs ?? initialRttMsDefault);
    this.#firstSampleAt = Number.POSITIVE_INFINITY;
    this.#congestedAt = Number.NEGATIVE_INFINITY;
    this.ptoCount = 0;
  }

  setPacketSize(bytes: number): void {
    if (bytes === this.#packetSize) return;
    this.#packetSize = bytes;
    this.controller.setPacketSize(bytes);
    this.#pacer.setPacketSize(bytes);
  }

  /** §7.6.2: never less than two packets, whatever the controller says. */
  get #window(): number {
    return Math.max(this.controller.window, 2 * this.#packetSize);
  }

  #at(space: number): Space {
    return this.#spaces[space]!;
  }

  #sample(space: number, rttMs: number, ackDelayMs: number, now: Instant): void {
    // RFC 9002 §5.3: no delay in the Initial space; bounded by the promise once the handshake is confirmed.
    const delay = space === 0 ? 0 : this.confirmed ? Math.min(ackDelayMs, this.maxAckDelayMs) : ackDelayMs;
    this.rtt.sample(Math.max(0, rttMs), delay);
    this.#firstSampleAt = Math.min(this.#firstSampleAt, now);
  }

  #leftFlight(space: Space, flags: number, size: number): void {
    if ((flags & Sent.inFlight) !== 0) this.bytesInFlight -= size;
    if ((flags & Sent.ackEliciting) !== 0) space.eliciting--;
  }

  #tell(space: number, number: number, isAcked: boolean): void {
    const { packets } = this.#at(space);
    const contents = this.#contents;
    const to = packets.heldTo(number);
    for (let index = packets.heldFrom(number); index < to; index++) {
      const kind = packets.record(index, 0);
      const id = packets.record(index, 1);
      const start = packets.record(index, 2);
      const end = packets.record(index, 3);
      if (isAcked) contents.acknowledged(space, kind, id, start, end);
      else contents.lost(space, kind, id, start, end);
    }
  }

  /** §6.1: lost are those far enough behind an acknowledged one, in numbers or in time. */
  #detect(space: number, now: Instant): void {
    const each = this.#at(space);
    const { packets, largestAcked } = each;
    each.lossAt = undefined;
    const delay = Math.max(this.#timeThreshold * Math.max(this.rtt.latestMs, this.rtt.smoothedMs), granularityMs);
    each.scan = Math.max(each.scan, packets.base);
    let lost = 0;
    let lostBytes = 0;
    let newestSentAt = Number.NEGATIVE_INFINITY;
    let unbrokenSince: Instant | undefined;
    let longestMs = 0;
    let settled = true;
    for (let number = each.scan; number <= largestAcked && number < packets.next; number++) {
      const state = packets.state(number);
      if (state === State.outstanding) {
        const at = packets.at(number);
        if (number > largestAcked - this.#reordering && now < at + delay) {
          each.lossAt ??= at + delay;
          settled = false;
          continue;
        }
        const flags = packets.flags(number);
        const size = packets.size(number);
        this.#leftFlight(each, flags, size);
        packets.setState(number, State.lost);
        if ((flags & Sent.requeued) === 0) this.#tell(space, number, false);
        if ((flags & Sent.ackEliciting) !== 0) {
          this.packetsLost++;
          this.#contents.packetLost?.(space, number, now);
        }
        if ((flags & Sent.inFlight) !== 0 && (flags & Sent.probe) === 0) {
          lost++;
          lostBytes += size;
          if (size > this.missedSizeMax) this.missedSizeMax = size;
          newestSentAt = at;
        }
        // §7.6.2: between two that asked for an answer, both since the first sample, and nothing got through between.
        if ((flags & Sent.ackEliciting) !== 0 && at > this.#firstSampleAt) {
          unbrokenSince ??= at;
          longestMs = Math.max(longestMs, at - unbrokenSince);
        }
      } else if (state === State.acknowledged) unbrokenSince = undefined;
      if (settled) each.scan = number + 1;
    }
    if (lost > 0) this.#congested(lost, lostBytes, newestSentAt, longestMs, now);
  }

  #congested(lost: number, bytes: number, sentAt: Instant, longestMs: number, now: Instant): void {
    if (sentAt > this.#congestedAt) {
      this.#congestedAt = now;
      this.#congestionLosses = 0;
    }
    this.#congestionLosses += lost;
    this.controller.lost(bytes, sentAt, now);
    this.controller.congested(sentAt, this.bytesInFlight, "loss", now);
    const durationMs = persistentCongestionThreshold * (this.rtt.timeoutMs(granularityMs) + this.maxAckDelayMs);
    if (longestMs < durationMs) return;
    this.controller.collapsed(this.bytesInFlight, now);
    // §5.2: the least round trip may have been another path's.
    this.rtt.minMs = this.rtt.latestMs;
    this.#congestionLosses = Number.POSITIVE_INFINITY;
  }

  /** A lost packet arrived after all. When all of a congestion did, it was reordering, and thresholds learn (§6.1). */
  #wasSpurious(space: Space, number: number, now: Instant): void {
    const { packets } = space;
    if ((packets.flags(number) & Sent.ackEliciting) === 0 || (packets.flags(number) & Sent.probe) !== 0) return;
    this.packetsLostSpuriously++;
    this.#reordering = Math.min(reorderingMax, Math.max(this.#reordering, space.largestAcked - number + 1));
    if (now - packets.at(number) > this.#timeThreshold * this.rtt.smoothedMs) {
      this.#timeThreshold = Math.min(timeThresholdMax, this.#timeThreshold + 1 / 8);
    }
    if (packets.at(number) > this.#congestedAt || --this.#congestionLosses > 0) return;
    this.controller.undo();
    this.#congestedAt = Number.NEGATIVE_INFINITY;
  }

  #earliestLoss(): Instant | undefined {
    let at: Instant | undefined;
    for (const space of this.#spaces) at = earliest(at, space.lossAt);
    return at;
  }

  /** RFC 9002 §6.2.1, and A.8: GetPtoTimeAndSpace. */
  #probeTimeout(): Instant | undefined {
    if (this.amplificationBlocked) return undefined;
    const last = this.#spaces.length - 1;
    let at: Instant | undefined;
    for (let space = 0; space <= last; space++) {
      const each = this.#at(space);
      if (each.eliciting === 0 || (space === last && last > 0 && !this.confirmed)) continue;
      const mine = each.elicitingSentAt + this.ptoMs(space) * 2 ** this.ptoCount;
      if (at !== undefined && mine >= at) continue;
      at = mine;
      this.#timeoutSpace = space;
    }
    if (at !== undefined || this.peerValidated) return at;
    // §6.2.2.1: a server that may not send more waits for a client that has nothing to send.
    this.#timeoutSpace = this.#at(1)?.hasKeys ? 1 : 0;
    return this.#activityAt + this.ptoMs(0) * 2 ** this.ptoCount;
  }

  #requeueOldest(space: number): void {
    const { packets } = this.#at(space);
    let found = 0;
    for (let number = packets.base; number < packets.next && found < probesPerTimeout; number++) {
      const flags = packets.flags(number);
      if (packets.state(number) !== State.outstanding || (flags & Sent.ackEliciting) === 0) continue;
      if ((flags & (Sent.requeued | Sent.probe)) !== 0) continue;
      packets.setFlags(number, flags | Sent.requeued);
      this.missedSizeMax = Math.max(this.missedSizeMax, packets.size(number));
      this.#tell(space, number, false);
      found++;
    }
  }

  #forgetFirst(space: number): void {
    const each = this.#at(space);
    const { packets } = each;
    const { base } = packets;
    if (packets.state(base) === State.outstanding) {
      this.#leftFlight(each, packets.flags(base), packets.size(base));
      if ((packets.flags(base) & Sent.ackEliciting) !== 0) this.#tell(space, base, false);
    }
    packets.forgetFirst();
    packets.forgetUnawaited();
  }

  #clear(space: Space): void {
    const { packets } = space;
    for (let number = packets.base; number < packets.next; number++) {
      if (packets.state(number) === State.outstanding) {
        this.#leftFlight(space, packets.flags(number), packets.size(number));
      }
    }
    packets.clear();
    space.lossAt = undefined;
  }
}
