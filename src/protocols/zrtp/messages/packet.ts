import { crc32c } from "../../../bytes/index.js";
import { messageSizeMax } from "../limits.js";

/**
 * What every message travels in (RFC 6189 §5, Figure 2), all numbers big-endian but the CRC's octets, which stand as those of
 * RFC 4960 Appendix B:
 *
 * ```
 *   0001 and 12 bits not used | sequence number | 'ZRTP' | source identifier | message … | CRC-32C
 * ```
 */
export const headerSize = 12;
export const crcSize = 4;
/** Preamble, length and type (§5.1.1). */
export const smallestMessage = 12;

const cookie = 0x5a52_5450;

export interface Packet {
  readonly sequence: number;
  /** The SSRC of the RTP stream that this is about. */
  readonly ssrc: number;
  /** A view of the packet. */
  readonly message: Uint8Array;
}

/** Writes a packet at the start of `into` and answers its size. */
export function putPacket(into: Uint8Array, sequence: number, ssrc: number, message: Uint8Array): number {
  into[0] = 0x10;
  into[1] = 0;
  into[2] = sequence >>> 8;
  into[3] = sequence;
  put32(into, 4, cookie);
  put32(into, 8, ssrc);
  into.set(message, headerSize);
  const end = headerSize + message.length;
  const crc = crc32c(into, 0, end);
  for (let i = 0; i < crcSize; i++) into[end + i] = crc >>> (8 * i);
  return end + crcSize;
}

/** The packet, or why it is none. The 12 bits that are not used are ignored. */
export function openPacket(bytes: Uint8Array): Packet | "malformed" | "bad-crc" {
  const end = bytes.length - crcSize;
  const size = end - headerSize;
  if (size < smallestMessage || size > messageSizeMax || (bytes[0]! & 0xf0) !== 0x10 || read32(bytes, 4) !== cookie) {
    return "malformed";
  }
  let crc = 0;
  for (let i = 0; i < crcSize; i++) crc |= bytes[end + i]! << (8 * i);
  if (crc >>> 0 !== crc32c(bytes, 0, end)) return "bad-crc";
  return {
    sequence: (bytes[2]! << 8) | bytes[3]!,
    ssrc: read32(bytes, 8),
    message: bytes.subarray(headerSize, end),
  };
}

function put32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

const read32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
