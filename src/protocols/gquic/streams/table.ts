import { NumberMap } from "../../../mechanisms/number-map.js";
import { priorityDefault, streamWindowMaxDefault } from "../../../mechanisms/streams/limits.js";
import { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { ReceivePart } from "./receive-part.js";
import { SendPart } from "./send-part.js";
import { Stream } from "./stream.js";

/** What one side lets the other do: CFCW, SFCW and MIDS of its hello. */
export interface StreamLimits {
  readonly connectionWindow: number;
  readonly streamWindow: number;
  /** Streams that the other may have open at a time. */
  readonly streams: number;
}

/** How many more than MIDS a peer may seem to have open: it has not heard yet which are over (as Chromium has it). */
const leewayFactor = 1.1;
const leewayMin = 10;

/** All streams of a connection that are not over, and who may open how many. */
export class StreamTable {
  /** Opened by the peer in the last `find`. */
  created: Stream | undefined;
  /** Streams of ours that wait until the peer lets us open more, in the order of their ids. */
  readonly #waiting: Stream[] = [];
  readonly #streams = new NumberMap<Stream>();
  readonly #ours: StreamLimits;
  readonly #windowMax: number;
  readonly #peersMax: number;
  #theirs: StreamLimits | undefined;
  #nextOwn: number;
  /** One more than the greatest id of the peer's. */
  #peerNext: number;
  readonly #skipped = new Set<number>();
  #open = 0;
  #peersOpen = 0;

  constructor(isClient: boolean, firstClient: number, ours: StreamLimits, windowMax: number = streamWindowMaxDefault) {
    this.#ours = ours;
    this.#windowMax = windowMax;
    // A client's first is 3 in every version: a negotiation may change the version, and not what has its number already.
    this.#nextOwn = isClient ? 3 : 2;
    this.#peerNext = isClient ? 2 : firstClient;
    this.#peersMax = Math.max(Math.floor(ours.streams * leewayFactor), ours.streams + leewayMin);
  }

  get size(): number {
    return this.#streams.size;
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  values(): readonly Stream[] {
    return this.#streams.values();
  }

  setPeerLimits(theirs: StreamLimits): void {
    this.#theirs = theirs;
    for (const stream of this.#streams.values()) stream.send.credit.raise(theirs.streamWindow);
  }

  /** A new stream of ours. It has its number at once, and waits for the peer's limit if it must. */
  open(priority: number, early: boolean): Stream {
    const stream = this.#add(this.#nextOwn, false, priority, early);
    this.#nextOwn += 2;
    this.#waiting.push(stream);
    return stream;
  }

  /** The next stream of ours that the peer lets us use now, if one waits. */
  permit(): Stream | undefined {
    if (this.#theirs === undefined || this.#open >= this.#theirs.streams) return undefined;
    const stream = this.#waiting.shift();
    if (stream === undefined) return undefined;
    this.#open++;
    stream.isPermitted = true;
    return stream;
  }

  /** The stream that a frame is about; undefined if it is over. Refuses ids that cannot be. */
  find(id: number, at: string): Stream | undefined {
    this.created = undefined;
    const stream = this.#streams.get(id);
    if (stream !== undefined) return stream;
    if (id === 0) refuse("stream-id", at, "there is no stream 0");
    const byPeer = id % 2 === this.#peerNext % 2;
    if (!byPeer) {
      if (id >= this.#nextOwn) refuse("stream-id", at, `stream ${id} is ours, and was never opened`);
      return undefined;
    }
    if (id < this.#peerNext && !this.#skipped.delete(id)) return undefined;
    if (this.#peersOpen >= this.#peersMax) refuse("stream-limit", at, `more than ${this.#peersMax} streams at a time`);
    if (id >= this.#peerNext) {
      const skipped = (id - this.#peerNext) / 2;
      if (this.#skipped.size + skipped > limits.skippedStreamsMax) {
        refuse("skipped-streams", at, `stream ${id} leaves out ${skipped}`);
      }
      for (let each = this.#peerNext; each < id; each += 2) this.#skipped.add(each);
      this.#peerNext = id + 2;
    }
    this.#peersOpen++;
    return (this.created = this.#add(id, true, priorityDefault, false));
  }

  remove(stream: Stream): void {
    if (!this.#streams.delete(stream.id)) return;
    if (stream.byPeer) this.#peersOpen--;
    else if (stream.isPermitted) this.#open--;
    else this.#waiting.splice(this.#waiting.indexOf(stream), 1);
  }

  clear(): void {
    this.#streams.clear();
    this.#waiting.length = 0;
  }

  #add(id: number, byPeer: boolean, priority: number, early: boolean): Stream {
    const send = new SendPart(id);
    if (this.#theirs !== undefined) send.credit.raise(this.#theirs.streamWindow);
    const receive = new ReceivePart(new ReceiveWindow(this.#ours.streamWindow, this.#windowMax));
    const stream = new Stream(id, byPeer, send, receive, priority, early);
    this.#streams.set(id, stream);
    return stream;
  }
}
