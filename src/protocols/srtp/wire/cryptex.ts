import { csrcSize, extensionHeaderSize, hasExtension, rtpLayout, u16 } from "./layout.js";

/**
 * Cryptex (RFC 9335): CSRCs and header extensions are encrypted with the payload; the "defined by profile" field says so.
 * Cipher and associated data want contiguous input (§6.2), so the extension's four bytes change places with the CSRCs for
 * as long as the cipher works:
 *
 * ```
 *   on the wire    fixed header | CSRC … | profile, length | data … payload
 *   in the cipher  fixed header | profile, length | CSRC … | data … payload
 *                  clear, associated              | encrypted
 * ```
 */
const oneByte = 0xbede;
const twoByte = 0x1000;
const cryptexOneByte = 0xc0de;
const cryptexTwoByte = 0xc2de;

/** Where the ciphertext begins while the packet is gathered. */
export const cryptexBody: number = rtpLayout.fixedSize + extensionHeaderSize;

const profileAt = (bytes: Uint8Array, at: number): number => at + rtpLayout.fixedSize + csrcSize(bytes, at);

function put(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/**
 * Marks a packet for Cryptex (§5.1). A packet with CSRCs and no extension gets an empty one, for which there are four
 * bytes of room behind it. Answers the bytes that the packet has grown by, or -1 if it has nothing to hide or an
 * extension that is not RFC 8285's: then it is as it was.
 */
export function markCryptex(bytes: Uint8Array, at: number, end: number): number {
  const field = profileAt(bytes, at);
  if (hasExtension(bytes, at)) {
    const profile = u16(bytes, field);
    if (profile === oneByte) put(bytes, field, cryptexOneByte);
    else if ((profile & 0xfff0) === twoByte) put(bytes, field, cryptexTwoByte);
    else return -1;
    return 0;
  }
  if (csrcSize(bytes, at) === 0) return -1;
  bytes.copyWithin(field + extensionHeaderSize, field, end);
  put(bytes, field, cryptexOneByte);
  put(bytes, field + 2, 0);
  bytes[at]! |= 0x10;
  return extensionHeaderSize;
}

/** Is the packet marked (§5.2)? */
export function isCryptex(bytes: Uint8Array, at: number): boolean {
  if (!hasExtension(bytes, at)) return false;
  const profile = u16(bytes, profileAt(bytes, at));
  return profile === cryptexOneByte || profile === cryptexTwoByte;
}

/** Has it what Cryptex would hide? */
export const hasHeaderToHide = (bytes: Uint8Array, at: number): boolean =>
  hasExtension(bytes, at) || csrcSize(bytes, at) > 0;

/** Gives a decrypted packet the field that its extension had before (§6.3). */
export function unmarkCryptex(bytes: Uint8Array, at: number): void {
  const field = profileAt(bytes, at);
  put(bytes, field, u16(bytes, field) === cryptexOneByte ? oneByte : twoByte);
}

/** Brings the extension's four bytes before the CSRCs. */
export function gather(bytes: Uint8Array, at: number): void {
  const from = at + rtpLayout.fixedSize;
  const size = csrcSize(bytes, at);
  if (size === 0) return;
  const profile = u16(bytes, from + size);
  const length = u16(bytes, from + size + 2);
  bytes.copyWithin(from + extensionHeaderSize, from, from + size);
  put(bytes, from, profile);
  put(bytes, from + 2, length);
}

/** And back. */
export function scatter(bytes: Uint8Array, at: number): void {
  const from = at + rtpLayout.fixedSize;
  const size = csrcSize(bytes, at);
  if (size === 0) return;
  const profile = u16(bytes, from);
  const length = u16(bytes, from + 2);
  bytes.copyWithin(from, from + extensionHeaderSize, from + extensionHeaderSize + size);
  put(bytes, from + size, profile);
  put(bytes, from + size + 2, length);
}
