import { putVarint, varintSize } from "../../../bytes/index.js";
import { Ranges } from "../../../mechanisms/ranges.js";
import { frameDataMin, sentRangesMax, writeQueueLow, writeQueueMark } from "../../../mechanisms/streams/limits.js";
import { noRanges, type Released, SendBuffer } from "../../../mechanisms/streams/send-buffer.js";
import { SendCredit } from "../../../mechanisms/streams/send-credit.js";
import { Held, type Holder } from "../contents.js";
import { FrameType } from "../wire/frame-types.js";
import { type SendState, stepSending } from "./lifecycle.js";

const offBit = 4;
const lenBit = 2;
const finBit = 1;

/** The sending part of a stream (RFC 9000 §3.1): what is to be sent, sent again, and when it is over. */
export class SendPart {
  readonly id: number;
  state: SendState = "ready";
  /** MAX_STREAM_DATA. `used` is the end of what was ever sent. */
  readonly credit = new SendCredit();
  readonly buffer = new SendBuffer();
  /** Code of RESET_STREAM, once there is one. */
  resetCode = 0;
  /** The writer was asked to hold back, and waits to be told. */
  isHeldBack = false;
  #lost = noRanges;
  /** No more is written: the stream ends where the buffer does. */
  #finishing = false;
  #finToSend = false;
  #finAcked = false;
  /** The peer is to hear of the stream, though there is nothing to say. */
  #announce = false;
  /** What a reset left it at. */
  #acknowledgedMax = Number.POSITIVE_INFINITY;

  constructor(id: number) {
    this.id = id;
  }

  get isOver(): boolean {
    return this.state === "dataReceived" || this.state === "resetReceived";
  }

  /** May the application still write? */
  get isWritable(): boolean {
    return !this.#finishing && (this.state === "ready" || this.state === "send");
  }

  /** Bytes written and never sent. */
  get unsent(): number {
    return this.isAbandoned ? 0 : this.buffer.end - this.credit.used;
  }

  /** Bytes acknowledged without a gap. */
  get acknowledgedBytes(): number {
    return Math.min(this.buffer.base, this.#acknowledgedMax);
  }

  /** Something that takes no credit of the connection: lost bytes, a bare FIN, an empty frame. */
  get hasUrgent(): boolean {
    if (this.#lost.count > 0 || this.#announce) return true;
    return this.#finToSend && this.unsent === 0;
  }

  /** New bytes that the stream's own credit lets out. */
  get hasFresh(): boolean {
    return this.credit.left > 0 && this.unsent > 0;
  }

  /** It has bytes that only its own limit holds back. */
  get isBlocked(): boolean {
    return this.credit.left === 0 && this.unsent > 0;
  }

  /** False: hold back. An empty write makes the peer hear of the stream. */
  write(bytes: Uint8Array, released: Released | undefined): boolean {
    this.buffer.write(bytes, released);
    if (bytes.length === 0 && this.state === "ready") this.#announce = true;
    if (this.unsent <= writeQueueMark) return true;
    this.isHeldBack = true;
    return false;
  }

  /** True once, when a writer that was held back may go on. */
  mayGoOn(): boolean {
    if (!this.isHeldBack || this.unsent > writeQueueLow) return false;
    this.isHeldBack = false;
    return true;
  }

  finish(): void {
    if (!this.isWritable) return;
    this.#finishing = this.#finToSend = true;
  }

  /** False if there is nothing to reset any more. */
  reset(code: number): boolean {
    const state = stepSending(this.state, "sendReset");
    if (state === this.state) return false;
    this.#acknowledgedMax = this.buffer.base;
    this.state = state;
    this.resetCode = code;
    this.#lost = noRanges;
    this.#finToSend = this.#announce = false;
    this.buffer.abandon();
    return true;
  }

  resetAcknowledged(): void {
    this.state = stepSending(this.state, "resetAcked");
  }

  /**
   * Writes one STREAM frame (§19.8) between `at` and `end`, what was lost first. Answers where it ends; `at` itself if
   * there is nothing to write or no room. What it took of the connection's credit is the growth of `credit.used`.
   */
  fill(into: Uint8Array, at: number, end: number, connectionLeft: number, holder: Holder): number {
    const { buffer, credit } = this;
    const again = this.#lost.count > 0;
    const from = again ? this.#lost.least : credit.used;
    const wanted = again ? this.#lost.to(0) - from : Math.max(0, Math.min(this.unsent, credit.left, connectionLeft));
    const head = 1 + varintSize(this.id) + (from > 0 ? varintSize(from) : 0);
    const room = end - at - head;
    const size = fitting(wanted, room);
    const fin = this.#finToSend && from + size === buffer.end;
    if (size < 0 || (size === 0 && !fin && !this.#announce) || (size < frameDataMin && size < wanted)) return at;
    into[at] = FrameType.stream | (from > 0 ? offBit : 0) | lenBit | (fin ? finBit : 0);
    let to = putVarint(into, at + 1, this.id);
    if (from > 0) to = putVarint(into, to, from);
    to = putVarint(into, to, size);
    if (size > 0) buffer.copy(from, size, into, to);
    holder.hold(fin ? Held.streamFin : Held.stream, this.id, from, from + size);
    if (again) this.#lost.shift(size);
    else credit.used += size;
    this.#announce = false;
    this.state = stepSending(this.state, "sendData");
    if (fin) {
      this.#finToSend = false;
      this.state = stepSending(this.state, "sendFin");
    }
    return to + size;
  }

  /** Bytes have arrived, and the end of the stream if `fin`. */
  acknowledged(from: number, to: number, fin: boolean): void {
    if (this.isAbandoned) return;
    this.buffer.acknowledge(from, to);
    if (this.#lost.count > 0) this.#lost.remove(from, to);
    if (fin) {
      this.#finAcked = true;
      this.#finToSend = false;
    }
    if (this.#finAcked && this.buffer.base === this.buffer.end) this.state = stepSending(this.state, "allAcked");
  }

  lost(from: number, to: number, fin: boolean): void {
    if (this.isAbandoned) return;
    if (fin && !this.#finAcked) this.#finToSend = true;
    const { acknowledged, base } = this.buffer;
    if (from === to && !fin && this.credit.used === 0) this.#announce = true;
    if (this.#lost === noRanges) this.#lost = new Ranges(sentRangesMax);
    this.#lost.add(Math.max(from, base), to);
    for (let i = 0; i < acknowledged.count && acknowledged.from(i) < to; i++) {
      this.#lost.remove(acknowledged.from(i), acknowledged.to(i));
    }
  }

  /** Rejected 0-RTT: nothing was sent, and other limits hold (RFC 9001 §4.6.2). */
  rewind(): void {
    if (this.isAbandoned) return;
    this.credit.reset();
    this.#lost = noRanges;
    this.#finToSend = this.#finishing;
    if (this.buffer.end === 0 && !this.#finishing) this.#announce = this.state !== "ready";
    this.state = "ready";
  }

  /** Data no longer matter: the stream was reset, or is over. */
  get isAbandoned(): boolean {
    return this.state === "resetSent" || this.isOver;
  }
}

/** Bytes of data that fit behind a length field in so much room; negative if not even the field does. */
function fitting(wanted: number, room: number): number {
  let size = Math.min(wanted, room - 1);
  if (size >= 0x40) size = Math.max(0x3f, Math.min(wanted, room - 2));
  if (size >= 0x4000) size = Math.max(0x3fff, Math.min(wanted, room - 4));
  return size;
}
