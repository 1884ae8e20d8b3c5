/** CRC-32C (Castagnoli's polynomial, RFC 9260 Appendix A) of a range: it finds what lines do to packets, and proves nothing. */
export function crc32c(bytes: Uint8Array, at: number, end: number): number {
  let crc = 0xffff_ffff;
  for (let i = at; i < end; i++) crc = (crc >>> 8) ^ table[(crc ^ bytes[i]!) & 0xff]!;
  return ~crc >>> 0;
}

/** The polynomial 0x1edc6f41, least significant bit first. */
const reflected = 0x82f6_3b78;
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ reflected : crc >>> 1;
  return crc >>> 0;
});
