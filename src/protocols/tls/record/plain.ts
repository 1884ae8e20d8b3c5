import { limits } from "../limits.js";
import { contentType, recordHeaderSize } from "./content-type.js";
import type { RecordOpener, RecordSealer } from "./protection.js";

/** Records before there are keys (RFC 9846 §5.1). */
export class PlainSealer implements RecordSealer {
  readonly headroom = recordHeaderSize;
  readonly tailroom = 0;
  readonly countMax = Number.POSITIVE_INFINITY;
  count: number;

  /** After a retry it is not the first record any more. */
  constructor(count = 0) {
    this.count = count;
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number): number {
    // The very first record says 1.0, for servers that choke on more (RFC 9846 §5.1).
    const isFirstHello = this.count === 0 && type === contentType.handshake && bytes[at + recordHeaderSize] === 1;
    writeHeader(bytes, at, type, isFirstHello ? 0x0301 : 0x0303, size);
    this.count++;
    return recordHeaderSize + size;
  }

  destroy(): void {}
}

export class PlainOpener implements RecordOpener {
  readonly hidesType = false;
  readonly fragmentMax = limits.recordSizeMax;
  type = 0;
  contentAt = 0;
  contentSize = 0;
  count = 0;

  open(bytes: Uint8Array, at: number, size: number): boolean {
    this.type = bytes[at]!;
    this.contentAt = at + recordHeaderSize;
    this.contentSize = size - recordHeaderSize;
    this.count++;
    return true;
  }

  destroy(): void {}
}

export function writeHeader(bytes: Uint8Array, at: number, type: number, version: number, size: number): void {
  bytes[at] = type;
  bytes[at + 1] = version >> 8;
  bytes[at + 2] = version & 255;
  bytes[at + 3] = size >> 8;
  bytes[at + 4] = size & 255;
}
