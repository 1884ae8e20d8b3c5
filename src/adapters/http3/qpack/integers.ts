import { DecodeError, type Reader, type Writer } from "../../../bytes/index.js";

/** Integers of more bits than this are refused (RFC 9204 §4.1.1 wants 62; nothing here is ever that large). */
const bitsMax = 32;

/** The rest of an integer whose prefix of `prefixBits` is the low end of `first` (RFC 7541 §5.1). */
export function readPrefixed(from: Reader, first: number, prefixBits: number): number {
  const full = (1 << prefixBits) - 1;
  let value = first & full;
  if (value < full) return value;
  for (let shift = 0; ; shift += 7) {
    if (shift > bitsMax - 7) throw new DecodeError("an integer of QPACK above 2^32");
    const byte = from.u8();
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
}

/** Writes `value` behind the pattern bits of `first`. */
export function writePrefixed(to: Writer, first: number, prefixBits: number, value: number): void {
  const full = (1 << prefixBits) - 1;
  if (value < full) {
    to.u8(first | value);
    return;
  }
  to.u8(first | full);
  let rest = value - full;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) to.u8((rest % 0x80) | 0x80);
  to.u8(rest);
}
