import type { StreamDirection } from "../../../contract/index.js";
import { NumberMap } from "../../../mechanisms/number-map.js";
import { priorityDefault, streamWindowMaxDefault } from "../../../mechanisms/streams/limits.js";
import { ReceiveWindow } from "../../../mechanisms/streams/receive-window.js";
import { refuse } from "../failure.js";
import { ReceivePart } from "./receive-part.js";
import { SendPart } from "./send-part.js";
import { isByServer, isUnidirectional, Stream } from "./stream.js";

/** Initial limits, as transport parameters state them (RFC 9000 §18.2). Sizes are in bytes. */
export interface StreamLimits {
  readonly maxData: number;
  /** Of bidirectional streams that the stater of the limits opens; that its peer opens; of unidirectional ones. */
  readonly maxStreamDataBidiLocal: number;
  readonly maxStreamDataBidiRemote: number;
  readonly maxStreamDataUni: number;
  readonly maxStreamsBidi: number;
  readonly maxStreamsUni: number;
}

/** Streams of one kind that the peer opens (RFC 9000 §4.6). */
class PeerStreams {
  /** Indices below have been opened. */
  opened = 0;
  over = 0;
  /** What the peer has been told, or is about to be. */
  limit: number;
  readonly atATime: number;

  constructor(atATime: number) {
    this.limit = this.atATime = atATime;
  }

  /** One is over. True if the peer should hear of a new limit. */
  closed(): boolean {
    this.over++;
    if (this.over + this.atATime - this.limit < this.atATime / 2) return false;
    this.limit = this.over + this.atATime;
    return true;
  }
}

/** Streams of one kind that we open. */
export class OwnStreams {
  opened = 0;
  limit = 0;
  /** The limit of which the peer has been told that it holds us back. */
  toldAt = -1;
}

/** All streams of a connection that are not over, and who may open how many. */
export class StreamTable {
  readonly own: Readonly<Record<StreamDirection, OwnStreams>> = {
    bidirectional: new OwnStreams(),
    unidirectional: new OwnStreams(),
  };
  readonly peers: Readonly<Record<StreamDirection, PeerStreams>>;
  /** Opened by the peer in the last `find`, in the order of their ids. */
  readonly created: Stream[] = [];
  readonly #streams = new NumberMap<Stream>();
  readonly #isClient: boolean;
  readonly #ours: StreamLimits;
  readonly #windowMax: number;
  #theirs: StreamLimits | undefined;

  constructor(isClient: boolean, ours: StreamLimits, windowMax: number = streamWindowMaxDefault) {
    this.#isClient = isClient;
    this.#ours = ours;
    this.#windowMax = windowMax;
    this.peers = {
      bidirectional: new PeerStreams(ours.maxStreamsBidi),
      unidirectional: new PeerStreams(ours.maxStreamsUni),
    };
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

  /** Takes the peer's limits: of all streams that are there, and of those to come. */
  setPeerLimits(theirs: StreamLimits): void {
    this.#theirs = theirs;
    const { bidirectional, unidirectional } = this.own;
    bidirectional.limit = Math.max(bidirectional.limit, theirs.maxStreamsBidi);
    unidirectional.limit = Math.max(unidirectional.limit, theirs.maxStreamsUni);
    for (const stream of this.#streams.values()) stream.send?.credit.raise(this.#initialCredit(stream.id));
  }

  /** Rejected 0-RTT: limits that were remembered do not hold. */
  forgetPeerLimits(): void {
    this.#theirs = undefined;
    for (const own of Object.values(this.own)) {
      own.limit = 0;
      own.toldAt = -1;
    }
  }

  /** A new stream of ours. It has its number at once, and waits for the peer's limit if it must. */
  open(direction: StreamDirection, priority: number, early: boolean): Stream {
    return this.#add(this.ownId(direction, this.own[direction].opened++), false, priority, early);
  }

  /** Id of our nth stream of that kind, counted from 0 (§2.1). */
  ownId(direction: StreamDirection, index: number): number {
    return 4 * index + (direction === "unidirectional" ? 2 : 0) + (this.#isClient ? 0 : 1);
  }

  /** Does the peer let us use this stream of ours? */
  isPermitted(stream: Stream): boolean {
    return stream.byPeer || Math.floor(stream.id / 4) < this.own[stream.direction].limit;
  }

  /**
   * The stream that a frame is about. Undefined if it is over: then the frame means nothing any more. Opens the peer's
   * streams up to it (§3.2). Refuses ids that cannot be: beyond the limit, of ours and never opened, or without that part.
   */
  find(id: number, part: "send" | "receive", at: string): Stream | undefined {
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      if (stream[part] === undefined) refuse("stream-state", at, `stream ${id} has no such direction`);
      return stream;
    }
    const byPeer = isByServer(id) === this.#isClient;
    const direction = isUnidirectional(id) ? "unidirectional" : "bidirectional";
    if (direction === "unidirectional" && byPeer === (part === "send")) {
      refuse("stream-state", at, `stream ${id} has no such direction`);
    }
    const index = Math.floor(id / 4);
    if (!byPeer) {
      if (index >= this.own[direction].opened) refuse("stream-state", at, `stream ${id} is ours, and was never opened`);
      return undefined;
    }
    const peers = this.peers[direction];
    if (index >= peers.limit) refuse("stream-limit", at, `stream ${id} is beyond the limit, ${peers.limit}`);
    if (index < peers.opened) return undefined;
    while (peers.opened <= index) {
      const opened = 4 * peers.opened++ + (id % 4);
      this.created.push(this.#add(opened, true, priorityDefault, false));
    }
    return this.#streams.get(id);
  }

  /** It is over. True if the peer may now open more, and should hear of it. */
  remove(stream: Stream): boolean {
    this.#streams.delete(stream.id);
    return stream.byPeer && this.peers[stream.direction].closed();
  }

  clear(): void {
    this.#streams.clear();
  }

  #add(id: number, byPeer: boolean, priority: number, early: boolean): Stream {
    const isUni = isUnidirectional(id);
    const send = isUni && byPeer ? undefined : new SendPart(id);
    const receive = isUni && !byPeer ? undefined : new ReceivePart(this.#window(isUni, byPeer));
    send?.credit.raise(this.#initialCredit(id));
    const stream = new Stream(id, byPeer, { send, receive }, priority, early);
    this.#streams.set(id, stream);
    return stream;
  }

  #window(isUni: boolean, byPeer: boolean): ReceiveWindow {
    const { maxStreamDataUni, maxStreamDataBidiLocal, maxStreamDataBidiRemote } = this.#ours;
    const size = isUni ? maxStreamDataUni : byPeer ? maxStreamDataBidiRemote : maxStreamDataBidiLocal;
    return new ReceiveWindow(size, this.#windowMax);
  }

  /** What the peer's parameters let us send on a stream; "local" there means opened by the peer. */
  #initialCredit(id: number): number {
    if (this.#theirs === undefined) return 0;
    if (isUnidirectional(id)) return this.#theirs.maxStreamDataUni;
    const byPeer = isByServer(id) === this.#isClient;
    return byPeer ? this.#theirs.maxStreamDataBidiLocal : this.#theirs.maxStreamDataBidiRemote;
  }
}
