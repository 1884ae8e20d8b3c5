import {
  type Failure,
  type NetworkReason,
  networkFailure,
  type SocketAddress,
  type StreamOptions,
  type StreamPort,
  type StreamSink,
} from "../../contract/index.js";
import { ByteQueue } from "../../mechanisms/byte-queue.js";
import {
  retransmitFirstMs,
  retransmitMsMax,
  retransmitMsMin,
  retransmitsMax,
  segmentSizeMax,
  streamQueueLow,
  streamQueueMark,
  streamWindow,
} from "./limits.js";
import type { SimulatedNetwork } from "./network.js";
import { type Packet, type Segment, showAddress } from "./packet.js";
import type { Moment } from "./timeline.js";

/**
 * One end of a byte stream that behaves like TCP as far as the layers above can tell: a handshake, segments that are
 * acknowledged, lost and sent again, a window, both directions ended one by one, resets. It has no congestion control:
 * the window is all it keeps under way.
 */
export class SimulatedStream implements StreamPort {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly #network: SimulatedNetwork;
  readonly #options: StreamOptions;
  #sink: StreamSink | undefined;
  #accept: ((port: StreamPort) => StreamSink) | undefined;
  #established: (() => void) | undefined;
  #state: "connecting" | "open" | "closed" = "connecting";

  /** Sending: what is queued, what is under way in order, and the sequence numbers around it. */
  readonly #queue = new ByteQueue();
  readonly #lent: { readonly end: number; readonly released: () => void }[] = [];
  #written = 0;
  #taken = 0;
  readonly #flight: { readonly segment: Segment; readonly bytes: Uint8Array; sentAt: number; repeats: number }[] = [];
  #next = 0;
  #peerWindow = segmentSizeMax;
  #peerAcknowledged = 0;
  #repeatedAcknowledgments = 0;
  #isFull = false;
  #finish: "open" | "wanted" | "sent" | "acknowledged" = "open";
  /** Time until a segment is sent again: as measured, and as doubled since. */
  #measuredMs = retransmitFirstMs;
  #retransmitMs = retransmitFirstMs;
  /** While it recovers from a loss: how far had been sent when that was noticed. */
  #recoverTo = 0;
  #timer: Moment | undefined;

  /** Receiving: in order and unread, out of order, and whether the end was seen and told. */
  readonly #unread = new ByteQueue();
  readonly #ahead = new Map<number, { readonly segment: Segment; readonly bytes: Uint8Array }>();
  #expected = 0;
  #isPaused = false;
  #peerEnd: "open" | "seen" | "told" = "open";
  #stalledUntil = 0;
  #delivering: Moment | undefined;

  constructor(
    network: SimulatedNetwork,
    local: SocketAddress,
    remote: SocketAddress,
    sink: StreamSink | undefined,
    options: StreamOptions,
  ) {
    this.#network = network;
    this.local = local;
    this.remote = remote;
    this.#sink = sink;
    this.#options = options;
  }

  connect(): void {
    this.#transmit({ syn: true }, nothing, 1);
  }

  listen(accept: (port: StreamPort) => StreamSink, established: () => void): void {
    this.#accept = accept;
    this.#established = established;
  }

  /** Ends before it began; told later. */
  fail(failure: Failure<NetworkReason>): void {
    this.#close(failure);
  }

  get queued(): number {
    return this.#queue.size;
  }

  write(bytes: Uint8Array, released?: () => void): boolean {
    if (this.#state === "closed" || this.#finish !== "open") {
      released?.();
      return true;
    }
    this.#queue.push(released === undefined ? bytes.slice() : bytes);
    this.#written += bytes.length;
    if (released !== undefined) this.#lent.push({ end: this.#written, released });
    this.#send();
    if (this.#queue.size >= streamQueueMark) this.#isFull = true;
    return !this.#isFull;
  }

  finish(): void {
    if (this.#finish !== "open") return;
    this.#finish = "wanted";
    this.#send();
  }

  abort(): void {
    if (this.#state === "closed") return;
    this.#emit({ rst: true, ack: true }, this.#next, nothing);
    this.#close(undefined);
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#deliverLater();
  }

  set(option: "noDelay" | "keepAliveMs" | "dscp" | "userTimeoutMs"): boolean {
    return option === "noDelay";
  }

  ref(): void {}
  unref(): void {}

  arrived({ segment, bytes }: Packet): void {
    if (segment === undefined || this.#state === "closed") return;
    const { random } = this.#network;
    if (this.#state === "open" && random.chance(this.#network.host.streams.reset)) {
      this.#emit({ rst: true, ack: true }, this.#next, nothing);
      this.#close(this.#wasReset());
    } else if (segment.rst) {
      const isDone = this.#peerEnd !== "open" && this.#finish === "sent";
      this.#close(this.#state === "connecting" ? this.#wasRefused() : isDone ? undefined : this.#wasReset());
    } else {
      if (segment.ack) this.#acknowledged(segment, bytes);
      this.#received(segment, bytes);
    }
  }

  /** Takes what the acknowledgment covers off the flight, and lets the next segments go. */
  #acknowledged(segment: Segment, bytes: Uint8Array): void {
    const { acknowledgment, window } = segment;
    const now = this.#now();
    const isOld = acknowledgment <= this.#peerAcknowledged;
    if (!isOld) {
      this.#peerAcknowledged = acknowledgment;
      this.#repeatedAcknowledgments = 0;
      while (this.#flight.length > 0) {
        const first = this.#flight[0]!;
        if (endOf(first.segment, first.bytes) > acknowledgment) break;
        // Karn's rule: what was sent twice measures nothing (RFC 6298 §3).
        if (first.repeats === 0) this.#measuredMs = clamp(3 * (now - first.sentAt));
        if (first.segment.fin) this.#finish = "acknowledged";
        this.#flight.shift();
      }
      this.#retransmitMs = this.#measuredMs;
      // Progress that stops short of what was sent by then shows the next hole (RFC 6582 §3.2).
      if (acknowledgment < this.#recoverTo) this.#again();
    } else if (bytes.length === 0 && !segment.syn && !segment.fin && this.#flight.length > 0) {
      // Three repeats of one acknowledgment tell of a hole (RFC 5681 §3.2).
      if (++this.#repeatedAcknowledgments === 3) this.#again();
    }
    this.#peerWindow = window;
    if (this.#state === "connecting" && acknowledgment >= 1) this.#open();
    this.#send();
    if (this.#isFull && this.#queue.size <= streamQueueLow) {
      this.#isFull = false;
      this.#sink?.drained();
    }
    this.#setTimer();
    this.#closeIfDone();
  }

  #received(segment: Segment, bytes: Uint8Array): void {
    if (this.#state === "closed") return;
    const isNews = bytes.length > 0 || segment.syn || segment.fin;
    if (isNews && segment.sequence >= this.#expected) {
      this.#ahead.set(segment.sequence, { segment, bytes });
      const { streams } = this.#network.host;
      if (bytes.length > 0 && this.#network.random.chance(streams.stall)) {
        this.#stalledUntil = this.#now() + (streams.stallMs ?? 3000);
      }
      for (let packet = this.#ahead.get(this.#expected); packet; packet = this.#ahead.get(this.#expected)) {
        this.#ahead.delete(this.#expected);
        this.#expected = endOf(packet.segment, packet.bytes);
        this.#unread.push(packet.bytes);
        if (packet.segment.fin) this.#peerEnd = "seen";
      }
      this.#deliverLater();
    }
    if (segment.syn && this.#accept !== undefined && this.#next === 0)
      this.#transmit({ syn: true, ack: true }, nothing, 1);
    else if (isNews || segment.probe) this.#emit({ ack: true }, this.#next, nothing);
  }

  #open(): void {
    this.#state = "open";
    if (this.#accept !== undefined) {
      this.#established?.();
      this.#established = undefined;
      this.#sink = this.#accept(this);
    }
    this.#sink?.opened?.();
    this.#deliverLater();
  }

  /** Fills the window from the queue. */
  #send(): void {
    if (this.#state !== "open") return;
    while (this.#queue.size > 0) {
      const room = this.#peerAcknowledged + Math.min(this.#peerWindow, streamWindow) - this.#next;
      if (room <= 0) break;
      const bytes = new Uint8Array(Math.min(segmentSizeMax, room, this.#queue.size));
      this.#queue.read(bytes);
      this.#taken += bytes.length;
      this.#transmit({ ack: true }, bytes, bytes.length);
    }
    this.#release();
    if (this.#finish === "wanted" && this.#queue.size === 0) {
      this.#finish = "sent";
      this.#transmit({ fin: true, ack: true }, nothing, 1);
    }
    this.#setTimer();
  }

  /** Sends a segment that takes up sequence numbers, and so is sent until it is acknowledged. */
  #transmit(flags: Flags, bytes: Uint8Array, length: number): void {
    const segment = this.#emit(flags, this.#next, bytes);
    this.#next += length;
    this.#flight.push({ segment, bytes, sentAt: this.#now(), repeats: 0 });
    this.#setTimer();
  }

  #emit(flags: Flags, sequence: number, bytes: Uint8Array): Segment {
    const window = Math.max(0, streamWindow - this.#unread.size);
    const segment = { sequence, acknowledgment: this.#expected, window, ...flags };
    this.#network.host.send({
      protocol: "tcp",
      from: this.local,
      to: this.remote,
      bytes,
      segment,
      ecn: 0,
      sentAt: this.#now(),
      hops: 0,
      bounce: (failure) => this.#bounced(failure),
    });
    return segment;
  }

  /** The first segment of the flight once more, or a probe of a window that is shut. */
  #again(): void {
    const first = this.#flight[0];
    if (first === undefined) {
      this.#emit({ ack: true, probe: true }, this.#next, nothing);
      return;
    }
    first.repeats++;
    first.sentAt = this.#now();
    if (first.segment.sequence >= this.#recoverTo) this.#recoverTo = this.#next;
    const { syn, fin, ack } = first.segment;
    this.#emit({ ...(syn && { syn }), ...(fin && { fin }), ...(ack && { ack }) }, first.segment.sequence, first.bytes);
  }

  #setTimer(): void {
    const first = this.#flight[0];
    const isWaiting = first !== undefined || (this.#state === "open" && this.#queue.size > 0);
    if (!isWaiting || this.#state === "closed") {
      this.#timeline().cancel(this.#timer);
      this.#timer = undefined;
    } else if (this.#timer === undefined) {
      this.#timer = this.#timeline().at(this.#now() + this.#retransmitMs, () => this.#timedOut());
    }
  }

  #timedOut(): void {
    this.#timer = undefined;
    const first = this.#flight[0];
    const waited = first === undefined ? this.#retransmitMs : this.#now() - first.sentAt;
    if (waited >= this.#retransmitMs) {
      if (first !== undefined && first.repeats >= retransmitsMax) {
        this.#close(networkFailure("timed-out", `${showAddress(this.remote)} does not answer`));
        return;
      }
      this.#again();
      this.#retransmitMs = Math.min(2 * this.#retransmitMs, retransmitMsMax);
    }
    this.#setTimer();
  }

  #deliverLater(): void {
    if (this.#delivering !== undefined || this.#state !== "open") return;
    this.#delivering = this.#timeline().at(Math.max(this.#now(), this.#stalledUntil), () => {
      this.#delivering = undefined;
      if (this.#stalledUntil > this.#now()) this.#deliverLater();
      else this.#deliver();
    });
  }

  #deliver(): void {
    const { pieceMax } = this.#network.host.streams;
    const wasShut = this.#unread.size >= streamWindow;
    while (!this.#isPaused && this.#unread.size > 0 && this.#state === "open") {
      const size = pieceMax === undefined ? this.#unread.size : 1 + this.#network.random.below(pieceMax);
      // The segment itself may have to be sent again: the sink gets memory of its own.
      this.#sink?.bytes(this.#unread.next(size).slice());
    }
    if (wasShut && this.#unread.size < streamWindow && this.#state === "open") {
      this.#emit({ ack: true }, this.#next, nothing);
    }
    if (this.#peerEnd === "seen" && this.#unread.size === 0 && !this.#isPaused && this.#state === "open") {
      this.#peerEnd = "told";
      this.#sink?.ended();
      if (this.#options.allowHalfOpen === false) this.finish();
      this.#closeIfDone();
    }
  }

  #closeIfDone(): void {
    if (this.#finish === "acknowledged" && this.#peerEnd === "told") this.#close(undefined);
  }

  #close(failure: Failure<NetworkReason> | undefined): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#established?.();
    this.#network.forget(this);
    const timeline = this.#timeline();
    timeline.cancel(this.#timer);
    timeline.cancel(this.#delivering);
    this.#flight.length = 0;
    this.#ahead.clear();
    timeline.at(this.#now(), () => {
      this.#taken = this.#written;
      this.#release();
      this.#queue.clear();
      this.#sink?.closed(failure);
    });
  }

  #bounced(failure: Failure<NetworkReason>): void {
    if (this.#state === "connecting" && failure.reason === "no-route") this.#close(failure);
    else if (this.#state === "open") this.#sink?.softError?.(failure);
  }

  #release(): void {
    while (this.#lent.length > 0 && this.#lent[0]!.end <= this.#taken) this.#lent.shift()!.released();
  }

  #wasReset(): Failure<NetworkReason> {
    return networkFailure("reset", `the connection to ${showAddress(this.remote)} was reset`);
  }

  #wasRefused(): Failure<NetworkReason> {
    return networkFailure("refused-connection", `nobody listens at ${showAddress(this.remote)}`);
  }

  #timeline() {
    return this.#network.host.surroundings.timeline;
  }

  #now(): number {
    return this.#timeline().now();
  }
}

type Flags = Pick<Segment, "syn" | "ack" | "fin" | "rst" | "probe">;

const nothing = new Uint8Array(0);

const endOf = ({ sequence, syn, fin }: Segment, bytes: Uint8Array): number =>
  sequence + bytes.length + (syn ? 1 : 0) + (fin ? 1 : 0);

const clamp = (ms: number): number => Math.min(retransmitMsMax, Math.max(retransmitMsMin, ms));
