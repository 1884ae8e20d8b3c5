import { type Failure, type Instant, networkFailure, type TcpOption } from "../../contract/index.js";
import { challengesPerSecondMax, sendBufferSize, timeWaitMs } from "../limits.js";
import { PerSecond } from "../per-second.js";
import type { ControlBlock } from "./control-block.js";
import { Flag, type Segment } from "./segment.js";
import { follow } from "./states.js";

/** What segments, and ICMP, do to a connection (RFC 9293 §3.10.7: SEGMENT ARRIVES). */
export class Arrival {
  readonly #tcb: ControlBlock;
  readonly #challenges = new PerSecond(challengesPerSecondMax);

  constructor(tcb: ControlBlock) {
    this.#tcb = tcb;
  }

  /** One segment that belongs to this connection and whose checksum is right. */
  segment(segment: Segment, bytes: Uint8Array, ecn: number, now: Instant): void {
    const tcb = this.#tcb;
    tcb.keepAlive.heard(now);
    if (tcb.state === "synSent") this.#inSynSent(segment, bytes, now);
    else if (!tcb.isClosed) this.#inOrder(segment, bytes, ecn, now);
    if (tcb.wantsToSend()) tcb.ready();
  }

  /** ICMP says that the way is too narrow for our packets. */
  narrow(mtu: number, quotedSequence: number): void {
    const tcb = this.#tcb;
    if (!this.#isOurs(quotedSequence)) return;
    const size = tcb.segmentSize(mtu - tcb.writer.headerSize - 20);
    if (size >= tcb.sender.segmentSize) return;
    tcb.sender.setSegmentSize(size);
    tcb.sender.flight.loseAll();
    tcb.ready();
  }

  /** An ICMP error: it ends an attempt to connect, and is only remembered after that (RFC 5461). */
  unreachable(problem: Failure, quotedSequence: number): Failure | undefined {
    const tcb = this.#tcb;
    if (!this.#isOurs(quotedSequence)) return undefined;
    tcb.softError = problem;
    if (tcb.state === "synSent") tcb.close(problem);
    return problem;
  }

  /** RFC 5927 §4.1: an error counts only if it quotes something that is on its way. */
  #isOurs(sequence: number): boolean {
    const tcb = this.#tcb;
    const offset = tcb.sender.offsetOf(sequence);
    return !tcb.isClosed && offset >= tcb.sender.una && offset < Math.max(tcb.sender.next, 1);
  }

  /** RFC 9293 §3.10.7.3. */
  #inSynSent(segment: Segment, bytes: Uint8Array, now: Instant): void {
    const tcb = this.#tcb;
    const acknowledges = segment.has(Flag.ack);
    if (acknowledges && tcb.sender.offsetOf(segment.acknowledgment) !== 1) {
      // The peer has a connection that we know nothing of: a reset clears the way (§3.5.1, Figure 9).
      if (!segment.has(Flag.rst)) tcb.reset = segment.acknowledgment;
      return;
    }
    if (segment.has(Flag.rst)) {
      if (acknowledges) tcb.close(networkFailure("refused-connection", "the peer refused the connection"));
      return;
    }
    if (!segment.has(Flag.syn)) return;
    this.takeExtras(segment, bytes, now);
    tcb.negotiate(
      {
        initial: segment.sequence,
        mss: segment.mss ?? 536,
        windowScale: segment.windowScale,
        sackPermitted: segment.sackPermitted,
        timestamp: segment.hasTimestamps ? segment.timestamp : undefined,
        // RFC 3168 §6.1.1: a SYN-ACK agrees with ECE alone, a SYN asks with both.
        ecn: segment.has(Flag.ece) && (!acknowledges || !segment.has(Flag.cwr)),
      },
      now,
    );
    if (acknowledges) {
      tcb.sender.acknowledge(1, segment, tcb.timestamps.echoMs(segment, now), now);
      tcb.sender.takeWindow(1, 1, segment.window, now);
      tcb.step("synAck");
      tcb.receiver!.ackNow = true;
      tcb.established(now);
    } else {
      // Both opened at once (§3.5, Figure 7).
      tcb.step("syn");
      tcb.sendSyn = true;
    }
  }

  /** RFC 9293 §3.10.7.4, in its order, with RFC 5961 and RFC 7323. */
  #inOrder(segment: Segment, bytes: Uint8Array, ecn: number, now: Instant): void {
    const tcb = this.#tcb;
    const receiver = tcb.receiver!;
    const start = receiver.offsetOf(segment.sequence) + (segment.has(Flag.syn) ? 1 : 0);
    const inWindow = receiver.accepts(receiver.offsetOf(segment.sequence), segment.length);
    if (tcb.timestamps.agreed && !segment.has(Flag.rst)) {
      // RFC 7323 §3.2: where they were agreed on, a segment without them is nobody's.
      if (!segment.hasTimestamps) return;
      if (tcb.timestamps.isOld(segment, now)) {
        this.#answer(segment, start, now);
        return;
      }
    }
    if (!inWindow) {
      if (tcb.state === "synReceived" && segment.has(Flag.syn)) this.#synAgain(segment, bytes, now);
      else if (!segment.has(Flag.rst)) this.#answer(segment, start, now);
      if (segment.has(Flag.rst)) return;
      // A peer that has closed its window still acknowledges, and tells of its own (§3.10.7.4).
      if (!segment.has(Flag.ack) || segment.has(Flag.syn)) return;
    } else if (segment.has(Flag.rst)) {
      this.#resetBy(segment, now);
      return;
    } else if (segment.has(Flag.syn)) {
      // RFC 5961 §4.2: never believe it, ask.
      this.#challenge(now);
      return;
    }
    if (!segment.has(Flag.ack) || !this.#acknowledge(segment, bytes, now) || tcb.isClosed) return;
    if (!inWindow) return;
    tcb.timestamps.take(segment, start, now);
    if (tcb.ecn) {
      if (ecn === 3) tcb.echoCongestion = true;
      if (segment.has(Flag.cwr)) tcb.echoCongestion = ecn === 3;
    }
    this.#data(segment, bytes, start, now);
  }

  /** RFC 5961 §3.2: only the exact number resets; anything else in the window is asked about. */
  #resetBy(segment: Segment, now: Instant): void {
    const tcb = this.#tcb;
    if (segment.sequence === tcb.receiver!.nextSequence) {
      const problem =
        tcb.state === "synReceived"
          ? networkFailure("refused-connection", "the peer took its connection back")
          : networkFailure("reset", "the peer reset the connection");
      tcb.close(tcb.state === "timeWait" ? undefined : problem);
    } else this.#challenge(now);
  }

  /** RFC 5961 §7: an acknowledgement that only the true peer can make sense of, and not too many of them. */
  #challenge(now: Instant): void {
    if (this.#challenges.take(now)) this.#tcb.receiver!.ackNow = true;
  }

  /** What does not fit is answered: data at once, for the sender waits for it; bare acknowledgements only so often. */
  #answer(segment: Segment, start: number, now: Instant): void {
    if (segment.length === 0) this.#challenge(now);
    else this.#tcb.receiver!.refused(start, start + segment.payloadSize);
  }

  /** The peer's SYN came again, or its SYN-ACK, where both opened at once (§3.5, Figure 7). */
  #synAgain(segment: Segment, bytes: Uint8Array, now: Instant): void {
    const tcb = this.#tcb;
    if (!segment.has(Flag.ack)) tcb.sendSyn = true;
    else if (this.#acknowledge(segment, bytes, now)) tcb.receiver!.ackNow = true;
  }

  /** Hands on the options that the stack does not know; a listener does so for the SYN. */
  takeExtras(segment: Segment, bytes: Uint8Array, now: Instant): void {
    const { extension } = this.#tcb;
    if (extension === undefined || extension.isSettled) return;
    const options: TcpOption[] = [];
    for (let i = 0; i < segment.extraCount; i++) {
      const at = segment.extraAt[i]!;
      options.push({ kind: bytes[at]!, content: bytes.slice(at + 2, at + bytes[at + 1]!) });
    }
    extension.read(options, segment.has(Flag.syn), segment.has(Flag.ack), now);
  }

  /** False if the acknowledgement is not to be believed, so that nothing else in the segment counts either. */
  #acknowledge(segment: Segment, bytes: Uint8Array, now: Instant): boolean {
    const tcb = this.#tcb;
    const { sender } = tcb;
    const ack = sender.offsetOf(segment.acknowledgment);
    if (tcb.state === "synReceived") {
      if (ack < 1 || ack > sender.next) {
        tcb.reset = segment.acknowledgment;
        return false;
      }
    } else if (ack > sender.next || ack < sender.una - sender.windowMax) {
      // RFC 5961 §5.2: whoever guesses a sequence number has to guess this too.
      this.#challenge(now);
      return false;
    }
    this.takeExtras(segment, bytes, now);
    const window = segment.window << sender.scale;
    const opened = sender.takeWindow(tcb.receiver!.offsetOf(segment.sequence), ack, window, now);
    const news = sender.acknowledge(ack, segment, tcb.timestamps.echoMs(segment, now), now);
    if (sender.hasPassed()) tcb.env.passed(tcb.tuple.remote);
    if (tcb.ecn && segment.has(Flag.ece) && news) tcb.reduced ||= sender.echoedCongestion(now);
    if (tcb.state === "synReceived" && ack >= 1) tcb.establish(now);
    if (tcb.overMark && tcb.sender.buffer.size <= sendBufferSize / 2) {
      tcb.overMark = false;
      tcb.env.told({ kind: "drained", connection: tcb.connection });
    }
    if (news && sender.isDone && sender.finSent) {
      const next = follow(tcb.state, "acknowledged");
      if (next === "closed") tcb.close(undefined);
      else if (next !== undefined) tcb.enter(next, now);
    }
    if (news || opened) tcb.ready();
    return true;
  }

  #data(segment: Segment, bytes: Uint8Array, start: number, now: Instant): void {
    const tcb = this.#tcb;
    const receiver = tcb.receiver!;
    const payload = segment.payloadSize;
    if (segment.has(Flag.fin)) receiver.finAt ??= start + payload;
    const open = tcb.state === "established" || tcb.state === "finWait1" || tcb.state === "finWait2";
    if (!open) {
      if (payload > 0 || segment.has(Flag.fin)) receiver.ackNow = true;
      if (tcb.state === "timeWait" && segment.has(Flag.fin)) tcb.timeWaitUntil = now + timeWaitMs;
      return;
    }
    if (payload > 0) {
      const ready = receiver.data(start, bytes.subarray(segment.payload, segment.end), now);
      for (let part = ready; part !== undefined; part = receiver.more()) {
        if (part.length > 0) tcb.env.told({ kind: "data", connection: tcb.connection, bytes: part });
      }
    }
    if (!receiver.takeFin()) return;
    tcb.env.told({ kind: "ended", connection: tcb.connection });
    const next = follow(tcb.state, "fin");
    if (next !== undefined) tcb.enter(next, now);
  }
}
