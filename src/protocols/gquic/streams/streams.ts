import type { Instant } from "../../../contract/index.js";
import { connectionFactor, priorityDefault } from "../../../mechanisms/streams/limits.js";
import { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import { Schedule } from "../../../mechanisms/streams/schedule.js";
import type { Released } from "../../../mechanisms/streams/send-buffer.js";
import { SendCredit } from "../../../mechanisms/streams/send-credit.js";
import { Held, type Holder } from "../contents.js";
import { putBlocked, putRstStream, putWindowUpdate } from "../wire/frame-writers.js";
import { Pending, rstCodes, type Stream } from "./stream.js";
import { type StreamLimits, StreamTable } from "./table.js";

export interface StreamsOptions {
  readonly isClient: boolean;
  /** The least id that a client's stream may have: what the handshake leaves it. */
  readonly firstClient: number;
  readonly limits: StreamLimits;
  readonly connectionWindowMax: number;
  readonly streamWindowMax: number;
  readonly rtt: { readonly smoothedMs: number };
}

/** What streams tell, in order. Bytes may be a view of the packet that was taken last. */
export type StreamEvent =
  | { readonly kind: "opened"; readonly id: number }
  | { readonly kind: "bytes"; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: "ended"; readonly id: number }
  /** RST_STREAM: the peer gave up both directions. */
  | { readonly kind: "reset"; readonly id: number; readonly code: number }
  | { readonly kind: "drained"; readonly id: number }
  | { readonly kind: "released"; readonly released: Released }
  | { readonly kind: "over"; readonly id: number };

/** All streams of a connection, with their flow control: takes their frames, writes their frames, hears what became of them. */
export class Streams {
  readonly #table: StreamTable;
  readonly #window: ReceiveWindow;
  readonly #credit = new SendCredit();
  readonly #rtt: { readonly smoothedMs: number };
  /** Streams with something that needs no credit of the connection, and those with new bytes. */
  readonly #queues = { urgent: new Schedule<Stream>(), fresh: new Schedule<Stream>() };
  /** Streams with small frames. */
  readonly #pending = new Set<Stream>();
  #windowWanted = false;
  #blockedWanted = false;
  #phase: "closed" | "early" | "open" = "closed";
  #events: StreamEvent[] = [];
  #told = 0;

  constructor(options: StreamsOptions) {
    this.#table = new StreamTable(options.isClient, options.firstClient, options.limits, options.streamWindowMax);
    this.#window = new ReceiveWindow(options.limits.connectionWindow, options.connectionWindowMax);
    this.#rtt = options.rtt;
  }

  // The application's side.

  open(priority: number = priorityDefault, early = false): number {
    const { id } = this.#table.open(priority, early);
    this.#permit();
    return id;
  }

  get(id: number): Stream | undefined {
    return this.#table.get(id);
  }

  get count(): number {
    return this.#table.size;
  }

  /** Queues bytes, by reference until `released` is told. What is written to a stream that is over is dropped, and released. */
  write(id: number, bytes: Uint8Array, released?: Released): void {
    const stream = this.#table.get(id);
    if (!stream?.send.isWritable || bytes.length === 0) {
      if (released !== undefined) this.#events.push({ kind: "released", released });
      return;
    }
    stream.send.write(bytes, released);
    this.#reschedule(stream);
  }

  finish(id: number): void {
    const stream = this.#table.get(id);
    if (stream === undefined) return;
    stream.send.finish();
    this.#reschedule(stream);
  }

  /** RST_STREAM: what is queued is dropped, and the peer gives up its direction, too. */
  reset(id: number, code: number): void {
    const stream = this.#table.get(id);
    if (stream !== undefined) this.#resetOurs(stream, code);
  }

  /** Nothing more is told of what comes, and the peer is asked to stop: there is no frame for that but RST_STREAM. */
  stop(id: number, code: number, now: Instant): void {
    const stream = this.#table.get(id);
    if (stream === undefined || stream.receive.isOver || stream.receive.isStopped) return;
    stream.receive.stop();
    if (stream.receive.isOpen) this.#resetOurs(stream, code);
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

  pause(id: number): void {
    const stream = this.#table.get(id);
    if (stream !== undefined) stream.receive.isPaused = true;
  }

  resume(id: number, now: Instant): void {
    const stream = this.#table.get(id);
    if (!stream?.receive.isPaused) return;
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

  // When we may send.

  /** Under initial keys, with limits that were remembered: streams that were opened `early` may send. */
  startEarly(limits: StreamLimits): void {
    this.#begin("early", limits);
  }

  /** Forward-secure keys are there, and the peer's own limits. */
  start(limits: StreamLimits): void {
    this.#begin("open", limits);
  }

  /** The keys of early data were not taken: until there are others, nothing is sent. */
  holdBack(): void {
    this.#phase = "closed";
    for (const stream of this.#table.values()) this.#reschedule(stream);
  }

  // Frames that came.

  onStream(id: number, offset: number, bytes: Uint8Array, fin: boolean, now: Instant): void {
    const stream = this.#find(id, "STREAM");
    if (stream === undefined) return;
    this.#window.received += stream.receive.receive(offset, bytes, fin, this.#window.limit - this.#window.received);
    this.#tell(stream, now);
  }

  onRstStream(id: number, code: number, finalOffset: number, now: Instant): void {
    const stream = this.#find(id, "RST_STREAM");
    if (stream === undefined) return;
    const { receive } = stream;
    this.#window.received += receive.reset(code, finalOffset, this.#window.limit - this.#window.received);
    this.#consume(stream, receive.skip(), now);
    if (!receive.isOver) {
      receive.isOver = true;
      this.#events.push({ kind: "reset", id, code });
    }
    if (!stream.send.isOver && !stream.send.isFinished) this.#resetOurs(stream, rstCodes.acknowledged);
    this.#settle(stream);
  }

  /** @param id 0 for the connection */
  onWindowUpdate(id: number, offset: number): void {
    if (id === 0) {
      this.#credit.raise(offset);
      return;
    }
    const stream = this.#find(id, "WINDOW_UPDATE");
    if (stream?.send.credit.raise(offset)) this.#reschedule(stream);
  }

  onBlocked(id: number): void {
    if (id !== 0) this.#find(id, "BLOCKED");
  }

  // Frames to send.

  get wants(): boolean {
    if (this.#phase === "open" && (this.#windowWanted || this.#blockedWanted || this.#pending.size > 0)) return true;
    return !this.#queues.urgent.isEmpty || (this.#credit.left > 0 && !this.#queues.fresh.isEmpty);
  }

  /** Writes frames between `at` and `end`, and answers where they end; `at` if there are none or no room. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    const { urgent, fresh } = this.#queues;
    let to = this.#phase === "open" ? this.#fillControl(into, at, end, holder) : at;
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
    if (!fresh.isEmpty && this.#credit.left <= 0 && this.#credit.blocked()) this.#blockedWanted = true;
    return to;
  }

  // What became of frames.

  acknowledged(kind: number, id: number, from: number, to: number): void {
    if (kind !== Held.stream && kind !== Held.streamFin && kind !== Held.rstStream) return;
    const stream = this.#table.get(id);
    if (stream === undefined) return;
    if (kind === Held.rstStream) stream.send.isOver = true;
    else stream.send.acknowledged(from, to, kind === Held.streamFin);
    this.#release(stream);
    this.#reschedule(stream);
    this.#settle(stream);
  }

  /** Small frames say what holds when they are written again, not what held when they were lost. */
  lost(kind: number, id: number, from: number, to: number): void {
    if (id === 0) {
      if (kind === Held.windowUpdate) this.#windowWanted = true;
      return;
    }
    const stream = this.#table.get(id);
    if (stream === undefined) return;
    if (kind === Held.rstStream) this.#want(stream, Pending.reset);
    else if (kind === Held.windowUpdate) this.#want(stream, Pending.windowUpdate);
    else if (kind === Held.stream || kind === Held.streamFin) {
      stream.send.lost(from, to, kind === Held.streamFin);
      this.#reschedule(stream);
    }
  }

  /** The connection is over: every write is released, and nothing else is told. */
  close(): void {
    this.#events.length = this.#told = 0;
    this.#phase = "closed";
    this.#pending.clear();
    for (const stream of this.#table.values()) {
      stream.send.buffer.abandon();
      this.#release(stream);
      if (stream.queue !== undefined) this.#queues[stream.queue].remove(stream);
      stream.queue = undefined;
    }
    this.#table.clear();
  }

  #begin(phase: "early" | "open", limits: StreamLimits): void {
    this.#phase = phase;
    this.#credit.raise(limits.connectionWindow);
    this.#table.setPeerLimits(limits);
    this.#permit();
    for (const stream of this.#table.values()) this.#reschedule(stream);
  }

  #permit(): void {
    for (let stream = this.#table.permit(); stream !== undefined; stream = this.#table.permit())
      this.#reschedule(stream);
  }

  #find(id: number, at: string): Stream | undefined {
    const stream = this.#table.find(id, at);
    if (this.#table.created !== undefined) this.#events.push({ kind: "opened", id });
    return stream;
  }

  #fillControl(into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    if (this.#windowWanted) {
      const next = putWindowUpdate(into, to, end, 0, this.#window.limit);
      if (next === to) return to;
      to = next;
      this.#windowWanted = false;
      holder.hold(Held.windowUpdate, 0, 0, 0);
    }
    if (this.#blockedWanted) {
      const next = putBlocked(into, to, end, 0);
      if (next === to) return to;
      to = next;
      this.#blockedWanted = false;
      holder.hold(Held.blocked, 0, 0, 0);
    }
    for (const stream of this.#pending) {
      to = this.#fillSmall(stream, into, to, end, holder);
      if (stream.pending !== 0) return to;
      this.#pending.delete(stream);
    }
    return to;
  }

  /** Stops at the first that does not fit: its bit stays. */
  #fillSmall(stream: Stream, into: Uint8Array, at: number, end: number, holder: Holder): number {
    const { id, send, receive } = stream;
    let to = at;
    if ((stream.pending & Pending.reset) !== 0) {
      const next = putRstStream(into, to, end, id, send.credit.used, send.resetCode ?? rstCodes.cancelled);
      if (next === to) return to;
      to = next;
      holder.hold(Held.rstStream, id, 0, 0);
      stream.pending &= ~Pending.reset;
    }
    if ((stream.pending & Pending.windowUpdate) !== 0 && receive.isOpen) {
      const next = putWindowUpdate(into, to, end, id, receive.window.limit);
      if (next === to) return to;
      to = next;
      holder.hold(Held.windowUpdate, id, 0, 0);
    }
    if ((stream.pending & Pending.blocked) !== 0 && send.isBlocked) {
      const next = putBlocked(into, to, end, id);
      if (next === to) return to;
      to = next;
      holder.hold(Held.blocked, id, 0, 0);
    }
    stream.pending = 0;
    return to;
  }

  #fillFrom(stream: Stream, into: Uint8Array, at: number, end: number, holder: Holder): number {
    const { send } = stream;
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
    if (stream.isPermitted && (this.#phase === "open" || (this.#phase === "early" && stream.early))) {
      if (send.hasUrgent) queue = "urgent";
      else if (send.hasFresh) queue = "fresh";
      else if (send.isBlocked && send.credit.blocked()) this.#want(stream, Pending.blocked);
    }
    if (queue === stream.queue) return;
    if (stream.queue !== undefined) this.#queues[stream.queue].remove(stream);
    if (queue !== undefined) this.#queues[queue].add(stream, stream.priority);
    stream.queue = queue;
  }

  #want(stream: Stream, bit: number): void {
    stream.pending |= bit;
    this.#pending.add(stream);
  }

  #resetOurs(stream: Stream, code: number): void {
    const { send } = stream;
    if (!stream.isPermitted) {
      // The peer has never heard of it.
      send.reset(code);
      send.isOver = stream.receive.isOver = true;
    } else if (!send.reset(code) && !(send.isOver && !stream.isCancelled)) return;
    else {
      stream.isCancelled = true;
      this.#want(stream, Pending.reset);
    }
    this.#release(stream);
    this.#reschedule(stream);
    this.#settle(stream);
  }

  /** Tells what is in order, and the end. */
  #tell(stream: Stream, now: Instant): void {
    const { receive, id } = stream;
    for (let bytes = receive.next(); bytes !== undefined; bytes = receive.next()) {
      this.#events.push({ kind: "bytes", id, bytes });
      this.#consume(stream, bytes.length, now);
    }
    if (receive.isStopped) this.#consume(stream, receive.skip(), now);
    if (!receive.isAtEnd) return;
    receive.isOver = true;
    if (!receive.isStopped) this.#events.push({ kind: "ended", id });
    this.#settle(stream);
  }

  #consume(stream: Stream, bytes: number, now: Instant): void {
    if (bytes === 0) return;
    const { window, isOpen } = stream.receive;
    const { smoothedMs } = this.#rtt;
    if (window.consume(bytes, smoothedMs, now) && isOpen) {
      this.#window.atLeast(connectionFactor * window.size);
      this.#want(stream, Pending.windowUpdate);
    }
    if (this.#window.consume(bytes, smoothedMs, now)) this.#windowWanted = true;
  }

  #release(stream: Stream): void {
    const { buffer } = stream.send;
    while (buffer.letGo()) {
      const { released } = buffer;
      if (released !== undefined) this.#events.push({ kind: "released", released });
    }
  }

  #settle(stream: Stream): void {
    if (!stream.isOver) return;
    // What was finished and then cancelled says so before it goes.
    if ((stream.pending & Pending.reset) !== 0) return;
    if (stream.queue !== undefined) this.#queues[stream.queue].remove(stream);
    stream.queue = undefined;
    this.#pending.delete(stream);
    this.#table.remove(stream);
    this.#events.push({ kind: "over", id: stream.id });
    this.#permit();
  }
}
