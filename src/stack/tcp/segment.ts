import { fold, sum } from "../../bytes/checksum.js";
import { putU16, putU32, u16, u32 } from "../ip/header.js";
import { extraOptionsMax, sackBlocksMax } from "../limits.js";

/** Control bits (RFC 9293 §3.1, RFC 3168 §6.1). */
export const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const;

const Kind = { end: 0, nop: 1, mss: 2, windowScale: 3, sackPermitted: 4, sack: 5, timestamps: 8 } as const;

/** A received segment, read where it lies; one object is filled again for each. */
export class Segment {
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  /** As it stands in the header, not scaled. */
  window = 0;
  payload = 0;
  end = 0;

  mss: number | undefined;
  windowScale: number | undefined;
  sackPermitted = false;
  hasTimestamps = false;
  timestamp = 0;
  echo = 0;
  /** Pairs of edges; `sackCount` of them are good. */
  readonly sackEdges = new Uint32Array(8);
  sackCount = 0;
  /** Where options begin of kinds that this stack does not know, for those who do (RFC 8547); `extraCount` are good. */
  readonly extraAt = new Uint32Array(extraOptionsMax);
  extraCount = 0;

  get payloadSize(): number {
    return this.end - this.payload;
  }

  /** Sequence numbers that it takes up. */
  get length(): number {
    return this.end - this.payload + (this.flags & Flag.syn ? 1 : 0) + (this.flags & Flag.fin ? 1 : 0);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  read(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 20) return false;
    const size = (bytes[at + 12]! >> 4) * 4;
    if (size < 20 || at + size > end) return false;
    this.sourcePort = u16(bytes, at);
    this.destinationPort = u16(bytes, at + 2);
    this.sequence = u32(bytes, at + 4);
    this.acknowledgment = u32(bytes, at + 8);
    this.flags = bytes[at + 13]!;
    this.window = u16(bytes, at + 14);
    this.payload = at + size;
    this.end = end;
    return this.#options(bytes, at + 20, at + size);
  }

  #options(bytes: Uint8Array, from: number, end: number): boolean {
    this.mss = undefined;
    this.windowScale = undefined;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.sackCount = 0;
    this.extraCount = 0;
    for (let at = from; at < end; ) {
      const kind = bytes[at]!;
      if (kind === Kind.end) break;
      if (kind === Kind.nop) {
        at++;
        continue;
      }
      const size = at + 1 < end ? bytes[at + 1]! : 0;
      if (size < 2 || at + size > end) return false;
      if (kind === Kind.mss && size === 4) this.mss = u16(bytes, at + 2);
      else if (kind === Kind.windowScale && size === 3) this.windowScale = Math.min(bytes[at + 2]!, 14);
      else if (kind === Kind.sackPermitted && size === 2) this.sackPermitted = true;
      else if (kind === Kind.timestamps && size === 10) {
        this.hasTimestamps = true;
        this.timestamp = u32(bytes, at + 2);
        this.echo = u32(bytes, at + 6);
      } else if (kind === Kind.sack && size >= 10 && (size - 2) % 8 === 0) {
        this.sackCount = (size - 2) / 8;
        for (let i = 0; i < 2 * this.sackCount; i++) this.sackEdges[i] = u32(bytes, at + 2 + 4 * i);
      } else this.extraAt[this.extraCount++] = at;
      at += size;
    }
    return true;
  }
}

/** What goes into the options of a segment to send; filled again for each. */
export class OptionsOut {
  mss = 0;
  /** -1 for none. */
  windowScale = -1;
  sackPermitted = false;
  timestamps = false;
  timestamp = 0;
  echo = 0;
  readonly sackEdges = new Uint32Array(2 * sackBlocksMax);
  sackCount = 0;
  /** Options from outside, whole, their padding aside. */
  extra: Uint8Array | undefined;

  reset(): this {
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.timestamps = false;
    this.sackCount = 0;
    this.extra = undefined;
    return this;
  }

  /** Writes the options, padded to four bytes, and answers their size: 40 at the most. */
  write(into: Uint8Array, from: number): number {
    let at = from;
    if (this.mss > 0) {
      into[at] = Kind.mss;
      into[at + 1] = 4;
      putU16(into, at + 2, this.mss);
      at += 4;
    }
    if (this.timestamps) {
      into[at] = this.sackPermitted ? Kind.sackPermitted : Kind.nop;
      into[at + 1] = this.sackPermitted ? 2 : Kind.nop;
      into[at + 2] = Kind.timestamps;
      into[at + 3] = 10;
      putU32(into, at + 4, this.timestamp);
      putU32(into, at + 8, this.echo);
      at += 12;
    } else if (this.sackPermitted) {
      putU32(into, at, (Kind.nop << 24) | (Kind.nop << 16) | (Kind.sackPermitted << 8) | 2);
      at += 4;
    }
    if (this.windowScale >= 0) {
      // No padding where the options from outside need its byte.
      if (at - from + 4 + (this.extra?.length ?? 0) <= 40) into[at++] = Kind.nop;
      into[at] = Kind.windowScale;
      into[at + 1] = 3;
      into[at + 2] = this.windowScale;
      at += 3;
    }
    if (this.sackCount > 0) {
      into[at] = into[at + 1] = Kind.nop;
      into[at + 2] = Kind.sack;
      into[at + 3] = 2 + 8 * this.sackCount;
      for (let i = 0; i < 2 * this.sackCount; i++) putU32(into, at + 4 + 4 * i, this.sackEdges[i]!);
      at += 4 + 8 * this.sackCount;
    }
    const extra = this.extra;
    if (extra !== undefined && at - from + extra.length <= 40) {
      into.set(extra, at);
      at += extra.length;
      while ((at - from) % 4 !== 0) into[at++] = Kind.nop;
    }
    return at - from;
  }
}

/** Writes the fixed part of a TCP header; options stand behind it already. The checksum is left empty. */
export function writeTcpHeader(
  into: Uint8Array,
  at: number,
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  acknowledgment: number,
  flags: number,
  window: number,
  optionsSize: number,
): void {
  putU16(into, at, sourcePort);
  putU16(into, at + 2, destinationPort);
  putU32(into, at + 4, sequence);
  putU32(into, at + 8, acknowledgment);
  into[at + 12] = ((20 + optionsSize) / 4) << 4;
  into[at + 13] = flags;
  putU16(into, at + 14, window);
  putU32(into, at + 16, 0);
}

/** Is the checksum of the TCP segment right? `pseudo` is the pseudo header's sum without the length. */
export function tcpChecksumHolds(bytes: Uint8Array, at: number, end: number, pseudo: number): boolean {
  return fold(pseudo + (end - at) + sum(bytes, at, end - at)) === 0xffff;
}
