import type { SentContents } from "../../../mechanisms/recovery/index.js";
import { SendBuffer } from "../../../mechanisms/streams/send-buffer.js";
import { limits } from "../limits.js";
import { type ControlRpc, encodeControl, rpcHeadSize, writeRpcHead } from "../wire/rpc.js";
import { endPiece, Segments } from "./segments.js";
import type { Stream } from "./stream.js";

/** An RPC that ends a connection's stream: its head, its code, the connection. */
const closeSize = rpcHeadSize + 5;
/** A segment has no more of them than one byte would count. */
const piecesMax = 255;

/** What outgoing segments tell of. */
export interface Acknowledged {
  /** The next writes of the stream are the writer's again. */
  streamAcknowledged(stream: Stream): void;
}

/**
 * The sending half of a tunnel: RPCs of the control connection and bytes of all others, cut into segments of whole RPCs (§4.1).
 * Control RPCs go before data, and the end of a stream behind its bytes; a segment is sent again as it was.
 */
export class Outgoing implements SentContents {
  readonly segments = new Segments();
  readonly streams = new Map<number, Stream>();
  /** The segment that `choose` chose. */
  segment = -1;
  retransmissions = 0;
  bytesSent = 0;
  readonly #tell: Acknowledged;
  readonly #control = new SendBuffer();
  /** Lengths of control RPCs that no segment holds yet. */
  readonly #lengths: number[] = [];
  #controlCut = 0;
  readonly #ready = new Set<Stream>();

  constructor(tell: Acknowledged) {
    this.#tell = tell;
  }

  /** False if too many wait: the peer takes no answers. */
  control(rpc: ControlRpc): boolean {
    const bytes = encodeControl(rpc);
    if (this.#control.end - this.#control.base + bytes.length > limits.controlQueueMax) return false;
    this.#control.write(bytes, undefined);
    this.#lengths.push(bytes.length);
    return true;
  }

  /** It may have something to send now. */
  touch(stream: Stream): void {
    if (stream.isReady) this.#ready.add(stream);
  }

  forget(stream: Stream): void {
    this.streams.delete(stream.id);
    this.#ready.delete(stream);
  }

  get hasNew(): boolean {
    return this.#lengths.length > 0 || this.#ready.size > 0;
  }

  get hasSomething(): boolean {
    return this.segments.lost > 0 || (this.hasNew && this.segments.count < limits.segmentsMax);
  }

  /** Everything was acknowledged. */
  get isSettled(): boolean {
    return this.segments.count === 0 && !this.hasNew;
  }

  /** Has the segment that is next so much room? A new one is cut to it. */
  fits(room: number): boolean {
    const { segments } = this;
    if (segments.lost === 0) return true;
    const segment = segments.firstLost();
    let size = 0;
    const to = segments.pieceTo(segment);
    for (let piece = segments.pieceFrom(segment); piece < to; piece++) {
      const bytes = segments.size(piece);
      if (bytes === endPiece) size += closeSize;
      else size += bytes + (segments.connection(piece) === 0 ? 0 : rpcHeadSize);
    }
    return size <= room;
  }

  /** Chooses the next segment, of at most so many bytes if it is a new one; only if `hasSomething`. */
  choose(room: number): void {
    if (this.segments.lost > 0) {
      this.segment = this.segments.takeLost();
      this.retransmissions++;
      return;
    }
    this.segment = this.segments.begin();
    const left = this.#cutControl(room);
    if (this.#lengths.length === 0) this.#cutStreams(left);
  }

  /** Writes the chosen segment's RPCs; answers where they end. */
  write(into: Uint8Array, at: number): number {
    const { segments, segment } = this;
    let next = at;
    const to = segments.pieceTo(segment);
    for (let piece = segments.pieceFrom(segment); piece < to; piece++) {
      const id = segments.connection(piece);
      const offset = segments.offset(piece);
      const size = segments.size(piece);
      if (id === 0) {
        this.#control.copy(offset, size, into, next);
        next += size;
        continue;
      }
      const stream = this.streams.get(id);
      if (stream === undefined) {
        // Refused meanwhile. An RPC that says nothing keeps its place, for the segment must not become empty.
        next = writeRpcHead(into, next, id, 0);
      } else if (size === endPiece) {
        into.set(encodeControl({ f: "close", c: id }), next);
        next += closeSize;
      } else {
        next = writeRpcHead(into, next, id, size);
        stream.buffer.copy(offset, size, into, next);
        next += size;
      }
    }
    return next;
  }

  acknowledged(_space: number, _kind: number, segment: number): void {
    const { segments } = this;
    if (!segments.acknowledge(segment)) return;
    const to = segments.pieceTo(segment);
    for (let piece = segments.pieceFrom(segment); piece < to; piece++) {
      const id = segments.connection(piece);
      const offset = segments.offset(piece);
      const size = segments.size(piece);
      if (id === 0) {
        this.#control.acknowledge(offset, offset + size);
        while (this.#control.letGo()) {}
        continue;
      }
      const stream = this.streams.get(id);
      if (stream === undefined) continue;
      if (size === endPiece) stream.endAcknowledged = true;
      else stream.buffer.acknowledge(offset, offset + size);
      this.#tell.streamAcknowledged(stream);
    }
    segments.forget();
  }

  lost(_space: number, _kind: number, segment: number): void {
    this.segments.lose(segment);
  }

  /** All segments before this one have come. */
  acknowledgedBelow(segment: number): void {
    for (let each = this.segments.first; each < segment; each++) this.acknowledged(0, 0, each);
  }

  #cutControl(room: number): number {
    let left = room;
    let size = 0;
    let count = 0;
    while (count < this.#lengths.length && this.#lengths[count]! <= left) {
      size += this.#lengths[count]!;
      left -= this.#lengths[count]!;
      count++;
    }
    if (count === 0) return left;
    this.segments.addPiece(0, this.#controlCut, size);
    this.#controlCut += size;
    this.#lengths.splice(0, count);
    return left;
  }

  #cutStreams(room: number): void {
    let left = room;
    for (let pieces = 1; left > closeSize && pieces < piecesMax; pieces++) {
      const stream = this.#first();
      if (stream === undefined) return;
      const size = Math.min(left - rpcHeadSize, stream.unsent, stream.window - stream.cutTo);
      if (size > 0) {
        this.segments.addPiece(stream.id, stream.cutTo, size);
        stream.cutTo += size;
        this.bytesSent += size;
        left -= rpcHeadSize + size;
      } else {
        this.segments.addPiece(stream.id, stream.cutTo, endPiece);
        stream.endCut = true;
        left -= closeSize;
      }
      // Behind the others: equals share.
      this.#ready.delete(stream);
      this.touch(stream);
    }
  }

  #first(): Stream | undefined {
    let first: Stream | undefined;
    for (const stream of this.#ready) {
      if (first === undefined || stream.priority < first.priority) first = stream;
    }
    return first;
  }
}
