import { Ranges } from "../../../mechanisms/ranges.js";
import { frameDataMin, sentRangesMax, writeQueueLow, writeQueueMark } from "../../../mechanisms/streams/limits.js";
import { noRanges, type Released, SendBuffer } from "../../../mechanisms/streams/send-buffer.js";
import { SendCredit } from "../../../mechanisms/streams/send-credit.js";
import { Held, type Holder } from "../contents.js";
import { putStreamHead, streamHeadSize } from "../wire/frame-writers.js";

/** The sending part of a stream: what is to be sent, sent again, and when it is over. */
export class SendPart {
  readonly id: number;
  /** WINDOW_UPDATE. `used` is the end of what was ever sent. */
  readonly credit = new SendCredit();
  readonly buffer = new SendBuffer();
  /** Code of our RST_STREAM, once there is one. */
  resetCode: number | undefined;
  /** All is acknowledged, or the reset is. */
  isOver = false;
  /** The writer was asked to hold back, and waits to be told. */
  isHeldBack = false;
  #lost = noRanges;
  #finishing = false;
  #finToSend = false;
  #finAcked = false;
  #baseAtReset = Number.POSITIVE_INFINITY;

  constructor(id: number) {
    this.id = id;
  }

  get isWritable(): boolean {
    return !this.#finishing && this.resetCode === undefined;
  }

  /** FIN has been sent, and may have to be sent again. */
  get isFinished(): boolean {
    return this.#finishing && !this.#finToSend;
  }

  /** Bytes written and never sent. */
  get unsent(): number {
    return this.resetCode !== undefined || this.isOver ? 0 : this.buffer.end - this.credit.used;
  }

  get acknowledgedBytes(): number {
    return Math.min(this.buffer.base, this.#baseAtReset);
  }

  /** Something that takes no credit of the connection: lost bytes, a bare FIN. */
  get hasUrgent(): boolean {
    return this.#lost.count > 0 || (this.#finToSend && this.unsent === 0);
  }

  get hasFresh(): boolean {
    return this.credit.left > 0 && this.unsent > 0;
  }

  get isBlocked(): boolean {
    return this.credit.left <= 0 && this.unsent > 0;
  }

  /** False: hold back. */
  write(bytes: Uint8Array, released: Released | undefined): boolean {
    this.buffer.write(bytes, released);
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
    if (this.isWritable) this.#finishing = this.#finToSend = true;
  }

  /** False if there is nothing to reset any more. */
  reset(code: number): boolean {
    if (this.isOver || this.resetCode !== undefined) return false;
    this.#baseAtReset = this.buffer.base;
    this.resetCode = code;
    this.#lost = noRanges;
    this.#finToSend = false;
    this.buffer.abandon();
    return true;
  }

  /** Writes one STREAM frame, what was lost first. Answers where it ends; `at` if there is nothing to write or no room. */
  fill(into: Uint8Array, at: number, end: number, connectionLeft: number, holder: Holder): number {
    const { buffer, credit, id } = this;
    const again = this.#lost.count > 0;
    const from = again ? this.#lost.least : credit.used;
    const wanted = again ? this.#lost.to(0) - from : Math.max(0, Math.min(this.unsent, credit.left, connectionLeft));
    const size = Math.min(wanted, end - at - streamHeadSize(id, from), 0xffff);
    const fin = this.#finToSend && from + size === buffer.end;
    if (size < 0 || (size === 0 && !fin) || (size < frameDataMin && size < wanted)) return at;
    const to = putStreamHead(into, at, id, from, size, fin);
    if (size > 0) buffer.copy(from, size, into, to);
    holder.hold(fin ? Held.streamFin : Held.stream, id, from, from + size);
    if (again) this.#lost.shift(size);
    else credit.used += size;
    if (fin) this.#finToSend = false;
    return to + size;
  }

  acknowledged(from: number, to: number, fin: boolean): void {
    if (this.resetCode !== undefined || this.isOver) return;
    this.buffer.acknowledge(from, to);
    if (this.#lost.count > 0) this.#lost.remove(from, to);
    if (fin) {
      this.#finAcked = true;
      this.#finToSend = false;
    }
    if (this.#finAcked && this.buffer.base === this.buffer.end) this.isOver = true;
  }

  lost(from: number, to: number, fin: boolean): void {
    if (this.resetCode !== undefined || this.isOver) return;
    if (fin && !this.#finAcked) this.#finToSend = true;
    const { acknowledged, base } = this.buffer;
    if (this.#lost === noRanges) this.#lost = new Ranges(sentRangesMax);
    this.#lost.add(Math.max(from, base), to);
    for (let i = 0; i < acknowledged.count && acknowledged.from(i) < to; i++) {
      this.#lost.remove(acknowledged.from(i), acknowledged.to(i));
    }
  }
}
