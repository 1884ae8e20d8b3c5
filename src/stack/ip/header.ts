import { finish, fold, sum } from "../../bytes/checksum.js";
import { extensionHeadersMax, hopLimitDefault } from "../limits.js";
import { Protocol } from "./protocols.js";

/** What the layers above need of a received IP packet; one object is filled again for each packet. */
export class IpHeader {
  version: 4 | 6 = 4;
  /** Where the packet starts, and where it ends by its own length. */
  at = 0;
  end = 0;
  /** Where the payload starts, behind options and extension headers. */
  payload = 0;
  protocol = 0;
  hopLimit = 0;
  ecn = 0;
  /** A fragment's place: zero and false for whole packets. */
  fragmentOffset = 0;
  moreFragments = false;
  fragmentId = 0;
  /** Where the address fields start. */
  sourceAt = 0;
  destinationAt = 0;
  /** Offset of an extension header whose option demands an ICMPv6 error, or -1 (RFC 8200 §4.2). */
  problemAt = -1;

  get addressSize(): 4 | 16 {
    return this.version === 4 ? 4 : 16;
  }

  get isFragment(): boolean {
    return this.moreFragments || this.fragmentOffset !== 0;
  }

  /** Reads the packet at `at`; false if it is not one. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.at = at;
    this.problemAt = -1;
    this.fragmentOffset = 0;
    this.moreFragments = false;
    const version = end > at ? bytes[at]! >> 4 : 0;
    return version === 4 ? this.#read4(bytes, at, end) : version === 6 && this.#read6(bytes, at, end);
  }

  #read4(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 20) return false;
    const headerSize = (bytes[at]! & 15) * 4;
    const total = u16(bytes, at + 2);
    if (headerSize < 20 || total < headerSize || at + total > end) return false;
    if (fold(sum(bytes, at, headerSize)) !== 0xffff) return false;
    this.version = 4;
    this.end = at + total;
    this.payload = at + headerSize;
    this.ecn = bytes[at + 1]! & 3;
    this.fragmentId = u16(bytes, at + 4);
    const fragment = u16(bytes, at + 6);
    this.moreFragments = (fragment & 0x2000) !== 0;
    this.fragmentOffset = (fragment & 0x1fff) * 8;
    this.hopLimit = bytes[at + 8]!;
    this.protocol = bytes[at + 9]!;
    this.sourceAt = at + 12;
    this.destinationAt = at + 16;
    return true;
  }

  #read6(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 40) return false;
    const size = u16(bytes, at + 4);
    if (at + 40 + size > end) return false;
    this.version = 6;
    this.end = at + 40 + size;
    this.ecn = (bytes[at + 1]! >> 4) & 3;
    this.hopLimit = bytes[at + 7]!;
    this.sourceAt = at + 8;
    this.destinationAt = at + 24;
    return this.#extensions(bytes, bytes[at + 6]!, at + 40);
  }

  /** Walks the extension headers (RFC 8200 §4) as far as the upper layer or a fragment's data. */
  #extensions(bytes: Uint8Array, first: number, from: number): boolean {
    let next = first;
    let at = from;
    for (let count = 0; count < extensionHeadersMax; count++) {
      if (next === Protocol.fragment) {
        if (at + 8 > this.end) return false;
        const field = u16(bytes, at + 2);
        this.fragmentOffset = field & 0xfff8;
        this.moreFragments = (field & 1) !== 0;
        this.fragmentId = ((bytes[at + 4]! << 24) | (bytes[at + 5]! << 16) | u16(bytes, at + 6)) >>> 0;
        next = bytes[at]!;
        at += 8;
        if (this.isFragment) break;
      } else if (next === Protocol.hopByHop || next === Protocol.destinationOptions || next === Protocol.routing) {
        if (at + 8 > this.end) return false;
        const size = 8 + 8 * bytes[at + 1]!;
        if (at + size > this.end) return false;
        if (next === Protocol.hopByHop && count > 0) return false;
        // §4.4: a routing header with segments left is not for us to forward.
        if (next === Protocol.routing && bytes[at + 3] !== 0) this.problemAt = at + 2;
        if (next !== Protocol.routing && !this.#options(bytes, at + 2, at + size)) return false;
        next = bytes[at]!;
        at += size;
      } else break;
    }
    this.protocol = next;
    this.payload = at;
    return true;
  }

  /** Options of a type that we do not know say themselves what to do (§4.2). */
  #options(bytes: Uint8Array, from: number, end: number): boolean {
    for (let at = from; at < end; ) {
      const type = bytes[at]!;
      if (type === 0) {
        at++;
        continue;
      }
      const size = at + 1 < end ? 2 + bytes[at + 1]! : 0;
      if (size === 0 || at + size > end) return false;
      const known = type === 1 || type === 5;
      if (!known && type >> 6 === 1) return false;
      if (!known && type >> 6 > 1) this.problemAt = at;
      at += size;
    }
    return true;
  }
}

/** Writes an IPv4 or IPv6 header without options; the addresses' size says which. Answers the header's size. */
export function writeHeader(
  into: Uint8Array,
  at: number,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payloadSize: number,
  ecn: number,
  dscp: number,
  identification: number,
): 20 | 40 {
  const trafficClass = (dscp << 2) | ecn;
  if (source.length === 4) {
    into[at] = 0x45;
    into[at + 1] = trafficClass;
    putU16(into, at + 2, 20 + payloadSize);
    putU16(into, at + 4, identification);
    // Don't fragment: path MTU discovery (RFC 1191), and RFC 6864 then frees us of unique identifications.
    putU16(into, at + 6, 0x4000);
    into[at + 8] = hopLimitDefault;
    into[at + 9] = protocol;
    putU16(into, at + 10, 0);
    into.set(source, at + 12);
    into.set(destination, at + 16);
    putU16(into, at + 10, finish(sum(into, at, 20)));
    return 20;
  }
  into[at] = 0x60 | (trafficClass >> 4);
  into[at + 1] = (trafficClass & 15) << 4;
  into[at + 2] = identification >> 8;
  into[at + 3] = identification;
  putU16(into, at + 4, payloadSize);
  into[at + 6] = protocol;
  into[at + 7] = hopLimitDefault;
  into.set(source, at + 8);
  into.set(destination, at + 24);
  return 40;
}

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function putU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
