import { Reassembly } from "../../../mechanisms/streams/reassembly.js";
import type { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import { refuse } from "../failure.js";

/** The receiving part of a stream: puts bytes in order and holds the peer to its word. */
export class ReceivePart {
  readonly window: ReceiveWindow;
  /** Where the stream ends, once it is known. */
  finalOffset: number | undefined;
  /** Bytes told to the application. */
  readAt = 0;
  isPaused = false;
  /** The application reads no more. */
  isStopped = false;
  /** Code of the peer's RST_STREAM. */
  resetCode: number | undefined;
  /** The end, or the reset, has been told. */
  isOver = false;
  /** Bytes of the last frame, in order, if they were next: a view of the packet. */
  direct: Uint8Array | undefined;
  #waiting: Reassembly | undefined;

  constructor(window: ReceiveWindow) {
    this.window = window;
  }

  /** The peer may still send something new. */
  get isOpen(): boolean {
    return this.finalOffset === undefined;
  }

  /**
   * Takes a STREAM frame's bytes. What may be told at once is in `direct` and comes from `next`; all else is copied.
   * @returns by how much the greatest offset grew, for the connection's flow control, which has `connectionLeft`
   */
  receive(offset: number, bytes: Uint8Array, fin: boolean, connectionLeft: number): number {
    const end = offset + bytes.length;
    const grown = this.#measure(end, fin ? end : undefined, connectionLeft, "STREAM");
    this.direct = undefined;
    if (this.isOver || this.resetCode !== undefined) return grown;
    if (this.isStopped) this.readAt = Math.max(this.readAt, end);
    else if (end > this.readAt && bytes.length > 0) this.#take(offset, bytes);
    return grown;
  }

  /** Takes RST_STREAM. @returns as `receive` */
  reset(code: number, finalOffset: number, connectionLeft: number): number {
    const grown = this.#measure(finalOffset, finalOffset, connectionLeft, "RST_STREAM");
    if (!this.isOver) this.resetCode ??= code;
    this.#waiting = undefined;
    return grown;
  }

  /** The next bytes to be told, in order; undefined if there are none, or they are not wanted. */
  next(): Uint8Array | undefined {
    if (this.isPaused || this.isStopped || this.resetCode !== undefined) return undefined;
    const bytes = this.direct ?? this.#waiting?.take(this.readAt);
    this.direct = undefined;
    if (bytes !== undefined) this.readAt += bytes.length;
    return bytes;
  }

  /** All has been told: only the end remains. */
  get isAtEnd(): boolean {
    return !this.isOver && this.resetCode === undefined && this.readAt === this.finalOffset && !this.isPaused;
  }

  /** Nothing is told from now on; what was received counts as read, so that others may use the credit. */
  stop(): void {
    this.isStopped = true;
    this.#waiting = this.direct = undefined;
    this.readAt = this.window.received;
  }

  /** Bytes that count as taken, though the application will never see them. */
  skip(): number {
    return Math.max(0, this.window.received - this.window.consumed);
  }

  #take(offset: number, bytes: Uint8Array): void {
    const fresh = offset < this.readAt ? bytes.subarray(this.readAt - offset) : bytes;
    if (offset <= this.readAt && !this.isPaused) this.direct = fresh;
    else if (!(this.#waiting ??= new Reassembly()).store(Math.max(offset, this.readAt), fresh)) {
      refuse("stream-fragmentation", "STREAM", "more gaps in a stream than a peer that loses packets leaves");
    }
  }

  #measure(end: number, finalOffset: number | undefined, connectionLeft: number, at: string): number {
    const { window } = this;
    const known = this.finalOffset;
    if (known !== undefined && (end > known || (finalOffset !== undefined && finalOffset !== known))) {
      refuse("final-offset", at, `the stream was to end at ${known} and goes on to ${end}`);
    }
    if (finalOffset !== undefined && finalOffset < window.received) {
      refuse("final-offset", at, `the stream ends at ${finalOffset}, before ${window.received}, which has come`);
    }
    if (end > window.limit) refuse("flow-control", at, `${end} is beyond the stream's limit, ${window.limit}`);
    const grown = Math.max(0, end - window.received);
    if (grown > connectionLeft)
      refuse("flow-control", at, `${grown} bytes more, and the connection has ${connectionLeft}`);
    window.received += grown;
    if (finalOffset !== undefined) this.finalOffset = finalOffset;
    return grown;
  }
}
