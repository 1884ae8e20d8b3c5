import type { StreamDirection } from "../../../contract/index.js";
import type { Level, Scheduled } from "../../../mechanisms/streams/schedule.js";
import type { ReceivePart } from "./receive-part.js";
import type { SendPart } from "./send-part.js";

/** Frames of a stream that wait to be written, in bits. */
export const Pending = { reset: 1, stopSending: 2, maxData: 4, dataBlocked: 8 } as const;

/** One stream: its number, its parts, and its place in the schedule. */
export class Stream implements Scheduled {
  readonly id: number;
  readonly direction: StreamDirection;
  readonly byPeer: boolean;
  /** Absent on streams that only the peer writes to; `receive` on those that only we do. */
  readonly send: SendPart | undefined;
  readonly receive: ReceivePart | undefined;
  /** Lower goes first. */
  priority: number;
  /** It may send as 0-RTT. */
  readonly early: boolean;
  /** Bits of `Pending`. */
  pending = 0;
  /** Which schedule it is in. */
  queue: "urgent" | "fresh" | undefined;
  level: Level | undefined;
  next: Scheduled = this;
  previous: Scheduled = this;

  constructor(
    id: number,
    byPeer: boolean,
    parts: { readonly send: SendPart | undefined; readonly receive: ReceivePart | undefined },
    priority: number,
    early: boolean,
  ) {
    this.id = id;
    this.byPeer = byPeer;
    this.direction = isUnidirectional(id) ? "unidirectional" : "bidirectional";
    this.send = parts.send;
    this.receive = parts.receive;
    this.priority = priority;
    this.early = early;
  }

  get isOver(): boolean {
    return (this.send?.isOver ?? true) && (this.receive?.isOver ?? true);
  }
}

/** RFC 9000 §2.1: the two lowest bits of a stream's id. */
export const isUnidirectional = (id: number): boolean => id % 4 >= 2;
export const isByServer = (id: number): boolean => id % 2 === 1;
