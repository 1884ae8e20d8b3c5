import { SendBuffer } from "../../../mechanisms/streams/send-buffer.js";
import { windowFirst } from "../limits.js";

/** A connection of the tunnel's (§4.1): two streams of bytes, in the order of the tunnel. Connection 0 is the tunnel's own. */
export class Stream {
  readonly id: number;
  readonly byPeer: boolean;
  /** y: the type of service. */
  readonly service: string;
  /** U, if its owner has proved it. */
  readonly user: Uint8Array | undefined;
  priority: number;

  // Our direction
  readonly buffer = new SendBuffer();
  /** Behind the last byte that a segment was cut of. */
  cutTo = 0;
  /** How far the peer lets us go. */
  window = windowFirst;
  isFinished = false;
  endCut = false;
  endAcknowledged = false;
  /** The writer was told to hold back. */
  wantsDrain = false;

  // The peer's direction
  received = 0;
  /** How far we let the peer go. */
  granted = windowFirst;
  /** Bytes that the application has been given, or did not want. */
  delivered = 0;
  readonly waiting: Uint8Array[] = [];
  isPaused = false;
  /** What comes is not wanted. */
  isStopped = false;
  isEnded = false;
  endTold = false;
  /** The application has not said yet whether it may be: nothing of it is told. */
  isUndecided = false;

  constructor(id: number, byPeer: boolean, service: string, user: Uint8Array | undefined, priority: number) {
    this.id = id;
    this.byPeer = byPeer;
    this.service = service;
    this.user = user;
    this.priority = priority;
  }

  /** Bytes written and never sent. */
  get unsent(): number {
    return this.buffer.end - this.cutTo;
  }

  /** Is there something that a segment could take? */
  get isReady(): boolean {
    if (this.unsent > 0) return this.cutTo < this.window;
    return this.isFinished && !this.endCut;
  }

  get isOver(): boolean {
    // The end may have come before bytes that were lost on the way.
    return this.endAcknowledged && this.buffer.base >= this.buffer.end && this.endTold;
  }
}
