import { putVarint, varintAt, varintSize, varintSpan } from "../../../bytes/index.js";
import { PacketType, type Version, versionByCode } from "../protection/versions.js";

/** Longest connection id of versions 1 and 2 (RFC 9000 §17.2). */
export const connectionIdMax = 20;

/**
 * A view of one packet's header as far as it is not protected. One object is filled again and again; places are offsets
 * into the datagram.
 */
export class HeaderView {
  type: PacketType = PacketType.oneRtt;
  /** The version field; 0 in Version Negotiation, and in short headers, which have none. */
  versionCode = 0;
  /** Undefined: not one of ours, and no more than RFC 8999 is known of the packet. */
  version: Version | undefined;
  dcidAt = 0;
  dcidSize = 0;
  scidAt = 0;
  scidSize = 0;
  tokenAt = 0;
  tokenSize = 0;
  /** Where the packet number begins, or what stands behind the ids of a Version Negotiation, a Retry, an unknown version. */
  bodyAt = 0;
  /** Where the packet ends; another may follow in the datagram. */
  end = 0;

  get isLong(): boolean {
    return this.type !== PacketType.oneRtt;
  }

  /**
   * Reads the header at `at`. False: it is none. The Destination Connection ID of a short header is `shortIdSize` bytes
   * long, since it is one of ours.
   */
  read(bytes: Uint8Array, at: number, end: number, shortIdSize: number): boolean {
    if (at >= end) return false;
    if (bytes[at]! < 0x80) {
      this.type = PacketType.oneRtt;
      this.versionCode = 0;
      this.version = undefined;
      this.dcidAt = at + 1;
      this.dcidSize = shortIdSize;
      this.bodyAt = at + 1 + shortIdSize;
      this.end = end;
      return this.bodyAt <= end;
    }
    return this.#readLong(bytes, at, end);
  }

  /** RFC 8999 §5.1, then RFC 9000 §17.2. */
  #readLong(bytes: Uint8Array, at: number, end: number): boolean {
    if (at + 7 > end) return false;
    const code = ((bytes[at + 1]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 8) | bytes[at + 4]!) >>> 0;
    this.versionCode = code;
    this.version = versionByCode.get(code);
    this.dcidSize = bytes[at + 5]!;
    this.dcidAt = at + 6;
    const scid = this.dcidAt + this.dcidSize;
    if (scid >= end) return false;
    this.scidSize = bytes[scid]!;
    this.scidAt = scid + 1;
    const body = this.scidAt + this.scidSize;
    if (body > end) return false;
    this.bodyAt = body;
    this.end = end;
    this.tokenSize = 0;
    if (this.version === undefined) {
      this.type = code === 0 ? PacketType.versionNegotiation : PacketType.initial;
      return true;
    }
    this.type = this.version.typeOfBits[((bytes[at]! >> 4) & 3) as 0 | 1 | 2 | 3];
    if (this.dcidSize > connectionIdMax || this.scidSize > connectionIdMax) return false;
    return this.type === PacketType.retry || this.#readLength(bytes, body, end);
  }

  #readLength(bytes: Uint8Array, from: number, end: number): boolean {
    let at = from;
    if (this.type === PacketType.initial) {
      const size = varintAt(bytes, at, end);
      if (!(size <= end - at)) return false;
      this.tokenAt = at + varintSpan(bytes[at]!);
      this.tokenSize = size;
      at = this.tokenAt + size;
    }
    const length = varintAt(bytes, at, end);
    if (Number.isNaN(length)) return false;
    this.bodyAt = at + varintSpan(bytes[at]!);
    this.end = this.bodyAt + length;
    return this.end <= end;
  }
}

/** Bytes of the length field that we write: two, since a packet of ours is never longer than 16383 bytes. */
export const lengthSize = 2;

/**
 * Writes a long header up to its packet number, and answers where that goes. The length stands in the two bytes before,
 * and is for `patchLength`.
 */
export function putLongHeader(
  into: Uint8Array,
  at: number,
  version: Version,
  type: 0 | 1 | 2,
  dcid: Uint8Array,
  scid: Uint8Array,
  token: Uint8Array,
  numberSize: number,
  fixedBit: boolean,
): number {
  let to = putInvariant(
    into,
    at,
    0x80 | (fixedBit ? 0x40 : 0) | (version.bitsOfType[type] << 4) | (numberSize - 1),
    version.code,
    dcid,
    scid,
  );
  if (type === PacketType.initial) {
    to = putVarint(into, to, token.length);
    into.set(token, to);
    to += token.length;
  }
  return to + lengthSize;
}

/** Bytes that `putLongHeader` writes, without the packet number. */
export function longHeaderSize(type: 0 | 1 | 2, dcid: Uint8Array, scid: Uint8Array, token: Uint8Array): number {
  const tokenSize = type === PacketType.initial ? varintSize(token.length) + token.length : 0;
  return 7 + dcid.length + scid.length + tokenSize + lengthSize;
}

export function patchLength(into: Uint8Array, numberAt: number, end: number): void {
  const length = end - numberAt;
  into[numberAt - 2] = 0x40 | (length >> 8);
  into[numberAt - 1] = length;
}

/** What every version has in common (RFC 8999 §5.1): first byte, version, ids. */
export function putInvariant(
  into: Uint8Array,
  at: number,
  first: number,
  code: number,
  dcid: Uint8Array,
  scid: Uint8Array,
): number {
  into[at] = first;
  into[at + 1] = code >>> 24;
  into[at + 2] = code >>> 16;
  into[at + 3] = code >>> 8;
  into[at + 4] = code;
  into[at + 5] = dcid.length;
  into.set(dcid, at + 6);
  const scidAt = at + 6 + dcid.length;
  into[scidAt] = scid.length;
  into.set(scid, scidAt + 1);
  return scidAt + 1 + scid.length;
}

/** Version Negotiation, RFC 9000 §17.2.1. `random` fills the seven bits that mean nothing. */
export function versionNegotiationPacket(
  dcid: Uint8Array,
  scid: Uint8Array,
  codes: readonly number[],
  random: number,
): Uint8Array {
  const packet = new Uint8Array(7 + dcid.length + scid.length + 4 * codes.length);
  let at = putInvariant(packet, 0, 0xc0 | (random & 0x3f), 0, dcid, scid);
  for (const code of codes) {
    for (let i = 0; i < 4; i++) packet[at + i] = code >>> (24 - 8 * i);
    at += 4;
  }
  return packet;
}

/** The versions that a Version Negotiation lists; undefined if it does not parse (RFC 9000 §17.2.1). */
export function listedVersions(bytes: Uint8Array, at: number, end: number): number[] | undefined {
  if (end === at || (end - at) % 4 !== 0) return undefined;
  const codes: number[] = [];
  for (let i = at; i < end; i += 4) {
    codes.push(((bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!) >>> 0);
  }
  return codes;
}

/** A Retry without its integrity tag, RFC 9000 §17.2.5. */
export function retryPacket(
  version: Version,
  dcid: Uint8Array,
  scid: Uint8Array,
  token: Uint8Array,
  random: number,
): Uint8Array {
  const packet = new Uint8Array(7 + dcid.length + scid.length + token.length);
  const first = 0xc0 | (version.bitsOfType[PacketType.retry] << 4) | (random & 0x0f);
  packet.set(token, putInvariant(packet, 0, first, version.code, dcid, scid));
  return packet;
}
