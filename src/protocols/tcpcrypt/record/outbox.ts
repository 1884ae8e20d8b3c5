import { limits } from "../limits.js";
import { type FrameSealer, frameOverheadMax } from "./frames.js";

interface Sending {
  readonly bytes: Uint8Array;
  readonly urgent: boolean;
}

/** The sending half: application bytes wait here until there are keys, or until it is known that there will be none. */
export class Outbox {
  readonly #data: Sending[] = [];
  /** Bytes of the first buffer that are sent. */
  #at = 0;
  #sent = 0;
  #queued = 0;
  /** Generation that our frames shall have (RFC 8548 §3.8): every step is one frame that says so. */
  #wanted = 0;
  #closing: "open" | "wanted" | "done" = "open";
  #sealer: FrameSealer | undefined;
  readonly #framesPerKeyMax: number;
  bytes = 0;

  constructor(framesPerKeyMax: number) {
    this.#framesPerKeyMax = framesPerKeyMax;
  }

  get queued(): number {
    return this.#queued;
  }

  get generation(): number {
    return this.#wanted;
  }

  get frames(): number {
    return this.#sealer?.frames ?? 0;
  }

  /** The last frame, or the last plain byte, is out. */
  get isDone(): boolean {
    return this.#closing === "done";
  }

  get hasData(): boolean {
    return this.#queued > 0;
  }

  send(bytes: Uint8Array, urgent: boolean): void {
    this.#data.push({ bytes, urgent });
    this.#queued += bytes.length;
  }

  close(): void {
    if (this.#closing === "open") this.#closing = "wanted";
  }

  keys(sealer: FrameSealer): void {
    this.#sealer = sealer;
  }

  /** One generation more. */
  rekey(): void {
    this.#wanted++;
  }

  /** Buffers whose last byte has been sent since the last call. */
  takeSent(): number {
    const sent = this.#sent;
    this.#sent = 0;
    return sent;
  }

  /** Writes the next frame, if there is one to write; `held` lets none with data go. */
  fill(into: Uint8Array, held: boolean): number {
    const sealer = this.#sealer;
    if (sealer === undefined || this.isDone) return 0;
    const hasData = this.#queued > 0 && !held;
    if (hasData && sealer.framesOfKey >= this.#framesPerKeyMax && this.#wanted === sealer.generation) this.rekey();
    const rekey = this.#wanted > sealer.generation;
    const ends = this.#closing === "wanted" && !held;
    if (!hasData && !rekey && !ends) return 0;
    const first = this.#data[0];
    const room = Math.min(limits.frameDataMax, into.length - frameOverheadMax);
    const left = hasData ? first!.bytes.length - this.#at : 0;
    // §3.7: from the frame's beginning to the last urgent byte, which may be in a later frame.
    const urgent = hasData && first!.urgent && left - 1 <= 0xffff ? left - 1 : undefined;
    const size = hasData ? this.#copy(into, sealer.dataAt(0, urgent), room, urgent !== undefined) : 0;
    const isLast = ends && this.#queued === 0;
    if (isLast) this.#closing = "done";
    this.bytes += size;
    return sealer.seal(into, 0, size, isLast, urgent, rekey);
  }

  /** Writes bytes as they are, where TCP-ENO came to plain TCP and the application wants that. */
  fillPlain(into: Uint8Array): number {
    const size = this.#queued === 0 ? 0 : this.#copy(into, 0, into.length, false);
    if (size === 0 && this.#closing === "wanted") this.#closing = "done";
    this.bytes += size;
    return size;
  }

  /** Nothing is sent any more, and nothing more is told of it. */
  abandon(): void {
    this.#data.length = 0;
    this.#queued = this.#at = this.#sent = 0;
    this.#closing = "done";
    this.#sealer?.destroy();
    this.#sealer = undefined;
  }

  /** Gathers buffers into one frame; an urgent one is not mixed with others. */
  #copy(into: Uint8Array, at: number, room: number, alone: boolean): number {
    let size = 0;
    for (let first = this.#data[0]; first !== undefined && size < room; first = this.#data[0]) {
      if (size > 0 && (alone || first.urgent)) break;
      const part = Math.min(room - size, first.bytes.length - this.#at);
      const whole = this.#at === 0 && part === first.bytes.length;
      into.set(whole ? first.bytes : first.bytes.subarray(this.#at, this.#at + part), at + size);
      size += part;
      this.#at += part;
      if (this.#at < first.bytes.length) break;
      this.#data.shift();
      this.#at = 0;
      this.#sent++;
    }
    this.#queued -= size;
    return size;
  }
}
