import type { Level, Scheduled } from "../../../mechanisms/streams/schedule.js";
import type { ReceivePart } from "./receive-part.js";
import type { SendPart } from "./send-part.js";

/** Frames of a stream that wait to be written, in bits. */
export const Pending = { reset: 1, windowUpdate: 2, blocked: 4 } as const;

/** RST_STREAM's codes that are sent here (QuicRstStreamErrorCode). */
export const rstCodes = { cancelled: 6, acknowledged: 9 } as const;

/** One stream, which always has two directions: its number, its parts, and its place in the schedule. */
export class Stream implements Scheduled {
  readonly id: number;
  readonly byPeer: boolean;
  readonly send: SendPart;
  readonly receive: ReceivePart;
  /** Lower goes first. */
  priority: number;
  /** It may send under initial keys. */
  readonly early: boolean;
  /** The peer lets us use it. */
  isPermitted: boolean;
  /** Bits of `Pending`. */
  pending = 0;
  /** RST_STREAM under way, whose arrival ends what was finished already. */
  isCancelled = false;
  queue: "urgent" | "fresh" | undefined;
  level: Level | undefined;
  next: Scheduled = this;
  previous: Scheduled = this;

  constructor(id: number, byPeer: boolean, send: SendPart, receive: ReceivePart, priority: number, early: boolean) {
    this.id = id;
    this.byPeer = byPeer;
    this.send = send;
    this.receive = receive;
    this.priority = priority;
    this.early = early;
    this.isPermitted = byPeer;
  }

  get isOver(): boolean {
    return this.send.isOver && this.receive.isOver;
  }
}
