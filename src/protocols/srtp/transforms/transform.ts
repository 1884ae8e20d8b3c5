/**
 * What one set of session keys does to packets, in place and without allocation. `at` is where the packet begins, `end`
 * where it ends. Sealing writes MKI and tag behind the packet and answers the new end; opening answers where the plain
 * packet ends, or -1 if the tag is wrong: then the packet holds nothing that may be used.
 */
export interface RtpTransform {
  /** Encrypts from `body` on, or nothing if `body` is `end`. `cryptex`: the packet is marked and wants gathering. */
  seal(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): number;
  open(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): number;
  destroy(): void;
}

/** As `RtpTransform`, for SRTCP (RFC 3711 §3.4): `word` is E and the index. */
export interface RtcpTransform {
  seal(bytes: Uint8Array, at: number, end: number, word: number): number;
  open(bytes: Uint8Array, at: number, end: number, word: number): number;
  destroy(): void;
}

/** The E-bit of an SRTCP packet's word: is it encrypted? */
export const encryptedFlag = 0x8000_0000;

/** Writes an MKI, a few bytes. */
export function putMki(bytes: Uint8Array, at: number, mki: Uint8Array): number {
  for (let i = 0; i < mki.length; i++) bytes[at + i] = mki[i]!;
  return at + mki.length;
}
