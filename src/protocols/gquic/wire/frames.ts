import { varintAt, varintSpan } from "../../../bytes/index.js";
import { limits } from "../limits.js";
import { fromFloat16, uintAt } from "./numbers.js";
import type { Version } from "./versions.js";

/** Frames by their first byte (QUIC-Wire-Layout, "Frame Types"); of STREAM and ACK the bits that make them so. */
export const FrameType = {
  padding: 0x00,
  rstStream: 0x01,
  connectionClose: 0x02,
  goaway: 0x03,
  windowUpdate: 0x04,
  blocked: 0x05,
  stopWaiting: 0x06,
  ping: 0x07,
  crypto: 0x08,
  message: 0x20,
  ack: 0x40,
  stream: 0x80,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const frameNames: Readonly<Record<FrameType, string>> = {
  [FrameType.padding]: "PADDING",
  [FrameType.rstStream]: "RST_STREAM",
  [FrameType.connectionClose]: "CONNECTION_CLOSE",
  [FrameType.goaway]: "GOAWAY",
  [FrameType.windowUpdate]: "WINDOW_UPDATE",
  [FrameType.blocked]: "BLOCKED",
  [FrameType.stopWaiting]: "STOP_WAITING",
  [FrameType.ping]: "PING",
  [FrameType.crypto]: "CRYPTO",
  [FrameType.message]: "MESSAGE",
  [FrameType.ack]: "ACK",
  [FrameType.stream]: "STREAM",
};

/** Sizes of a packet number in an ACK frame, by two bits. */
const ackSizes = [1, 2, 4, 6] as const;

/** A frame that was read; one object for all frames. Places are offsets into the packet. */
export class FrameView {
  type: FrameType = FrameType.padding;
  /** Stream id; of GOAWAY the last one that was good. */
  id = 0;
  /** Of STREAM and CRYPTO; RST_STREAM's and WINDOW_UPDATE's byte offset. */
  offset = 0;
  fin = false;
  /** Error code of RST_STREAM, CONNECTION_CLOSE and GOAWAY. */
  code = 0;
  /** Data of STREAM, CRYPTO and MESSAGE, the reason of CONNECTION_CLOSE and GOAWAY. */
  dataAt = 0;
  dataSize = 0;
  /** STOP_WAITING: how far below the packet's number the least unacknowledged one is. */
  delta = 0;
  /** ACK: pairs of first and last number, the highest first; how many; microseconds of delay; timestamps that follow. */
  readonly bounds = new Float64Array(2 * (limits.ackBlocksMax + 1));
  count = 0;
  delayUs = 0;
  timestamps = 0;

  /** Reads the frame at `at`. Answers where the next begins; -1 if this one does not parse, or the version has none such. */
  read(version: Version, bytes: Uint8Array, at: number, end: number, numberSize: number): number {
    const first = bytes[at]!;
    if (first >= FrameType.stream) return this.#stream(bytes, at, end);
    if (first >= FrameType.ack) return this.#ack(bytes, at, end);
    if ((first & 0xfe) === FrameType.message) return version.messages ? this.#message(bytes, at, end) : -1;
    switch (first) {
      case FrameType.padding: {
        this.type = FrameType.padding;
        let next = at + 1;
        while (next < end && bytes[next] === 0) next++;
        this.dataSize = next - at;
        return next;
      }
      case FrameType.rstStream:
        this.type = FrameType.rstStream;
        if (at + 17 > end) return -1;
        this.id = uintAt(bytes, at + 1, 4);
        this.offset = uintAt(bytes, at + 5, 8);
        this.code = uintAt(bytes, at + 13, 4);
        return at + 17;
      case FrameType.connectionClose:
        this.type = FrameType.connectionClose;
        if (at + 7 > end) return -1;
        this.code = uintAt(bytes, at + 1, 4);
        return this.#reason(bytes, at + 5, end);
      case FrameType.goaway:
        this.type = FrameType.goaway;
        if (at + 11 > end) return -1;
        this.code = uintAt(bytes, at + 1, 4);
        this.id = uintAt(bytes, at + 5, 4);
        return this.#reason(bytes, at + 9, end);
      case FrameType.windowUpdate:
        this.type = FrameType.windowUpdate;
        if (at + 13 > end) return -1;
        this.id = uintAt(bytes, at + 1, 4);
        this.offset = uintAt(bytes, at + 5, 8);
        return at + 13;
      case FrameType.blocked:
        this.type = FrameType.blocked;
        if (at + 5 > end) return -1;
        this.id = uintAt(bytes, at + 1, 4);
        return at + 5;
      case FrameType.stopWaiting:
        this.type = FrameType.stopWaiting;
        if (!version.stopWaiting || at + 1 + numberSize > end) return -1;
        this.delta = uintAt(bytes, at + 1, numberSize);
        return at + 1 + numberSize;
      case FrameType.ping:
        this.type = FrameType.ping;
        return at + 1;
      case FrameType.crypto:
        return version.cryptoFrames ? this.#crypto(bytes, at, end) : -1;
      default:
        return -1;
    }
  }

  #reason(bytes: Uint8Array, at: number, end: number): number {
    this.dataSize = uintAt(bytes, at, 2);
    this.dataAt = at + 2;
    return this.dataAt + this.dataSize > end ? -1 : this.dataAt + this.dataSize;
  }

  /** 1fdoooss: FIN, a length, the sizes of offset and id. */
  #stream(bytes: Uint8Array, at: number, end: number): number {
    const first = bytes[at]!;
    const idSize = 1 + (first & 3);
    const offsetCode = (first >> 2) & 7;
    const offsetSize = offsetCode === 0 ? 0 : offsetCode + 1;
    const hasLength = (first & 0x20) !== 0;
    let next = at + 1 + idSize + offsetSize + (hasLength ? 2 : 0);
    if (next > end) return -1;
    this.type = FrameType.stream;
    this.fin = (first & 0x40) !== 0;
    this.id = uintAt(bytes, at + 1, idSize);
    this.offset = uintAt(bytes, at + 1 + idSize, offsetSize);
    this.dataAt = next;
    this.dataSize = hasLength ? uintAt(bytes, next - 2, 2) : end - next;
    next += this.dataSize;
    if (next > end || !Number.isFinite(this.offset)) return -1;
    return this.dataSize === 0 && !this.fin ? -1 : next;
  }

  #crypto(bytes: Uint8Array, at: number, end: number): number {
    this.type = FrameType.crypto;
    const offset = varintAt(bytes, at + 1, end);
    if (!(offset < 2 ** 32)) return -1;
    const sizeAt = at + 1 + varintSpan(bytes[at + 1]!);
    const size = varintAt(bytes, sizeAt, end);
    if (!(size <= end)) return -1;
    this.offset = offset;
    this.dataAt = sizeAt + varintSpan(bytes[sizeAt]!);
    this.dataSize = size;
    return this.dataAt + size > end ? -1 : this.dataAt + size;
  }

  /** The lowest bit says that a length stands before the message. */
  #message(bytes: Uint8Array, at: number, end: number): number {
    this.type = FrameType.message;
    this.dataAt = at + 1;
    this.dataSize = end - at - 1;
    if ((bytes[at]! & 1) === 0) return end;
    const size = varintAt(bytes, at + 1, end);
    if (!(size <= end)) return -1;
    this.dataAt = at + 1 + varintSpan(bytes[at + 1]!);
    this.dataSize = size;
    return this.dataAt + size > end ? -1 : this.dataAt + size;
  }

  /** 01nullmm: further blocks, the sizes of numbers and of lengths. */
  #ack(bytes: Uint8Array, at: number, end: number): number {
    const first = bytes[at]!;
    const size = ackSizes[(first >> 2) & 3]!;
    const lengthSize = ackSizes[first & 3]!;
    const hasBlocks = (first & 0x20) !== 0;
    if ((first & 0x10) !== 0) return -1;
    let next = at + 1 + size + 2 + (hasBlocks ? 1 : 0) + lengthSize;
    if (next > end) return -1;
    this.type = FrameType.ack;
    const largest = uintAt(bytes, at + 1, size);
    this.delayUs = fromFloat16(uintAt(bytes, at + 1 + size, 2));
    const blocks = hasBlocks ? bytes[at + 3 + size]! : 0;
    const length = uintAt(bytes, next - lengthSize, lengthSize);
    let last = largest - length;
    if (length === 0 || last < 0) return -1;
    this.bounds[0] = last + 1;
    this.bounds[1] = largest;
    this.count = 1;
    for (let i = 0; i < blocks; i++) {
      if (next + 1 + lengthSize > end) return -1;
      const gap = bytes[next]!;
      const more = uintAt(bytes, next + 1, lengthSize);
      next += 1 + lengthSize;
      last -= gap;
      if (last - more < 0) return -1;
      // A gap of more than 255 is a chain of empty blocks.
      if (more > 0) {
        this.bounds[2 * this.count] = last - more + 1;
        this.bounds[2 * this.count + 1] = last;
        this.count++;
      }
      last -= more;
    }
    if (next >= end) return -1;
    this.timestamps = bytes[next++]!;
    if (this.timestamps > 0) next += 5 + 3 * (this.timestamps - 1);
    return next > end ? -1 : next;
  }
}
