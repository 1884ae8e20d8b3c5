import { putVarint, varintSize } from "../../../bytes/index.js";
import type { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import type { SendCredit } from "../../../mechanisms/streams/send-credit.js";
import { Held, type Holder } from "../contents.js";
import { FrameType } from "../wire/frame-types.js";
import { stepSending } from "./lifecycle.js";
import { Pending, type Stream } from "./stream.js";
import type { StreamTable } from "./table.js";

/** Frames of the connection's flow control that wait to be written, in bits. */
export const Wanted = {
  maxData: 1,
  dataBlocked: 2,
  maxStreamsBidi: 4,
  maxStreamsUni: 8,
  streamsBlockedBidi: 16,
  streamsBlockedUni: 32,
} as const;

/**
 * The small frames of streams and flow control: which are wanted, and their writing. Each says what holds at the moment at
 * which it is written, so a frame that waited, or was lost, is never out of date (RFC 9000 §13.3).
 */
export class Control {
  readonly #table: StreamTable;
  readonly #window: ReceiveWindow;
  readonly #credit: SendCredit;
  readonly #streams = new Set<Stream>();
  #wanted = 0;

  constructor(table: StreamTable, window: ReceiveWindow, credit: SendCredit) {
    this.#table = table;
    this.#window = window;
    this.#credit = credit;
  }

  get isEmpty(): boolean {
    return this.#wanted === 0 && this.#streams.size === 0;
  }

  /** @param bits of `Wanted` */
  want(bits: number): void {
    this.#wanted |= bits;
  }

  /** @param bits of `Pending` */
  wantOf(stream: Stream, bits: number): void {
    stream.pending |= bits;
    this.#streams.add(stream);
  }

  forget(stream: Stream): void {
    stream.pending = 0;
    this.#streams.delete(stream);
  }

  clear(): void {
    this.#wanted = 0;
    this.#streams.clear();
  }

  /** Writes what fits between `at` and `end`, and answers where it ends. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    if (this.#wanted !== 0) to = this.#fillConnection(into, to, end, holder);
    for (const stream of this.#streams) {
      // The peer does not let us mention it yet (§4.6): it comes back when its time comes.
      if (!this.#table.isPermitted(stream)) {
        this.#streams.delete(stream);
        continue;
      }
      to = this.#fillStream(stream, into, to, end, holder);
      if (stream.pending !== 0) return to;
      this.#streams.delete(stream);
    }
    return to;
  }

  #fillConnection(into: Uint8Array, at: number, end: number, holder: Holder): number {
    const { bidirectional, unidirectional } = this.#table.peers;
    const { own } = this.#table;
    let to = at;
    const row = (bit: number, type: number, held: number, value: number): void => {
      if ((this.#wanted & bit) === 0 || to + 1 + varintSize(value) > end) return;
      to = frame(into, to, type, value);
      holder.hold(held, 0, 0, value);
      this.#wanted &= ~bit;
    };
    row(Wanted.maxData, FrameType.maxData, Held.maxData, this.#window.limit);
    row(Wanted.dataBlocked, FrameType.dataBlocked, Held.dataBlocked, this.#credit.limit);
    row(Wanted.maxStreamsBidi, FrameType.maxStreamsBidi, Held.maxStreamsBidi, bidirectional.limit);
    row(Wanted.maxStreamsUni, FrameType.maxStreamsUni, Held.maxStreamsUni, unidirectional.limit);
    row(Wanted.streamsBlockedBidi, FrameType.streamsBlockedBidi, Held.streamsBlockedBidi, own.bidirectional.limit);
    row(Wanted.streamsBlockedUni, FrameType.streamsBlockedUni, Held.streamsBlockedUni, own.unidirectional.limit);
    return to;
  }

  /** Stops at the first that does not fit: its bit stays. */
  #fillStream(stream: Stream, into: Uint8Array, at: number, end: number, holder: Holder): number {
    const { id, send, receive } = stream;
    let to = at;
    if ((stream.pending & Pending.reset) !== 0 && send !== undefined) {
      const size = send.credit.used;
      if (to + 1 + varintSize(id) + varintSize(send.resetCode) + varintSize(size) > end) return to;
      to = putVarint(into, frame(into, to, FrameType.resetStream, id, send.resetCode), size);
      holder.hold(Held.resetStream, id, 0, size);
    }
    stream.pending &= ~Pending.reset;
    if ((stream.pending & Pending.stopSending) !== 0 && receive !== undefined) {
      const code = receive.stopCode ?? 0;
      if (to + 1 + varintSize(id) + varintSize(code) > end) return to;
      to = frame(into, to, FrameType.stopSending, id, code);
      holder.hold(Held.stopSending, id, 0, code);
    }
    stream.pending &= ~Pending.stopSending;
    // Only while more may come (§3.3).
    if ((stream.pending & Pending.maxData) !== 0 && receive?.isOpen) {
      const { limit } = receive.window;
      if (to + 1 + varintSize(id) + varintSize(limit) > end) return to;
      to = frame(into, to, FrameType.maxStreamData, id, limit);
      holder.hold(Held.maxStreamData, id, 0, limit);
    }
    stream.pending &= ~Pending.maxData;
    if ((stream.pending & Pending.dataBlocked) !== 0 && send?.isBlocked) {
      const { limit } = send.credit;
      if (to + 1 + varintSize(id) + varintSize(limit) > end) return to;
      to = frame(into, to, FrameType.streamDataBlocked, id, limit);
      send.state = stepSending(send.state, "sendData");
      holder.hold(Held.streamDataBlocked, id, 0, limit);
    }
    stream.pending = 0;
    return to;
  }
}

/** A frame that is a type and one or two integers. */
function frame(into: Uint8Array, at: number, type: number, first: number, second?: number): number {
  into[at] = type;
  const to = putVarint(into, at + 1, first);
  return second === undefined ? to : putVarint(into, to, second);
}
