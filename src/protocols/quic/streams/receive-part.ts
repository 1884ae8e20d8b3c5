import type { Instant } from "../../../contract/index.js";
import { Reassembly } from "../../../mechanisms/streams/reassembly.js";
import type { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import { refuse } from "../failure.js";
import { type ReceiveState, stepReceiving } from "./lifecycle.js";

/** The receiving part of a stream (RFC 9000 §3.2): puts bytes in order and holds the peer to its word. */
export class ReceivePart {
  state: ReceiveState = "receive";
  readonly window: ReceiveWindow;
  /** Where the stream ends, once it is known (§4.5). */
  finalSize: number | undefined;
  /** Bytes told to the application. */
  readAt = 0;
  /** The application wants no bytes now. */
  isPaused = false;
  /** Code of STOP_SENDING: nothing is told any more. */
  stopCode: number | undefined;
  /** Bytes of the last frame, in order, if they were next: a view of the packet. */
  direct: Uint8Array | undefined;
  /** Only of a stream of which something came out of order. */
  #waiting: Reassembly | undefined;

  constructor(window: ReceiveWindow) {
    this.window = window;
  }

  get isOver(): boolean {
    return this.state === "dataRead" || this.state === "resetRead";
  }

  /** The peer may still send something new. */
  get isOpen(): boolean {
    return this.state === "receive";
  }

  get received(): number {
    return this.window.received;
  }

  /**
   * Takes a STREAM frame's bytes. What may be told at once is in `direct` and comes from `next`; all else is copied.
   * @returns by how much the greatest offset grew, for the connection's flow control, which has `connectionLeft`
   */
  receive(offset: number, bytes: Uint8Array, fin: boolean, connectionLeft: number): number {
    const end = offset + bytes.length;
    const grown = this.#measure(end, fin ? end : undefined, connectionLeft, "STREAM");
    this.direct = undefined;
    if (this.state !== "receive" && this.state !== "sizeKnown") return grown;
    if (fin) this.state = stepReceiving(this.state, "receiveFin");
    if (this.stopCode !== undefined) this.readAt = Math.max(this.readAt, end);
    else if (end > this.readAt && bytes.length > 0) this.#take(offset, bytes);
    this.#settle();
    return grown;
  }

  /** Takes RESET_STREAM. @returns as `receive` */
  reset(finalSize: number, connectionLeft: number): number {
    const grown = this.#measure(finalSize, finalSize, connectionLeft, "RESET_STREAM");
    this.state = stepReceiving(this.state, "receiveReset");
    if (this.state === "resetReceived") this.#waiting = undefined;
    return grown;
  }

  /** The next bytes to be told, in order; undefined if there are none, or they are not wanted. */
  next(): Uint8Array | undefined {
    if (this.isPaused || this.stopCode !== undefined) return undefined;
    const bytes = this.direct ?? this.#waiting?.take(this.readAt);
    this.direct = undefined;
    if (bytes === undefined) return undefined;
    this.readAt += bytes.length;
    this.#settle();
    return bytes;
  }

  /** The application has been told of the end, or of the reset. */
  told(): void {
    this.state = stepReceiving(this.state, this.state === "resetReceived" ? "resetRead" : "allRead");
  }

  /** All has been told: only the end remains. */
  get isAtEnd(): boolean {
    return this.state === "dataReceived" && this.readAt === this.finalSize && !this.isPaused;
  }

  /** Nothing is told from now on; what was received counts as read, so that others may use the credit. */
  stop(code: number): void {
    this.stopCode = code;
    this.#waiting = undefined;
    this.direct = undefined;
    this.readAt = this.received;
    this.#settle();
  }

  /** Bytes that count as taken, though the application will never see them. @returns how many */
  skip(): number {
    return Math.max(0, this.received - this.window.consumed);
  }

  consumed(bytes: number, rttMs: number, now: Instant): boolean {
    return this.window.consume(bytes, rttMs, now);
  }

  get heldBytes(): number {
    return this.#waiting?.held ?? 0;
  }

  #take(offset: number, bytes: Uint8Array): void {
    const fresh = offset < this.readAt ? bytes.subarray(this.readAt - offset) : bytes;
    if (offset <= this.readAt && !this.isPaused) this.direct = fresh;
    else if (!(this.#waiting ??= new Reassembly()).store(Math.max(offset, this.readAt), fresh)) {
      refuse("stream-fragmentation", "STREAM", "more gaps in a stream than a peer that loses packets leaves");
    }
  }

  /** Final size (§4.5) and limits (§4.1). */
  #measure(end: number, finalSize: number | undefined, connectionLeft: number, at: string): number {
    const known = this.finalSize;
    if (known !== undefined && (end > known || (finalSize !== undefined && finalSize !== known))) {
      refuse("final-size", at, `the stream was to end at ${known} and goes on to ${end}`);
    }
    if (finalSize !== undefined && finalSize < this.received) {
      refuse("final-size", at, `the stream ends at ${finalSize}, before ${this.received}, which has come`);
    }
    if (end > this.window.limit)
      refuse("flow-control", at, `${end} is beyond the stream's limit, ${this.window.limit}`);
    const grown = Math.max(0, end - this.received);
    if (grown > connectionLeft)
      refuse("flow-control", at, `${grown} bytes more, and the connection has ${connectionLeft}`);
    this.window.received += grown;
    if (finalSize !== undefined) this.finalSize = finalSize;
    return grown;
  }

  #settle(): void {
    if (this.state !== "sizeKnown") return;
    const ahead = this.readAt + (this.direct?.length ?? 0);
    if (ahead === this.finalSize || this.#waiting?.reaches(ahead, this.finalSize!)) {
      this.state = stepReceiving(this.state, "allReceived");
    }
  }
}
