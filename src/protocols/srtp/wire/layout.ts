/**
 * Where things stand in RTP (RFC 3550 §5.1) and RTCP packets (§6.4.1); read in place, nothing is copied.
 *
 * ```
 *  RTP   V P X CC | M PT | sequence number | timestamp | SSRC | CSRC … | extension: profile, length, data | payload
 *  RTCP  V P RC   | PT   | length          | SSRC …
 * ```
 */
export const rtpLayout = { sequence: 2, timestamp: 4, ssrc: 8, fixedSize: 12 } as const;
export const rtcpLayout = { ssrc: 4, headerSize: 8 } as const;
/** E and the SRTCP index (RFC 3711 §3.4). */
export const indexSize = 4;
/** "Defined by profile" and length in front of an extension's data. */
export const extensionHeaderSize = 4;

export const u16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

export const u32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Bytes of the CSRC list. */
export const csrcSize = (bytes: Uint8Array, at: number): number => (bytes[at]! & 0x0f) << 2;

/** Is there a header extension? */
export const hasExtension = (bytes: Uint8Array, at: number): boolean => (bytes[at]! & 0x10) !== 0;

/** Bytes of the header of the RTP packet at `at`, with CSRCs and extension; 0 if it is none or does not fit `size`. */
export function rtpHeaderSize(bytes: Uint8Array, at: number, size: number): number {
  if (size < rtpLayout.fixedSize || bytes[at]! >> 6 !== 2) return 0;
  let header = rtpLayout.fixedSize + csrcSize(bytes, at);
  if (hasExtension(bytes, at)) {
    if (header + extensionHeaderSize > size) return 0;
    header += extensionHeaderSize + (u16(bytes, at + header + 2) << 2);
  }
  return header <= size ? header : 0;
}

/** Does an RTCP packet begin there, long enough for its first header and SSRC? */
export const isRtcp = (bytes: Uint8Array, at: number, size: number): boolean =>
  size >= rtcpLayout.headerSize && bytes[at]! >> 6 === 2;
