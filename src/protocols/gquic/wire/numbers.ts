/** Four bytes, the first on top: a version's code, and whatever else is as long. */
export const u32At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

export function putU32(into: Uint8Array, at: number, number: number): number {
  into[at] = number >>> 24;
  into[at + 1] = number >>> 16;
  into[at + 2] = number >>> 8;
  into[at + 3] = number;
  return at + 4;
}

/** A whole number of `size` bytes, 1 to 8, exact up to 2^53 and infinite above. */
export function uintAt(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i++) value = value * 256 + bytes[i]!;
  return value > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : value;
}

/** Writes it in so many bytes, of which it may need more: then only the lowest are written. */
export function putUint(into: Uint8Array, at: number, size: number, value: number): number {
  let rest = value;
  for (let i = at + size - 1; i >= at; i--) {
    into[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + size;
}

/** Delays are a float of 5 bits of exponent and 11 of mantissa, in microseconds (QUIC-Wire-Layout, "ACK Frame"). */
const mantissaBits = 11;
const hiddenBit = 1 << mantissaBits;
const floatMax = 0x3ff_c000_0000;

export function float16Of(micros: number): number {
  if (!(micros >= 1)) return 0;
  if (micros >= floatMax) return 0xffff;
  if (micros < hiddenBit) return Math.floor(micros);
  let exponent = 1;
  let mantissa = Math.floor(micros);
  while (mantissa >= 2 * hiddenBit) {
    mantissa = Math.floor(mantissa / 2);
    exponent++;
  }
  return (exponent << mantissaBits) | (mantissa - hiddenBit);
}

export function fromFloat16(value: number): number {
  const exponent = value >> mantissaBits;
  const mantissa = value & (hiddenBit - 1);
  return exponent === 0 ? mantissa : (mantissa | hiddenBit) * 2 ** (exponent - 1);
}
