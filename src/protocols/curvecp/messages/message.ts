import { limits } from "../limits.js";
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from "./packets.js";

/** Bytes of a message before its padding (messages page). */
export const headerSize = 48;
export const blockSizeMax = 1_024;
/** Ranges that one message acknowledges. */
export const rangesPerMessage = 6;

const answeredAt = 4;
const firstRangeAt = 8;
const rangesAt = 16;
const blockAt = 38;
const positionAt = 40;
const success = 2_048;
const failure = 4_096;

/** How a stream ends. */
export type StreamEnd = "success" | "failure";

/** Lengths of our messages: a few, so that they tell little of what is in them (those of the reference). */
const sizes = [192, 320, 576, 1_088] as const;
/** They leave so much around a block: the reference's measure. */
const around = 64;
export const acknowledgementSize = 192;

/** Length of a message with a block of this many bytes. */
export function messageSizeFor(block: number): number {
  for (const size of sizes) if (around + block <= size) return size;
  return sizes[sizes.length - 1]!;
}

/** Greatest block in a message of at most so many bytes, in one of our lengths. */
export function blockFor(message: number): number {
  let block = 0;
  for (const size of sizes) if (size <= message) block = size - around;
  return block;
}

/** A message as it is read: filled again by each `read`. */
export class MessageView {
  /** Zero: an acknowledgement, which is never acknowledged itself. */
  id = 0;
  /** The message of ours that this one answers; zero is none. */
  answered = 0;
  /** Acknowledged ranges of our stream as pairs, ascending; the first begins at zero. An empty one says nothing. */
  readonly ranges = new Float64Array(2 * rangesPerMessage);
  /** Bytes of the block, and where they begin in the memory that was read. */
  size = 0;
  dataAt = 0;
  /** The block is the last of its stream. */
  end: StreamEnd | undefined;
  position = 0;

  /** False if the message contradicts itself; then nothing of it may be used. */
  read(bytes: Uint8Array, at: number, length: number): boolean {
    if (length < headerSize) return false;
    this.id = readU32(bytes, at);
    this.answered = readU32(bytes, at + answeredAt);
    const word = readU16(bytes, at + blockAt);
    const ends = word & (success | failure);
    this.size = word - ends;
    if (this.size > blockSizeMax || this.size > length - headerSize || ends === (success | failure)) return false;
    this.end = ends === 0 ? undefined : ends === success ? "success" : "failure";
    this.dataAt = at + length - this.size;
    this.position = readU64(bytes, at + positionAt);
    const acknowledged = readU64(bytes, at + firstRangeAt);
    if (this.position + this.size >= limits.positionsMax || acknowledged > limits.positionsMax) return false;
    const { ranges } = this;
    ranges[0] = 0;
    let to = (ranges[1] = acknowledged);
    let next = at + rangesAt;
    for (let i = 1; i < rangesPerMessage; i++) {
      const gap = i === 1 ? readU32(bytes, next) : readU16(bytes, next);
      next += i === 1 ? 4 : 2;
      ranges[2 * i] = to + gap;
      to = ranges[2 * i + 1] = to + gap + readU16(bytes, next);
      next += 2;
    }
    return to <= limits.positionsMax;
  }
}

/** What the receiver of a stream acknowledges, as a message says it. */
export interface Acknowledgement {
  /** Everything below. */
  readonly next: number;
  /** Ranges above, as pairs, ascending, at most five; how many numbers of it count. */
  readonly ranges: Float64Array;
  readonly count: number;
}

/**
 * Writes all of a message but its block's bytes, which go to the end: `length` is that of the whole message.
 */
export function writeMessage(
  into: Uint8Array,
  at: number,
  length: number,
  id: number,
  answered: number,
  acknowledgement: Acknowledgement,
  position: number,
  size: number,
  end: StreamEnd | undefined,
): void {
  into.fill(0, at + rangesAt, at + length - size);
  writeU32(into, at, id);
  writeU32(into, at + answeredAt, answered);
  writeU64(into, at + firstRangeAt, acknowledgement.next);
  let to = acknowledgement.next;
  let next = at + rangesAt;
  for (let i = 0; i < acknowledgement.count; i += 2) {
    const from = acknowledgement.ranges[i]!;
    if (i === 0) writeU32(into, next, from - to);
    else writeU16(into, next, from - to);
    next += i === 0 ? 4 : 2;
    to = acknowledgement.ranges[i + 1]!;
    writeU16(into, next, to - from);
    next += 2;
  }
  writeU16(into, at + blockAt, size + (end === undefined ? 0 : end === "success" ? success : failure));
  writeU64(into, at + positionAt, position);
}
