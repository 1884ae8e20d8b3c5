import type { Instant, StreamDirection } from "../../../contract/index.js";
import { connectionFactor, connectionWindowMaxDefault, priorityDefault } from "../../../mechanisms/streams/limits.js";
import { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import { Schedule } from "../../../mechanisms/streams/schedule.js";
import type { Released } from "../../../mechanisms/streams/send-buffer.js";
import { SendCredit } from "../../../mechanisms/streams/send-credit.js";
import { Held, type Holder } from "../contents.js";
import { Control, Wanted } from "./control.js";
import { Pending, type Stream } from "./stream.js";
import { type StreamLimits, StreamTable } from "./table.js";

export interface StreamsOptions {
  readonly isClient: boolean;
  /** What we promise the peer: the values of our transport parameters. */
  readonly limits: StreamLimits;
  /** Bytes that windows may grow to. */
  readonly connectionWindowMax?: number;
  readonly streamWindowMax?: number;
  /** The path's round trip, by which windows tune themselves. */
  readonly rtt: { readonly smoothedMs: number };
}

export interface OpenOptions {
  /** Default 100. */
  readonly priority?: number;
  /** What is written may leave as 0-RTT. Default false. */
  readonly early?: boolean;
}

/** What streams tell, in order. Bytes may be a view of the packet that was taken last. */
export type StreamEvent =
  | { readonly kind: "opened"; readonly id: number }
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "ended"; readonly id: number }
  | { readonly kind: "reset"; readonly id: number; readonly code: number }
  | { readonly kind: "stopped"; readonly id: number; readonly code: number }
  /** The stream asked its writer to hold back; it may go on. */
  | { readonly kind: "drained"; readonly id: number }
  /** A write's bytes are the writer's again. */
  | { readonly kind: "released"; readonly released: Released }
  /** Both directions are over; nothing follows about this stream. */
  | { readonly kind: "over"; readonly id: number };

/**
 * All streams of a connection, with their flow control (RFC 9000 §2 … §4): takes their frames, writes their frames, and
 * hears what became of them. Frames that break a rule are refused by throwing, as everywhere in this room.
 */
export class Streams {
  readonly #table: StreamTable;
  readonly #window: ReceiveWindow;
  readonly #credit = new SendCredit();
  readonly #control: Control;
  readonly #rtt: { readonly smoothedMs: number };
  /** Streams with something that needs no credit of the connection, and those with new bytes. */
  readonly #queues = { urgent: new Schedule<Stream>(), fresh: new Schedule<Stream>() };
  #phase: "closed" | "early" | "open" = "closed";
  #events: StreamEvent[] = [];
  #told = 0;

  constructor(options: StreamsOptions) {
    this.#table = new StreamTable(options.isClient, options.limits, options.streamWindowMax);
    this.#window = new ReceiveWindow(options.limits.maxData, options.connectionWindowMax ?? connectionWindowMaxDefault);
    this.#control = new Control(this.#table, this.#window, this.#credit);
    this.#rtt = options.rtt;
  }

  // The application's side.

  /** A new stream of ours; it has its id at once and waits for the peer's limits if it must. */
  open(direction: StreamDirection, { priority = priorityDefault, early = false }: OpenOptions = {}): number {
    const stream = this.#table.open(direction, priority, early);
    this.#tellStreamsBlocked(direction);
    return stream.id;
  }

  /** Undefined once it is over. */
  get(id: number): Stream | undefined {
    return this.#table.get(id);
  }

  /** Streams that are not over. */
  get count(): number {
    return this.#table.size;
  }

  /**
   * Queues bytes, by reference until `released` is told. False: hold back until `drained`. What is written to a stream that
   * is over, finished or reset is dropped, and released.
   */
  write(id: number, bytes: Uint8Array, released?: Released): boolean {
    const stream = this.#table.get(id);
    if (!stream?.send?.isWritable) {
      if (released !== undefined) this.#events.push({ kind: "released", released });
      return true;
    }
    const more = stream.send.write(bytes, released);
    // Nothing that would be acknowledged: it is let go of with what stands before it, which may be gone already.
    if (bytes.length === 0) this.#release(stream);
    this.#reschedule(stream);
    return more;
  }

  finish(id: number): void {
    const stream = this.#table.get(id);
    stream?.send?.finish();
    if (stream !== undefined) this.#reschedule(stream);
  }

  /** RESET_STREAM: what is queued is dropped. */
  reset(id: number, code: number): void {
    const stream = this.#table.get(id);
    if (stream?.send?.reset(code)) this.#wasReset(stream);
  }

  /** STOP_SENDING: nothing more is told of what comes. */
  stopSending(id: number, code: number, now: Instant): void {
    const stream = this.#table.get(id);
    const part = stream?.receive;
    if (stream === undefined || part === undefined || part.isOver || part.stopCode !== undefined) return;
    part.stop(code);
    // §3.5: once all is here, or was reset, there is nothing to stop.
    if (part.state === "receive" || part.state === "sizeKnown") this.#control.wantOf(stream, Pending.stopSending);
    this.#tell(stream, now);
  }

  setPriority(id: number, priority: number): void {
    const stream = this.#table.get(id);
    if (stream === undefined || stream.priority === priority) return;
    stream.priority = priority;
    if (stream.queue === undefined) return;
    this.#queues[stream.queue].remove(stream);
    this.#queues[stream.queue].add(stream, priority);
  }

  /** No bytes are told until `resume`; the window closes behind what has come. */
  pause(id: number): void {
    const part = this.#table.get(id)?.receive;
    if (part !== undefined) part.isPaused = true;
  }

  resume(id: number, now: Instant): void {
    const stream = this.#table.get(id);
    if (!stream?.receive?.isPaused) return;
    stream.receive.isPaused = false;
    this.#tell(stream, now);
  }

  event(): StreamEvent | undefined {
    const event = this.#events[this.#told];
    if (event === undefined) {
      this.#events.length = 0;
      this.#told = 0;
      return undefined;
    }
    this.#told++;
    return event;
  }

  // The peer's limits, and when we may send at all.

  /** With remembered limits: streams that were opened `early` may send. */
  startEarly(limits: StreamLimits): void {
    this.#begin("early", limits);
  }

  /** The peer's own limits are known, and 1-RTT packets can be sent. */
  start(limits: StreamLimits): void {
    this.#begin("open", limits);
  }

  /** The server did not take our 0-RTT: nothing was sent. `start` follows, with limits that may be lower. */
  earlyRejected(): void {
    this.#phase = "closed";
    this.#credit.reset();
    this.#table.forgetPeerLimits();
    for (const stream of this.#table.values()) {
      stream.send?.rewind();
      this.#reschedule(stream);
    }
  }

  // Frames that came.

  onStream(id: number, offset: number, bytes: Uint8Array, fin: boolean, now: Instant): void {
    const stream = this.#find(id, "receive", "STREAM");
    if (stream === undefined) return;
    this.#window.received += stream.receive!.receive(offset, bytes, fin, this.#window.limit - this.#window.received);
    this.#tell(stream, now);
  }

  onResetStream(id: number, code: number, finalSize: number, now: Instant): void {
    const stream = this.#find(id, "receive", "RESET_STREAM");
    if (stream === undefined) return;
    const part = stream.receive!;
    this.#window.received += part.reset(finalSize, this.#window.limit - this.#window.received);
    if (part.state !== "resetReceived") return;
    this.#consume(stream, part.skip(), now);
    part.told();
    this.#events.push({ kind: "reset", id, code });
    this.#settle(stream);
  }

  onStopSending(id: number, code: number): void {
    const stream = this.#find(id, "send", "STOP_SENDING");
    if (!stream?.send?.reset(code)) return;
    this.#events.push({ kind: "stopped", id, code });
    this.#wasReset(stream);
  }

  onMaxData(limit: number): void {
    this.#credit.raise(limit);
  }

  onMaxStreamData(id: number, limit: number): void {
    const stream = this.#find(id, "send", "MAX_STREAM_DATA");
    if (stream?.send?.credit.raise(limit)) this.#reschedule(stream);
  }

  onMaxStreams(direction: StreamDirection, limit: number): void {
    const own = this.#table.own[direction];
    if (limit <= own.limit) return;
    const first = own.limit;
    own.limit = limit;
    this.#permit(direction, first);
    this.#tellStreamsBlocked(direction);
  }

  onStreamDataBlocked(id: number): void {
    this.#find(id, "receive", "STREAM_DATA_BLOCKED");
  }

  // Frames to send.

  /** Is there anything to put into a packet? */
  get wants(): boolean {
    if (this.#phase === "open" && !this.#control.isEmpty) return true;
    return !this.#queues.urgent.isEmpty || (this.#credit.left > 0 && !this.#queues.fresh.isEmpty);
  }

  /** Writes frames between `at` and `end`, and answers where they end; `at` if there are none or no room. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    const { urgent, fresh } = this.#queues;
    let to = this.#phase === "open" ? this.#control.fill(into, at, end, holder) : at;
    for (let stream = urgent.first; stream !== undefined; stream = urgent.first) {
      const next = this.#fillFrom(stream, into, to, end, holder);
      if (next === to) return to;
      to = next;
    }
    for (let stream = fresh.first; stream !== undefined && this.#credit.left > 0; stream = fresh.first) {
      const next = this.#fillFrom(stream, into, to, end, holder);
      if (next === to) return to;
      to = next;
    }
    // §4.1: tell the peer that it holds us back.
    if (!fresh.isEmpty && this.#credit.left === 0 && this.#credit.blocked()) this.#control.want(Wanted.dataBlocked);
    return to;
  }

  // What became of frames.

  acknowledged(kind: number, id: number, from: number, to: number): void {
    if (kind !== Held.stream && kind !== Held.streamFin && kind !== Held.resetStream) return;
    const stream = this.#table.get(id);
    if (stream?.send === undefined) return;
    if (kind === Held.resetStream) stream.send.resetAcknowledged();
    else stream.send.acknowledged(from, to, kind === Held.streamFin);
    this.#release(stream);
    this.#reschedule(stream);
    this.#settle(stream);
  }

  lost(kind: number, id: number, from: number, to: number): void {
    if (kind === Held.stream || kind === Held.streamFin) {
      const stream = this.#table.get(id);
      if (stream?.send === undefined) return;
      stream.send.lost(from, to, kind === Held.streamFin);
      this.#reschedule(stream);
    } else this.#lostControl(kind, id, to);
  }

  /** The connection is over: every write is released, and nothing else is told. */
  close(): void {
    this.#events.length = this.#told = 0;
    this.#phase = "closed";
    this.#control.clear();
    for (const stream of this.#table.values()) {
      stream.send?.buffer.abandon();
      this.#release(stream);
      if (stream.queue !== undefined) this.#queues[stream.queue].remove(stream);
      stream.queue = undefined;
    }
    this.#table.clear();
  }

  #begin(phase: "early" | "open", limits: StreamLimits): void {
    this.#phase = phase;
    this.#credit.raise(limits.maxData);
    this.#table.setPeerLimits(limits);
    this.#permit("bidirectional", 0);
    this.#permit("unidirectional", 0);
    for (const stream of this.#table.values()) if (stream.byPeer) this.#reschedule(stream);
    this.#tellStreamsBlocked("bidirectional");
    this.#tellStreamsBlocked("unidirectional");
  }

  #find(id: number, part: "send" | "receive", at: string): Stream | undefined {
    const stream = this.#table.find(id, part, at);
    const { created } = this.#table;
    if (created.length > 0) {
      for (const each of created) this.#events.push({ kind: "opened", id: each.id });
      created.length = 0;
    }
    return stream;
  }

  #fillFrom(stream: Stream, into: Uint8Array, at: number, end: number, holder: Holder): number {
    const send = stream.send!;
    const before = send.credit.used;
    const to = send.fill(into, at, end, this.#credit.left, holder);
    if (to === at) return at;
    this.#credit.used += send.credit.used - before;
    this.#queues[stream.queue!].rotate(stream);
    this.#reschedule(stream);
    if (send.isHeldBack && send.mayGoOn()) this.#events.push({ kind: "drained", id: stream.id });
    return to;
  }

  /** Puts a stream where it belongs after anything about it changed. */
  #reschedule(stream: Stream): void {
    const { send } = stream;
    let queue: "urgent" | "fresh" | undefined;
    if (send !== undefined && this.#maySend(stream)) {
      if (send.hasUrgent) queue = "urgent";
      else if (send.hasFresh) queue = "fresh";
      else if (send.isBlocked && send.credit.blocked()) this.#control.wantOf(stream, Pending.dataBlocked);
    }
    if (queue === stream.queue) return;
    if (stream.queue !== undefined) this.#queues[stream.queue].remove(stream);
    if (queue !== undefined) this.#queues[queue].add(stream, stream.priority);
    stream.queue = queue;
  }

  #maySend(stream: Stream): boolean {
    if (this.#phase === "closed" || (this.#phase === "early" && !stream.early)) return false;
    return this.#table.isPermitted(stream);
  }

  /** Tells what is in order, and the end. */
  #tell(stream: Stream, now: Instant): void {
    const part = stream.receive!;
    const { id } = stream;
    for (let bytes = part.next(); bytes !== undefined; bytes = part.next()) {
      this.#events.push({ kind: "bytes", id, bytes });
      this.#consume(stream, bytes.length, now);
    }
    if (part.stopCode !== undefined) this.#consume(stream, part.skip(), now);
    if (!part.isAtEnd) return;
    part.told();
    if (part.stopCode === undefined) this.#events.push({ kind: "ended", id });
    this.#settle(stream);
  }

  #consume(stream: Stream, bytes: number, now: Instant): void {
    if (bytes === 0) return;
    const { window, isOpen } = stream.receive!;
    const { smoothedMs } = this.#rtt;
    if (window.consume(bytes, smoothedMs, now) && isOpen) {
      this.#window.atLeast(connectionFactor * window.size);
      this.#control.wantOf(stream, Pending.maxData);
    }
    if (this.#window.consume(bytes, smoothedMs, now)) this.#control.want(Wanted.maxData);
  }

  #wasReset(stream: Stream): void {
    this.#control.wantOf(stream, Pending.reset);
    this.#release(stream);
    this.#reschedule(stream);
  }

  #release(stream: Stream): void {
    const { buffer } = stream.send ?? {};
    if (buffer === undefined) return;
    while (buffer.letGo()) {
      const { released } = buffer;
      if (released !== undefined) this.#events.push({ kind: "released", released });
    }
  }

  #settle(stream: Stream): void {
    if (!stream.isOver) return;
    if (stream.queue !== undefined) this.#queues[stream.queue].remove(stream);
    stream.queue = undefined;
    this.#control.forget(stream);
    if (this.#table.remove(stream)) {
      this.#control.want(stream.direction === "bidirectional" ? Wanted.maxStreamsBidi : Wanted.maxStreamsUni);
    }
    this.#events.push({ kind: "over", id: stream.id });
  }

  /** Streams from this index on may send, as far as the limit goes. */
  #permit(direction: StreamDirection, first: number): void {
    const own = this.#table.own[direction];
    for (let index = first; index < Math.min(own.limit, own.opened); index++) {
      const stream = this.#table.get(this.#table.ownId(direction, index));
      if (stream === undefined) continue;
      if (stream.pending !== 0) this.#control.wantOf(stream, stream.pending);
      this.#reschedule(stream);
    }
  }

  #tellStreamsBlocked(direction: StreamDirection): void {
    const own = this.#table.own[direction];
    if (this.#phase !== "open" || own.opened <= own.limit || own.toldAt === own.limit) return;
    own.toldAt = own.limit;
    this.#control.want(direction === "bidirectional" ? Wanted.streamsBlockedBidi : Wanted.streamsBlockedUni);
  }

  /** Repeats what still holds (§13.3); a newer value has gone already, or is on its way. */
  #lostControl(kind: number, id: number, value: number): void {
    const { own, peers } = this.#table;
    const again = (held: number, bit: number, current: number): void => {
      if (kind === held && current === value) this.#control.want(bit);
    };
    again(Held.maxData, Wanted.maxData, this.#window.limit);
    again(Held.dataBlocked, Wanted.dataBlocked, this.#credit.limit);
    again(Held.maxStreamsBidi, Wanted.maxStreamsBidi, peers.bidirectional.limit);
    again(Held.maxStreamsUni, Wanted.maxStreamsUni, peers.unidirectional.limit);
    again(Held.streamsBlockedBidi, Wanted.streamsBlockedBidi, own.bidirectional.limit);
    again(Held.streamsBlockedUni, Wanted.streamsBlockedUni, own.unidirectional.limit);
    const stream = this.#table.get(id);
    if (stream === undefined) return;
    const { send, receive } = stream;
    const pending =
      kind === Held.resetStream && send?.state === "resetSent"
        ? Pending.reset
        : kind === Held.stopSending && receive?.isOver === false
          ? Pending.stopSending
          : kind === Held.maxStreamData && receive?.window.limit === value
            ? Pending.maxData
            : kind === Held.streamDataBlocked && send?.credit.limit === value
              ? Pending.dataBlocked
              : 0;
    if (pending !== 0) this.#control.wantOf(stream, pending);
  }
}
