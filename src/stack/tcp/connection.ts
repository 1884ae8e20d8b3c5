import {
  earliest,
  type Failure,
  type Instant,
  networkFailure,
  type TcpExtension,
  type TcpOption,
} from "../../contract/index.js";
import {
  challengesPerSecondMax,
  halfOpenTimeoutMs,
  openTimeoutDefaultMs,
  receiveWindowDefault,
  sackBlocksMax,
  segmentSizeMin,
  sendBufferSize,
  sleptMinMs,
  timeWaitMs,
  userTimeoutDefaultMs,
} from "../limits.js";
import { PerSecond } from "../per-second.js";
import type { TcpEnvironment, TcpNegotiated, TcpOptions } from "./interfaces.js";
import { KeepAlive } from "./keep-alive.js";
import { PacketWriter } from "./packet-writer.js";
import { Receiver, windowShift } from "./receiver.js";
import { Flag, type OptionsOut, type Segment } from "./segment.js";
import { Sender } from "./sender.js";
import { follow, type TcpState, type TcpTransition } from "./states.js";
import { Timestamps } from "./timestamps.js";
import type { TcpTuple } from "./tuple-map.js";

/** One TCP connection (RFC 9293) under the drain law: segments and time in, packets and events out. */
export class TcpConnection {
  readonly tuple: TcpTuple;
  readonly sender: Sender;
  #receiver: Receiver | undefined;
  #state: TcpState = "closed";
  readonly #env: TcpEnvironment;
  /** What a layer above negotiates by an option of its own, if one does. */
  readonly extension: TcpExtension | undefined;
  readonly #writer: PacketWriter;
  readonly #challenges = new PerSecond(challengesPerSecondMax);
  readonly #receiveWindow: number;

  // Agreed on by the SYNs
  #sack: boolean;
  #ecn: boolean;
  readonly #scaleOffered: number;
  readonly #timestamps: Timestamps;

  #sendSyn = false;
  /** Sequence number of a reset to be sent. */
  #reset: number | undefined;
  #echoCongestion = false;
  #reduced = false;
  #userTimeoutMs = userTimeoutDefaultMs;
  readonly #keepAlive = new KeepAlive();
  #timeWaitUntil: Instant | undefined;
  #openBy: Instant | undefined;
  #overMark = false;
  /** Offset behind the byte that is pushed; zero for none. */
  #pushBefore = 0;
  #softError: Failure | undefined;
  dscp = 0;

  constructor(
    tuple: TcpTuple,
    initial: number,
    timestampOffset: number,
    env: TcpEnvironment,
    tcpOptions: TcpOptions = {},
  ) {
    this.tuple = tuple;
    this.#env = env;
    this.extension = tcpOptions.extension?.();
    this.#timestamps = new Timestamps(timestampOffset);
    this.#writer = new PacketWriter(tuple);
    this.#receiveWindow = tcpOptions.receiveWindow ?? receiveWindowDefault;
    this.#scaleOffered = windowShift(this.#receiveWindow);
    this.#sack = true;
    this.#ecn = tcpOptions.ecn ?? true;
    this.sender = new Sender(initial, this.#segmentSize(this.#ourMss), env.controller);
    this.sender.noDelay = tcpOptions.noDelay ?? true;
  }

  get state(): TcpState {
    return this.#state;
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  get noDelay(): boolean {
    return this.sender.noDelay;
  }

  set noDelay(value: boolean) {
    this.sender.noDelay = value;
    this.#env.ready(this);
  }

  set userTimeoutMs(value: number) {
    this.#userTimeoutMs = value;
  }

  /** Zero turns probing off. */
  setKeepAlive(ms: number, now: Instant): void {
    this.#keepAlive.set(ms, now);
  }

  /** Bytes that have not been sent yet. */
  get queued(): number {
    return this.sender.unsent;
  }

  /** Sends a SYN. */
  open(now: Instant): void {
    this.#step("open");
    this.#openBy = now + openTimeoutDefaultMs;
    this.#sendSyn = true;
    this.#env.ready(this);
  }

  /** Takes up a peer's SYN and answers it, or, with a cookie, the connection that it stands for. */
  accept(peer: TcpNegotiated, now: Instant, fromCookie: boolean): void {
    this.#step("accept");
    this.#negotiate(peer, now);
    if (fromCookie) {
      this.sender.next = this.sender.una = 1;
      this.#receiver!.advertise(false);
      this.#establish(now);
    } else {
      this.#openBy = now + halfOpenTimeoutMs;
      this.#sendSyn = true;
      this.#env.ready(this);
    }
  }

  /** Queues bytes. False if the buffer is over its mark: hold back until `drained`. */
  write(bytes: Uint8Array, released?: () => void): boolean {
    this.sender.buffer.push(bytes, released);
    this.#env.ready(this);
    this.#overMark = this.sender.buffer.size >= sendBufferSize;
    return !this.#overMark;
  }

  /** Whatever segment carries the last byte written so far has PSH set, also when more follows in it. */
  push(): void {
    this.#pushBefore = this.sender.dataEnd;
  }

  /** Ends our direction behind what is queued. */
  finish(): void {
    if (this.sender.finishing || this.isClosed) return;
    this.sender.finishing = true;
    // Before the connection stands, the FIN waits for it.
    if (!this.#synchronized) return;
    this.#step("finish");
    this.#env.ready(this);
  }

  /** The application has read this much, so the peer may send more. */
  consumed(size: number): void {
    const receiver = this.#receiver;
    if (receiver?.consumed(size) && this.#synchronized) {
      receiver.ackNow = true;
      this.#env.ready(this);
    }
  }

  /** Ends it with a reset, if the peer knows of it. */
  abort(): void {
    if (this.isClosed) return;
    if (this.#state !== "synSent" && this.#state !== "timeWait") this.#reset = this.sender.sequenceOf(this.sender.next);
    this.#close(undefined);
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One segment that belongs to this connection and whose checksum is right. */
  segment(segment: Segment, bytes: Uint8Array, ecn: number, now: Instant): void {
    this.#keepAlive.heard(now);
    if (this.#state === "synSent") this.#inSynSent(segment, bytes, now);
    else if (!this.isClosed) this.#inOrder(segment, bytes, ecn, now);
    if (this.#wantsToSend()) this.#env.ready(this);
  }

  /** ICMP says that the way is too narrow for our packets. */
  narrow(mtu: number, quotedSequence: number): void {
    if (!this.#isOurs(quotedSequence)) return;
    const size = this.#segmentSize(mtu - this.#writer.headerSize - 20);
    if (size >= this.sender.segmentSize) return;
    this.sender.setSegmentSize(size);
    this.sender.flight.loseAll();
    this.#env.ready(this);
  }

  /** An ICMP error: it ends an attempt to connect, and is only remembered after that (RFC 5461). */
  unreachable(problem: Failure, quotedSequence: number): Failure | undefined {
    if (!this.#isOurs(quotedSequence)) return undefined;
    this.#softError = problem;
    if (this.#state === "synSent") this.#close(problem);
    return problem;
  }

  /** RFC 5927 §4.1: an error counts only if it quotes something that is on its way. */
  #isOurs(sequence: number): boolean {
    const offset = this.sender.offsetOf(sequence);
    return !this.isClosed && offset >= this.sender.una && offset < Math.max(this.sender.next, 1);
  }

  /** RFC 9293 §3.10.7.3. */
  #inSynSent(segment: Segment, bytes: Uint8Array, now: Instant): void {
    const acknowledges = segment.has(Flag.ack);
    if (acknowledges && this.sender.offsetOf(segment.acknowledgment) !== 1) {
      // The peer has a connection that we know nothing of: a reset clears the way (§3.5.1, Figure 9).
      if (!segment.has(Flag.rst)) this.#reset = segment.acknowledgment;
      return;
    }
    if (segment.has(Flag.rst)) {
      if (acknowledges) this.#close(networkFailure("refused-connection", "the peer refused the connection"));
      return;
    }
    if (!segment.has(Flag.syn)) return;
    this.takeExtras(segment, bytes, now);
    this.#negotiate(
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
      this.sender.acknowledge(1, segment, this.#timestamps.echoMs(segment, now), now);
      this.sender.takeWindow(1, 1, segment.window, now);
      this.#step("synAck");
      this.#receiver!.ackNow = true;
      this.#established(now);
    } else {
      // Both opened at once (§3.5, Figure 7).
      this.#step("syn");
      this.#sendSyn = true;
    }
  }

  /** RFC 9293 §3.10.7.4, in its order, with RFC 5961 and RFC 7323. */
  #inOrder(segment: Segment, bytes: Uint8Array, ecn: number, now: Instant): void {
    const receiver = this.#receiver!;
    const start = receiver.offsetOf(segment.sequence) + (segment.has(Flag.syn) ? 1 : 0);
    const inWindow = receiver.accepts(receiver.offsetOf(segment.sequence), segment.length);
    if (this.#timestamps.agreed && !segment.has(Flag.rst)) {
      // RFC 7323 §3.2: where they were agreed on, a segment without them is nobody's.
      if (!segment.hasTimestamps) return;
      if (this.#timestamps.isOld(segment, now)) {
        this.#answer(segment, start, now);
        return;
      }
    }
    if (!inWindow) {
      if (this.#state === "synReceived" && segment.has(Flag.syn)) this.#synAgain(segment, bytes, now);
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
    if (!segment.has(Flag.ack) || !this.#acknowledge(segment, bytes, now) || this.isClosed) return;
    if (!inWindow) return;
    this.#timestamps.take(segment, start, now);
    if (this.#ecn) {
      if (ecn === 3) this.#echoCongestion = true;
      if (segment.has(Flag.cwr)) this.#echoCongestion = ecn === 3;
    }
    this.#data(segment, bytes, start, now);
  }

  /** RFC 5961 §3.2: only the exact number resets; anything else in the window is asked about. */
  #resetBy(segment: Segment, now: Instant): void {
    if (segment.sequence === this.#receiver!.nextSequence) {
      const problem =
        this.#state === "synReceived"
          ? networkFailure("refused-connection", "the peer took its connection back")
          : networkFailure("reset", "the peer reset the connection");
      this.#close(this.#state === "timeWait" ? undefined : problem);
    } else this.#challenge(now);
  }

  /** RFC 5961 §7: an acknowledgement that only the true peer can make sense of, and not too many of them. */
  #challenge(now: Instant): void {
    if (this.#challenges.take(now)) this.#receiver!.ackNow = true;
  }

  /** What does not fit is answered: data at once, for the sender waits for it; bare acknowledgements only so often. */
  #answer(segment: Segment, start: number, now: Instant): void {
    if (segment.length === 0) this.#challenge(now);
    else this.#receiver!.refused(start, start + segment.payloadSize);
  }

  /** The peer's SYN came again, or its SYN-ACK, where both opened at once (§3.5, Figure 7). */
  #synAgain(segment: Segment, bytes: Uint8Array, now: Instant): void {
    if (!segment.has(Flag.ack)) this.#sendSyn = true;
    else if (this.#acknowledge(segment, bytes, now)) this.#receiver!.ackNow = true;
  }

  /** Hands on the options that the stack does not know; a listener does so for the SYN. */
  takeExtras(segment: Segment, bytes: Uint8Array, now: Instant): void {
    const { extension } = this;
    if (extension === undefined || extension.isSettled) return;
    const options: TcpOption[] = [];
    for (let i = 0; i < segment.extraCount; i++) {
      const at = segment.extraAt[i]!;
      options.push({ kind: bytes[at]!, content: bytes.slice(at + 2, at + bytes[at + 1]!) });
    }
    extension.read(options, segment.has(Flag.syn), segment.has(Flag.ack), now);
  }

  /** What the extension wants on a segment. */
  #extra(syn: boolean): Uint8Array | undefined {
    const { extension } = this;
    return extension === undefined || extension.isSettled ? undefined : extension.write(syn);
  }

  /** False if the acknowledgement is not to be believed, so that nothing else in the segment counts either. */
  #acknowledge(segment: Segment, bytes: Uint8Array, now: Instant): boolean {
    const { sender } = this;
    const ack = sender.offsetOf(segment.acknowledgment);
    if (this.#state === "synReceived") {
      if (ack < 1 || ack > sender.next) {
        this.#reset = segment.acknowledgment;
        return false;
      }
    } else if (ack > sender.next || ack < sender.una - sender.windowMax) {
      // RFC 5961 §5.2: whoever guesses a sequence number has to guess this too.
      this.#challenge(now);
      return false;
    }
    this.takeExtras(segment, bytes, now);
    const window = segment.window << sender.scale;
    const opened = sender.takeWindow(this.#receiver!.offsetOf(segment.sequence), ack, window, now);
    const news = sender.acknowledge(ack, segment, this.#timestamps.echoMs(segment, now), now);
    if (sender.hasPassed()) this.#env.passed(this.tuple.remote);
    if (this.#ecn && segment.has(Flag.ece) && news) this.#reduced ||= sender.echoedCongestion(now);
    if (this.#state === "synReceived" && ack >= 1) this.#establish(now);
    if (this.#overMark && this.sender.buffer.size <= sendBufferSize / 2) {
      this.#overMark = false;
      this.#env.told({ kind: "drained", connection: this });
    }
    if (news && sender.isDone && sender.finSent) {
      const next = follow(this.#state, "acknowledged");
      if (next === "closed") this.#close(undefined);
      else if (next !== undefined) this.#enter(next, now);
    }
    if (news || opened) this.#env.ready(this);
    return true;
  }

  #data(segment: Segment, bytes: Uint8Array, start: number, now: Instant): void {
    const receiver = this.#receiver!;
    const payload = segment.payloadSize;
    if (segment.has(Flag.fin)) receiver.finAt ??= start + payload;
    const open = this.#state === "established" || this.#state === "finWait1" || this.#state === "finWait2";
    if (!open) {
      if (payload > 0 || segment.has(Flag.fin)) receiver.ackNow = true;
      if (this.#state === "timeWait" && segment.has(Flag.fin)) this.#timeWaitUntil = now + timeWaitMs;
      return;
    }
    if (payload > 0) {
      const ready = receiver.data(start, bytes.subarray(segment.payload, segment.end), now);
      for (let part = ready; part !== undefined; part = receiver.more()) {
        if (part.length > 0) this.#env.told({ kind: "data", connection: this, bytes: part });
      }
    }
    if (!receiver.takeFin()) return;
    this.#env.told({ kind: "ended", connection: this });
    const next = follow(this.#state, "fin");
    if (next !== undefined) this.#enter(next, now);
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes one IP packet at `at` and answers its size; zero if there is nothing to send now. */
  pull(into: Uint8Array, at: number, now: Instant): number {
    const receiver = this.#receiver;
    if (this.#reset !== undefined) return this.#pullReset(into, at);
    if (this.isClosed) return 0;
    if (this.#sendSyn) return this.#pullSyn(into, at, now);
    if (!this.#synchronized || receiver === undefined) return 0;
    const { sender } = this;
    // Blocks take room that data would need, so they travel alone.
    if (receiver.ackNow && receiver.hasBlocks) return this.#write(into, at, sender.next, 0, Flag.ack, now);
    const extra = this.#extra(false);
    const beside = extra === undefined ? 0 : (extra.length + 3) & ~3;
    if (this.#state !== "timeWait" && sender.pick(now, beside)) {
      const size = sender.outSize;
      const fin = sender.outHasFin;
      const last = sender.outStart + size === sender.dataEnd;
      const isNew = sender.outSent === undefined;
      const cwr = isNew && this.#reduced;
      if (cwr) this.#reduced = false;
      const pushed = last || (sender.outStart < this.#pushBefore && this.#pushBefore <= sender.outStart + size);
      const flags = Flag.ack | (fin ? Flag.fin : 0) | (pushed ? Flag.psh : 0) | (cwr ? Flag.cwr : 0);
      // RFC 3168 §6.1.4: only new data are marked capable.
      const ecn = this.#ecn && isNew && size > 0 ? 2 : 0;
      const total = this.#write(into, at, sender.outStart, size, flags, now, ecn, extra);
      sender.sent(now);
      return total;
    }
    if (this.#keepAlive.wanted) {
      this.#keepAlive.wanted = false;
      return this.#write(into, at, sender.next - 1, 0, Flag.ack, now, 0, extra);
    }
    return receiver.ackNow ? this.#write(into, at, sender.next, 0, Flag.ack, now, 0, extra) : 0;
  }

  #pullSyn(into: Uint8Array, at: number, now: Instant): number {
    this.#sendSyn = false;
    const answers = this.#state === "synReceived";
    const ecn = !this.#ecn ? 0 : answers ? Flag.ece : Flag.ece | Flag.cwr;
    const flags = Flag.syn | (answers ? Flag.ack : 0) | ecn;
    const size = this.#write(into, at, 0, 0, flags, now, 0, this.#extra(true));
    this.sender.sentSyn(now);
    return size;
  }

  #pullReset(into: Uint8Array, at: number): number {
    const writer = this.#writer;
    writer.options();
    writer.sequence = this.#reset!;
    writer.acknowledgment = this.#receiver?.nextSequence ?? 0;
    writer.flags = Flag.rst | (this.#receiver === undefined ? 0 : Flag.ack);
    writer.window = writer.ecn = 0;
    writer.dscp = this.dscp;
    this.#reset = undefined;
    return writer.write(into, at, this.sender.buffer, 0, 0);
  }

  #write(
    into: Uint8Array,
    at: number,
    offset: number,
    size: number,
    flags: number,
    now: Instant,
    ecn = 0,
    extra?: Uint8Array,
  ): number {
    const { sender } = this;
    const writer = this.#writer;
    const receiver = this.#receiver;
    const syn = (flags & Flag.syn) !== 0;
    this.#fillOptions(writer.options(), syn, size > 0, extra, now);
    writer.sequence = sender.sequenceOf(offset);
    writer.acknowledgment = receiver?.nextSequence ?? 0;
    writer.flags = flags | (this.#echoCongestion && !syn ? Flag.ece : 0);
    writer.window = receiver?.advertise(!syn) ?? Math.min(this.#receiveWindow, 0xffff);
    writer.ecn = ecn;
    writer.dscp = this.dscp;
    const total = writer.write(into, at, sender.buffer, offset - 1, size);
    if ((flags & Flag.ack) !== 0 && receiver !== undefined) {
      receiver.acknowledged();
      this.#timestamps.lastAckSent = receiver.next;
    }
    return total;
  }

  #fillOptions(options: OptionsOut, syn: boolean, hasData: boolean, extra: Uint8Array | undefined, now: Instant): void {
    this.#timestamps.write(options, now);
    if (syn) {
      options.mss = this.#ourMss;
      options.sackPermitted = this.#sack;
      if (this.#receiver === undefined || this.sender.scale > 0 || this.#receiver.scale > 0) {
        options.windowScale = this.#scaleOffered;
      }
    } else if (!hasData && this.#sack && this.#receiver?.hasBlocks) {
      this.#receiver.writeBlocks(options, sackBlocksMax);
    }
    options.extra = extra;
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  deadline(): Instant | undefined {
    if (this.isClosed) return undefined;
    let at = earliest(this.sender.deadline(), this.#receiver?.ackAt);
    at = earliest(at, earliest(this.#timeWaitUntil, this.#openBy));
    if (this.sender.progressAt !== undefined) at = earliest(at, this.sender.progressAt + this.#userTimeoutMs);
    return this.#mayProbe ? earliest(at, this.#keepAlive.at()) : at;
  }

  wake(now: Instant): void {
    if (this.isClosed) return;
    this.#overslept(now);
    if (this.#timeWaitUntil !== undefined && now >= this.#timeWaitUntil) {
      this.#close(undefined);
      return;
    }
    const { progressAt } = this.sender;
    const opening = this.#openBy !== undefined && now >= this.#openBy;
    if (opening || (progressAt !== undefined && now >= progressAt + this.#userTimeoutMs)) {
      this.#close(this.#softError ?? networkFailure("timed-out", "the peer does not answer"));
      return;
    }
    const receiver = this.#receiver;
    receiver?.wake(now);
    const timedOut = this.sender.wake(now);
    if (timedOut && !this.#synchronized) this.#sendSyn = true;
    if (timedOut) this.#suspectBlackHole(now);
    if (this.#mayProbe && now >= this.#keepAlive.at() && !this.#keepAlive.probe()) {
      this.#close(networkFailure("timed-out", "the peer answers no keep-alive probe"));
    }
    if (this.#wantsToSend()) this.#env.ready(this);
  }

  /** Time in which nobody here ran proves nothing about the peer. */
  #overslept(now: Instant): void {
    const ms = now - (this.deadline() ?? now);
    if (ms < sleptMinMs) return;
    this.#keepAlive.overslept(ms);
    if (this.#openBy !== undefined) this.#openBy += ms;
    if (this.sender.progressAt !== undefined) this.sender.progressAt += ms;
  }

  /** RFC 8899 §4.3, RFC 4821 §7.7: what times out again and again may be too large for the way. */
  #suspectBlackHole(now: Instant): void {
    const { sender } = this;
    const { suspect } = sender;
    if (suspect === 0 || !this.#synchronized) return;
    const beside = this.#writer.headerSize + 20 + (this.#timestamps.agreed ? 12 : 0);
    const mtu = this.#env.vanished(this.tuple.remote, suspect + beside, now);
    if (mtu !== undefined) sender.tryLess(mtu - beside);
  }

  get #mayProbe(): boolean {
    return this.#keepAlive.isOn && this.#synchronized && this.sender.flight.isEmpty;
  }

  // ── states ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get #synchronized(): boolean {
    return this.#state !== "closed" && this.#state !== "synSent" && this.#state !== "synReceived";
  }

  #wantsToSend(): boolean {
    return (
      this.#sendSyn ||
      this.#reset !== undefined ||
      this.#keepAlive.wanted ||
      this.#receiver?.ackNow === true ||
      (this.#synchronized && (this.sender.flight.hasLost || this.sender.next <= this.sender.dataEnd))
    );
  }

  #negotiate(peer: TcpNegotiated, now: Instant): void {
    this.#receiver = new Receiver(peer.initial, this.#receiveWindow, this.#ourMss);
    this.#timestamps.begin(peer.timestamp, now);
    this.#sack = peer.sackPermitted;
    this.#ecn = this.#ecn && peer.ecn;
    // RFC 7323 §2.2: both sides send it, or neither uses it.
    if (peer.windowScale !== undefined) {
      this.sender.scale = peer.windowScale;
      this.#receiver.scale = this.#scaleOffered;
    }
    const size = this.#segmentSize(Math.min(peer.mss, this.#ourMss));
    if (size !== this.sender.segmentSize) this.sender.setSegmentSize(size);
  }

  #establish(now: Instant): void {
    this.#step("acknowledged");
    this.#established(now);
  }

  #established(now: Instant): void {
    this.#openBy = undefined;
    this.#keepAlive.heard(now);
    this.#env.told({ kind: "opened", connection: this });
    if (this.sender.finishing && this.#state === "established") this.#step("finish");
    this.#env.ready(this);
  }

  #step(step: TcpTransition): void {
    const next = follow(this.#state, step);
    if (next !== undefined) this.#state = next;
  }

  #enter(state: TcpState, now: Instant): void {
    this.#state = state;
    if (state !== "timeWait") return;
    // Both directions are done: for the application it is over, and what remains is for stray segments.
    this.#timeWaitUntil = now + timeWaitMs;
    this.#release();
    this.#env.told({ kind: "closed", connection: this, failure: undefined });
  }

  #close(problem: Failure | undefined): void {
    const told = this.#state === "timeWait";
    this.#state = "closed";
    this.#release();
    if (!told) this.#env.told({ kind: "closed", connection: this, failure: problem });
    this.#env.ready(this);
  }

  #release(): void {
    this.sender.stop();
    this.#receiver?.clear();
  }

  // ── small ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get #ourMss(): number {
    return this.#env.mtu(this.tuple.remote) - this.#writer.headerSize - 20;
  }

  /** Payload that fits a segment of this MSS beside the timestamps (RFC 6691). */
  #segmentSize(mss: number): number {
    return Math.max(segmentSizeMin, mss) - (this.#timestamps.agreed ? 12 : 0);
  }
}
