import { finish as finishSum, fold, pseudoHeaderSum, sum } from "../../bytes/checksum.js";
import { earliest, type Failure, type Instant, networkFailure } from "../../contract/index.js";
import type { ControllerFactory } from "../../mechanisms/congestion/index.js";
import { putU16, writeHeader } from "../ip/header.js";
import { Protocol } from "../ip/protocols.js";
import {
  keepAliveIntervalMs,
  keepAliveProbesMax,
  openTimeoutDefaultMs,
  receiveWindowDefault,
  sackBlocksMax,
  segmentSizeMin,
  sendBufferSize,
  sleptMinMs,
  timestampLifetimeMs,
  timeWaitMs,
  userTimeoutDefaultMs,
} from "../limits.js";
import { Receiver } from "./receiver.js";
import { Flag, OptionsOut, type Segment, writeTcpHeader } from "./segment.js";
import { Sender } from "./sender.js";
import { follow, type TcpState, type TcpTransition } from "./states.js";

/** The four-tuple, in bytes as packets have it. */
export interface TcpTuple {
  readonly local: Uint8Array;
  readonly localPort: number;
  readonly remote: Uint8Array;
  readonly remotePort: number;
}

/** What a connection needs of its stack. */
export interface TcpEnvironment {
  readonly controller: ControllerFactory;
  /** Bytes of an IP packet to this destination. */
  mtu(remote: Uint8Array): number;
  /** Packets of this size vanish: the next smaller one to try, if there is one. */
  vanished(remote: Uint8Array, size: number, now: Instant): number | undefined;
  /** A packet arrived that was larger than what had been thought to pass. */
  passed(remote: Uint8Array): void;
  /** Is there one challenge acknowledgement left in this second (RFC 5961 §7)? */
  mayChallenge(now: Instant): boolean;
  /** The connection has something to send. */
  ready(connection: TcpConnection): void;
  told(event: TcpEvent): void;
}

export type TcpEvent =
  | { readonly kind: "opened"; readonly connection: TcpConnection }
  /** A view of the packet that came, or memory of its own; good until the next input. */
  | { readonly kind: "data"; readonly connection: TcpConnection; readonly bytes: Uint8Array }
  | { readonly kind: "ended"; readonly connection: TcpConnection }
  /** The send buffer, which had been over its mark, is below half of it. */
  | { readonly kind: "drained"; readonly connection: TcpConnection }
  | { readonly kind: "closed"; readonly connection: TcpConnection; readonly failure: Failure | undefined };

export interface TcpOptions {
  readonly receiveWindow?: number;
  readonly noDelay?: boolean;
  readonly ecn?: boolean;
  /** Options from outside for the SYN and for later segments: TCP-ENO (RFC 8547). */
  readonly extraOptions?: (syn: boolean) => Uint8Array | undefined;
}

/** What the peer's SYN, or a cookie that stands for it, said. */
export interface TcpNegotiated {
  readonly initial: number;
  readonly mss: number;
  readonly windowScale: number | undefined;
  readonly sackPermitted: boolean;
  readonly timestamp: number | undefined;
  readonly ecn: boolean;
}

const options = new OptionsOut();

/** One TCP connection (RFC 9293) under the drain law: segments and time in, packets and events out. */
export class TcpConnection {
  readonly tuple: TcpTuple;
  readonly sender: Sender;
  #receiver: Receiver | undefined;
  #state: TcpState = "closed";
  readonly #env: TcpEnvironment;
  readonly #options: TcpOptions;
  readonly #pseudo: number;
  readonly #headerSize: 20 | 40;
  readonly #receiveWindow: number;

  // Agreed on by the SYNs
  #timestamps: boolean;
  #sack: boolean;
  #ecn: boolean;
  #scaleOffered = 0;
  /** RFC 7323 §7.1: clocks of connections differ, so that nobody learns when we were started. */
  readonly #timestampOffset: number;
  #recentTimestamp = 0;
  #recentAt: Instant = 0;
  /** The least timestamp of what we have not acknowledged (RFC 7323 §4.3). */
  #lastAckSent = 0;

  #sendSyn = false;
  #sendReset = false;
  #echoCongestion = false;
  #reduced = false;
  #userTimeoutMs = userTimeoutDefaultMs;
  #keepAliveMs = 0;
  #keepAliveProbes = 0;
  #heardAt: Instant = 0;
  #probeKeepAlive = false;
  #timeWaitUntil: Instant | undefined;
  #openBy: Instant | undefined;
  #overMark = false;
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
    this.#options = tcpOptions;
    this.#timestampOffset = timestampOffset;
    this.#headerSize = tuple.local.length === 4 ? 20 : 40;
    this.#pseudo = pseudoHeaderSum(tuple.local, tuple.remote, Protocol.tcp, 0);
    this.#receiveWindow = tcpOptions.receiveWindow ?? receiveWindowDefault;
    while (this.#receiveWindow >> this.#scaleOffered > 0xffff && this.#scaleOffered < 14) this.#scaleOffered++;
    this.#timestamps = this.#sack = true;
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
    this.#keepAliveMs = ms;
    this.#keepAliveProbes = 0;
    this.#heardAt = now;
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
      this.#openBy = now + openTimeoutDefaultMs;
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
    if (this.#state !== "synSent" && this.#state !== "timeWait") this.#sendReset = true;
    this.#close(undefined);
  }

  // ── in ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One segment that belongs to this connection and whose checksum is right. */
  segment(segment: Segment, bytes: Uint8Array, ecn: number, now: Instant): void {
    this.#heardAt = now;
    this.#keepAliveProbes = 0;
    if (this.#state === "synSent") this.#inSynSent(segment, now);
    else if (!this.isClosed) this.#inOrder(segment, bytes, ecn, now);
    if (this.#wantsToSend()) this.#env.ready(this);
  }

  /** ICMP says that the way is too narrow for our packets. */
  narrow(mtu: number, quotedSequence: number): void {
    if (!this.#isOurs(quotedSequence)) return;
    const size = this.#segmentSize(mtu - this.#headerSize - 20);
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
  #inSynSent(segment: Segment, now: Instant): void {
    const acknowledges = segment.has(Flag.ack);
    if (acknowledges && this.sender.offsetOf(segment.acknowledgment) !== 1) return;
    if (segment.has(Flag.rst)) {
      if (acknowledges) this.#close(networkFailure("refused-connection", "the peer refused the connection"));
      return;
    }
    if (!segment.has(Flag.syn)) return;
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
      this.sender.acknowledge(1, segment, this.#echoMs(segment, now), now);
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
    if (this.#timestamps && segment.hasTimestamps && !segment.has(Flag.rst) && this.#isOld(segment, now)) {
      receiver.ackNow = true;
      return;
    }
    if (!inWindow) {
      if (this.#state === "synReceived" && segment.has(Flag.syn)) this.#sendSyn = true;
      else if (!segment.has(Flag.rst)) receiver.ackNow = true;
      if (segment.has(Flag.rst)) return;
      // A peer that has closed its window still acknowledges, and tells of its own (§3.10.7.4).
      if (!segment.has(Flag.ack) || segment.has(Flag.syn)) return;
    } else if (segment.has(Flag.rst)) {
      this.#reset(segment.sequence === receiver.nextSequence, now);
      return;
    } else if (segment.has(Flag.syn)) {
      // RFC 5961 §4.2: never believe it, ask.
      if (this.#env.mayChallenge(now)) receiver.ackNow = true;
      return;
    }
    if (!segment.has(Flag.ack) || !this.#acknowledge(segment, now) || this.isClosed) return;
    if (!inWindow) return;
    this.#takeTimestamp(segment, start, now);
    if (this.#ecn) {
      if (ecn === 3) this.#echoCongestion = true;
      if (segment.has(Flag.cwr)) this.#echoCongestion = ecn === 3;
    }
    this.#data(segment, bytes, start, now);
  }

  /** RFC 5961 §3.2: only the exact number resets; anything else in the window is asked about. */
  #reset(exact: boolean, now: Instant): void {
    if (exact) {
      const problem =
        this.#state === "synReceived"
          ? networkFailure("refused-connection", "the peer took its connection back")
          : networkFailure("reset", "the peer reset the connection");
      this.#close(this.#state === "timeWait" ? undefined : problem);
    } else if (this.#env.mayChallenge(now)) this.#receiver!.ackNow = true;
  }

  /** RFC 7323 §5.3: a timestamp before the last one means an old duplicate. */
  #isOld(segment: Segment, now: Instant): boolean {
    if (((segment.timestamp - this.#recentTimestamp) | 0) >= 0) return false;
    return now - this.#recentAt < timestampLifetimeMs;
  }

  #takeTimestamp(segment: Segment, start: number, now: Instant): void {
    if (!segment.hasTimestamps || start > this.#lastAckSent) return;
    if (((segment.timestamp - this.#recentTimestamp) | 0) < 0 && now - this.#recentAt < timestampLifetimeMs) return;
    this.#recentTimestamp = segment.timestamp;
    this.#recentAt = now;
  }

  /** False if the acknowledgement is not to be believed, so that nothing else in the segment counts either. */
  #acknowledge(segment: Segment, now: Instant): boolean {
    const { sender } = this;
    const ack = sender.offsetOf(segment.acknowledgment);
    if (this.#state === "synReceived") {
      if (ack < 1 || ack > sender.next) {
        this.#sendReset = true;
        return false;
      }
    } else if (ack > sender.next || ack < sender.una - 0x4000_0000) {
      if (this.#env.mayChallenge(now)) this.#receiver!.ackNow = true;
      return false;
    }
    const window = segment.window << sender.scale;
    const opened = sender.takeWindow(this.#receiver!.offsetOf(segment.sequence), ack, window, now);
    const news = sender.acknowledge(ack, segment, this.#echoMs(segment, now), now);
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
    if (this.#sendReset) {
      this.#sendReset = false;
      return this.#write(into, at, this.sender.next, 0, Flag.rst | (receiver ? Flag.ack : 0), now);
    }
    if (this.isClosed) return 0;
    if (this.#sendSyn) return this.#pullSyn(into, at, now);
    if (!this.#synchronized || receiver === undefined) return 0;
    const { sender } = this;
    // Blocks take room that data would need, so they travel alone.
    if (receiver.ackNow && receiver.hasBlocks) return this.#write(into, at, sender.next, 0, Flag.ack, now);
    const beside = this.#options.extraOptions?.(false)?.length ?? 0;
    if (this.#state !== "timeWait" && sender.pick(now, (beside + 3) & ~3)) {
      const size = sender.outSize;
      const fin = sender.outHasFin;
      const last = sender.outStart + size === sender.dataEnd;
      const isNew = sender.outSent === undefined;
      const cwr = isNew && this.#reduced;
      if (cwr) this.#reduced = false;
      const flags = Flag.ack | (fin ? Flag.fin : 0) | (last ? Flag.psh : 0) | (cwr ? Flag.cwr : 0);
      const start = sender.outStart;
      const total = this.#write(into, at, start, size, flags, now, isNew);
      sender.sent(now);
      return total;
    }
    if (this.#probeKeepAlive) {
      this.#probeKeepAlive = false;
      return this.#write(into, at, sender.next - 1, 0, Flag.ack, now);
    }
    return receiver.ackNow ? this.#write(into, at, sender.next, 0, Flag.ack, now) : 0;
  }

  #pullSyn(into: Uint8Array, at: number, now: Instant): number {
    this.#sendSyn = false;
    const answers = this.#state === "synReceived";
    const ecn = !this.#ecn ? 0 : answers ? Flag.ece : Flag.ece | Flag.cwr;
    const size = this.#write(into, at, 0, 0, Flag.syn | (answers ? Flag.ack : 0) | ecn, now);
    this.sender.sentSyn(now);
    return size;
  }

  /** One packet: IP header, TCP header, options, payload from the send buffer, checksum. */
  #write(
    into: Uint8Array,
    at: number,
    offset: number,
    size: number,
    controlFlags: number,
    now: Instant,
    capable = false,
  ): number {
    const { sender, tuple } = this;
    const receiver = this.#receiver;
    const syn = (controlFlags & Flag.syn) !== 0;
    const tcp = at + this.#headerSize;
    const optionsSize = this.#writeOptions(into, tcp + 20, syn, size > 0, now);
    const payload = tcp + 20 + optionsSize;
    if (size > 0) sender.buffer.copy(offset - 1, size, into, payload);
    const flags = controlFlags | (this.#echoCongestion && !syn ? Flag.ece : 0);
    const window = receiver?.advertise(!syn) ?? Math.min(this.#receiveWindow, 0xffff);
    const acknowledgment = receiver?.nextSequence ?? 0;
    writeTcpHeader(
      into,
      tcp,
      tuple.localPort,
      tuple.remotePort,
      sender.sequenceOf(offset),
      acknowledgment,
      flags,
      window,
      optionsSize,
    );
    const length = 20 + optionsSize + size;
    putU16(into, tcp + 16, finishSum(this.#pseudo + length + sum(into, tcp, length)));
    // RFC 3168 §6.1.4: only new data are marked capable.
    writeHeader(
      into,
      at,
      tuple.local,
      tuple.remote,
      Protocol.tcp,
      length,
      this.#ecn && capable && size > 0 ? 2 : 0,
      this.dscp,
      0,
    );
    if ((controlFlags & Flag.ack) !== 0 && receiver !== undefined) {
      receiver.acknowledged();
      this.#lastAckSent = receiver.next;
    }
    return this.#headerSize + length;
  }

  #writeOptions(into: Uint8Array, at: number, syn: boolean, hasData: boolean, now: Instant): number {
    options.reset();
    options.timestamps = this.#timestamps;
    if (this.#timestamps) {
      options.timestamp = this.#clock(now);
      options.echo = this.#recentTimestamp;
    }
    if (syn) {
      options.mss = this.#ourMss;
      options.sackPermitted = this.#sack;
      if (this.#receiver === undefined || this.sender.scale > 0 || this.#receiver.scale > 0) {
        options.windowScale = this.#scaleOffered;
      }
    } else if (!hasData && this.#sack && this.#receiver?.hasBlocks) {
      this.#receiver.writeBlocks(options, sackBlocksMax);
    }
    options.extra = this.#options.extraOptions?.(syn);
    return options.write(into, at);
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────────────────────────────

  deadline(): Instant | undefined {
    if (this.isClosed) return undefined;
    let at = earliest(this.sender.deadline(), this.#receiver?.ackAt);
    at = earliest(at, earliest(this.#timeWaitUntil, this.#openBy));
    if (this.sender.progressAt !== undefined) at = earliest(at, this.sender.progressAt + this.#userTimeoutMs);
    return this.#keepAliveMs > 0 ? earliest(at, this.#keepAliveAt()) : at;
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
    if (this.#keepAliveMs > 0 && now >= this.#keepAliveAt()) this.#keepAlive();
    if (this.#wantsToSend()) this.#env.ready(this);
  }

  /** Time in which nobody here ran proves nothing about the peer. */
  #overslept(now: Instant): void {
    const ms = now - (this.deadline() ?? now);
    if (ms < sleptMinMs) return;
    this.#heardAt += ms;
    if (this.#openBy !== undefined) this.#openBy += ms;
    if (this.sender.progressAt !== undefined) this.sender.progressAt += ms;
  }

  /** RFC 8899 §4.3, RFC 4821 §7.7: what times out again and again may be too large for the way. */
  #suspectBlackHole(now: Instant): void {
    const { sender } = this;
    const { suspect } = sender;
    if (suspect === 0 || !this.#synchronized) return;
    const beside = this.#headerSize + 20 + (this.#timestamps ? 12 : 0);
    const mtu = this.#env.vanished(this.tuple.remote, suspect + beside, now);
    if (mtu !== undefined) sender.tryLess(mtu - beside);
  }

  #keepAliveAt(): Instant {
    if (!this.#synchronized || !this.sender.flight.isEmpty) return Number.POSITIVE_INFINITY;
    return this.#heardAt + this.#keepAliveMs + this.#keepAliveProbes * Math.min(keepAliveIntervalMs, this.#keepAliveMs);
  }

  /** RFC 9293 §3.8.4. */
  #keepAlive(): void {
    if (this.#keepAliveProbes >= keepAliveProbesMax) {
      this.#close(networkFailure("timed-out", "the peer answers no keep-alive probe"));
      return;
    }
    this.#keepAliveProbes++;
    this.#probeKeepAlive = true;
  }

  // ── states ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get #synchronized(): boolean {
    return this.#state !== "closed" && this.#state !== "synSent" && this.#state !== "synReceived";
  }

  #wantsToSend(): boolean {
    return (
      this.#sendSyn ||
      this.#sendReset ||
      this.#probeKeepAlive ||
      this.#receiver?.ackNow === true ||
      (this.#synchronized && (this.sender.flight.hasLost || this.sender.next <= this.sender.dataEnd))
    );
  }

  #negotiate(peer: TcpNegotiated, now: Instant): void {
    this.#receiver = new Receiver(peer.initial, this.#receiveWindow);
    this.#timestamps = peer.timestamp !== undefined;
    this.#recentTimestamp = peer.timestamp ?? 0;
    this.#recentAt = now;
    this.#lastAckSent = 1;
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
    this.#heardAt = now;
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
    return this.#env.mtu(this.tuple.remote) - this.#headerSize - 20;
  }

  /** Payload that fits a segment of this MSS beside the timestamps (RFC 6691). */
  #segmentSize(mss: number): number {
    return Math.max(segmentSizeMin, mss) - (this.#timestamps ? 12 : 0);
  }

  #clock(now: Instant): number {
    return (Math.floor(now) + this.#timestampOffset) >>> 0;
  }

  /** Milliseconds since what the peer echoes was sent; nothing if it echoes nothing of ours. */
  #echoMs(segment: Segment, now: Instant): number | undefined {
    if (!this.#timestamps || !segment.hasTimestamps || segment.echo === 0) return undefined;
    const age = (this.#clock(now) - segment.echo) | 0;
    return age >= 0 && age < 3_600_000 ? Math.max(age, 1) : undefined;
  }
}

/** Is the checksum of the TCP segment right? */
export function tcpChecksumHolds(bytes: Uint8Array, at: number, end: number, pseudo: number): boolean {
  return fold(pseudo + (end - at) + sum(bytes, at, end - at)) === 0xffff;
}
