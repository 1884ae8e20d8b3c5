import { finish, fold, sum } from "../../bytes/checksum.js";
import { mergedHeaderMax, mergedSegmentsMax, mergedSizeMax } from "./limits.js";

/**
 * Finds TCP segments that follow each other without a gap under headers that agree, so that they can be handed on as one
 * super-packet: one header, then the payloads where they lie. No payload is read: the checksum of the whole is made of the
 * segments' own, so whoever checks it finds what was wrong in any of them.
 */
export class Merger {
  /** The header of the run that was found: IP and TCP, `headerSize` bytes from `headerAt` on. */
  readonly header: Uint8Array;
  readonly #headerAt: number;
  headerSize = 0;
  /** Payload of every segment but the last, which may have less. */
  segmentSize = 0;
  version: 4 | 6 = 4;

  /** @param header memory for the run's header, from `headerAt` on `mergedHeaderMax` bytes */
  constructor(header: Uint8Array = new Uint8Array(mergedHeaderMax), headerAt = 0) {
    if (header.length < headerAt + mergedHeaderMax) throw new RangeError("no room for the headers");
    this.header = header;
    this.#headerAt = headerAt;
  }

  /**
   * How many packets from `first` on are one super-packet; packet `i` is `bytes[ranges[2i] … ranges[2i+1])`, each an IP
   * packet as long as it says. One means that the packet stands alone, and `header` says nothing.
   */
  run(bytes: Uint8Array, ranges: Uint32Array, first: number, count: number): number {
    const at = ranges[2 * first]!;
    const end = ranges[2 * first + 1]!;
    const ipSize = ipHeaderSize(bytes, at, end);
    if (ipSize === 0 || first + 1 >= count) return 1;
    const tcp = at + ipSize;
    const headerSize = ipSize + (bytes[tcp + 12]! >> 4) * 4;
    const step = end - at - headerSize;
    // Nothing but data (RFC 9293 §3.1): no SYN, FIN, RST, URG, and the end of what was pushed ends a run.
    if (headerSize < ipSize + 20 || step <= 0 || bytes[tcp + 13] !== ack) return 1;
    let merged = 1;
    let size = end - at;
    let payloads = payloadSum(bytes, at, ipSize, headerSize, step);
    let last = at;
    for (let i = first + 1; i < count && merged < mergedSegmentsMax; i++) {
      const nextAt = ranges[2 * i]!;
      const payload = ranges[2 * i + 1]! - nextAt - headerSize;
      if (payload <= 0 || payload > step || size + payload > mergedSizeMax) break;
      if (!follows(bytes, at, nextAt, ipSize, headerSize, merged, merged * step)) break;
      const part = payloadSum(bytes, nextAt, ipSize, headerSize, payload);
      // At an odd place in the whole the halves of each word change places (RFC 1071 §2(B)).
      payloads += ((merged * step) & 1) === 0 ? part : ((part & 0xff) << 8) | (part >> 8);
      merged++;
      size += payload;
      last = nextAt;
      if (payload < step || (bytes[nextAt + ipSize + 13]! & psh) !== 0) break;
    }
    if (merged > 1) this.#write(bytes, at, last, ipSize, headerSize, size, payloads);
    this.segmentSize = step;
    return merged;
  }

  /**
   * Makes each run one packet where it lies: the payloads move together behind the first one's header. The ranges of what
   * is left go into `into`, which may be `ranges`; answers how many there are.
   */
  compact(bytes: Uint8Array, ranges: Uint32Array, count: number, into: Uint32Array): number {
    let left = 0;
    for (let i = 0; i < count; ) {
      const start = ranges[2 * i]!;
      let end = ranges[2 * i + 1]!;
      const merged = this.run(bytes, ranges, i, count);
      if (merged > 1) {
        for (let k = 0; k < this.headerSize; k++) bytes[start + k] = this.header[this.#headerAt + k]!;
        for (let j = i + 1; j < i + merged; j++) {
          const payload = ranges[2 * j]! + this.headerSize;
          const payloadEnd = ranges[2 * j + 1]!;
          bytes.copyWithin(end, payload, payloadEnd);
          end += payloadEnd - payload;
        }
      }
      into[2 * left] = start;
      into[2 * left + 1] = end;
      left++;
      i += merged;
    }
    return left;
  }

  #write(
    bytes: Uint8Array,
    at: number,
    last: number,
    ipSize: number,
    headerSize: number,
    size: number,
    payloads: number,
  ): void {
    const { header } = this;
    const start = this.#headerAt;
    const tcp = start + ipSize;
    this.headerSize = headerSize;
    this.version = ipSize === 20 ? 4 : 6;
    for (let i = 0; i < headerSize; i++) header[start + i] = bytes[at + i]!;
    header[tcp + 13] = header[tcp + 13]! | bytes[last + ipSize + 13]!;
    header[tcp + 16] = header[tcp + 17] = 0;
    const length = size - ipSize;
    const addresses = this.version === 4 ? sum(header, start + 12, 8) : sum(header, start + 8, 32);
    const pseudo = addresses + tcpProtocol + length;
    const checksum = finish(pseudo + sum(header, tcp, headerSize - ipSize) + payloads);
    header[tcp + 16] = checksum >> 8;
    header[tcp + 17] = checksum & 0xff;
    if (this.version === 4) {
      header[start + 2] = size >> 8;
      header[start + 3] = size & 0xff;
      header[start + 10] = header[start + 11] = 0;
      const ipChecksum = finish(sum(header, start, 20));
      header[start + 10] = ipChecksum >> 8;
      header[start + 11] = ipChecksum & 0xff;
    } else {
      header[start + 4] = length >> 8;
      header[start + 5] = length & 0xff;
    }
  }
}

/** 20 or 40 for a whole packet of TCP without IP options or extension headers; zero for anything else. */
function ipHeaderSize(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 0x45) {
    const whole = bytes[at + 9] === tcpProtocol && ((bytes[at + 6]! & 0x3f) | bytes[at + 7]!) === 0;
    return whole && end - at >= 40 ? 20 : 0;
  }
  return bytes[at]! >> 4 === 6 && bytes[at + 6] === tcpProtocol && end - at >= 60 ? 40 : 0;
}

/** Is the packet at `next` the one that follows, `index` packets and `offset` bytes behind the one at `at`? */
function follows(
  bytes: Uint8Array,
  at: number,
  next: number,
  ipSize: number,
  headerSize: number,
  index: number,
  offset: number,
): boolean {
  if (ipSize === 20) {
    // Version and class; flags of fragmentation, hop limit, protocol; addresses.
    if (bytes[at] !== bytes[next] || bytes[at + 1] !== bytes[next + 1]) return false;
    if (!agree(bytes, at + 6, next + 6, 4) || !agree(bytes, at + 12, next + 12, 8)) return false;
    // RFC 6864 §4.1: the identification means something only where fragments may be made.
    const mayFragment = (bytes[at + 6]! & 0x40) === 0;
    if (mayFragment && ((half(bytes, at + 4) + index) & 0xffff) !== half(bytes, next + 4)) return false;
  } else if (!agree(bytes, at, next, 4) || !agree(bytes, at + 6, next + 6, 34)) return false;
  const tcp = at + ipSize;
  const nextTcp = next + ipSize;
  return (
    (word(bytes, tcp + 4) + offset) >>> 0 === word(bytes, nextTcp + 4) &&
    (bytes[tcp + 13]! | psh) === (bytes[nextTcp + 13]! | psh) &&
    bytes[tcp + 12] === bytes[nextTcp + 12] &&
    agree(bytes, tcp, nextTcp, 4) &&
    agree(bytes, tcp + 8, nextTcp + 8, 4) &&
    agree(bytes, tcp + 14, nextTcp + 14, 2) &&
    agree(bytes, tcp + 18, nextTcp + 18, headerSize - ipSize - 18)
  );
}

function agree(bytes: Uint8Array, a: number, b: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (bytes[a + i] !== bytes[b + i]) return false;
  return true;
}

/** The sum that the payload must have for the segment's checksum to be right, sixteen bits. */
function payloadSum(bytes: Uint8Array, at: number, ipSize: number, headerSize: number, payload: number): number {
  const length = headerSize - ipSize + payload;
  const addresses = ipSize === 20 ? sum(bytes, at + 12, 8) : sum(bytes, at + 8, 32);
  const rest = addresses + tcpProtocol + length + sum(bytes, at + ipSize, length - payload);
  return ~fold(rest) & 0xffff;
}

const tcpProtocol = 6;
const ack = 16;
const psh = 8;

const half = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;
const word = (bytes: Uint8Array, at: number): number => ((half(bytes, at) << 16) | half(bytes, at + 2)) >>> 0;
