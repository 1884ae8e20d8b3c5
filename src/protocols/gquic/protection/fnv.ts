/** Bytes of the hash that stands before a packet's payload while there are no keys. */
export const hashSize = 12;

/** FNV-1a's offset basis for 128 bits, in limbs of 16 bits, the lowest first. */
const basis128 = [0xc58d, 0x6295, 0x2175, 0x62b8, 0x0142, 0x07bb, 0x272e, 0x6c62] as const;
/** Its prime is 2^88 + 0x13b. */
const prime128 = 0x13b;
const basis64 = [0x2325, 0x8422, 0x9ce4, 0xcbf2] as const;
/** 2^40 + 0x1b3. */
const prime64 = 0x1b3;

/** Of the packet in hand. */
const state = new Uint32Array(8);

/**
 * The low 96 bits of FNV-1a-128 over two ranges and a word, little-endian, in `into` at `at`: it guards against chance, not
 * against anybody (QUIC Crypto, "Null encryption").
 */
export function hashPacket(
  bytes: Uint8Array,
  headerAt: number,
  headerEnd: number,
  payloadAt: number,
  payloadEnd: number,
  word: Uint8Array,
  into: Uint8Array,
  at: number,
): void {
  for (let i = 0; i < 8; i++) state[i] = basis128[i]!;
  absorb(bytes, headerAt, headerEnd);
  absorb(bytes, payloadAt, payloadEnd);
  absorb(word, 0, word.length);
  for (let i = 0; i < hashSize / 2; i++) {
    into[at + 2 * i] = state[i]! & 255;
    into[at + 2 * i + 1] = state[i]! >>> 8;
  }
}

function absorb(bytes: Uint8Array, from: number, to: number): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
  for (let i = from; i < to; i++) {
    a ^= bytes[i]!;
    // Times 2^88 is a shift by five limbs and eight bits; what leaves the upper end is of no account.
    const f2 = (a << 8) & 0xffff;
    const g2 = ((b << 8) | (a >>> 8)) & 0xffff;
    const h2 = ((c << 8) | (b >>> 8)) & 0xffff;
    let carry = a * prime128;
    a = carry & 0xffff;
    carry = b * prime128 + (carry >>> 16);
    b = carry & 0xffff;
    carry = c * prime128 + (carry >>> 16);
    c = carry & 0xffff;
    carry = d * prime128 + (carry >>> 16);
    d = carry & 0xffff;
    carry = e * prime128 + (carry >>> 16);
    e = carry & 0xffff;
    carry = f * prime128 + f2 + (carry >>> 16);
    f = carry & 0xffff;
    carry = g * prime128 + g2 + (carry >>> 16);
    g = carry & 0xffff;
    h = (h * prime128 + h2 + (carry >>> 16)) & 0xffff;
  }
  state[0] = a;
  state[1] = b;
  state[2] = c;
  state[3] = d;
  state[4] = e;
  state[5] = f;
  state[6] = g;
  state[7] = h;
}

/** FNV-1a of 64 bits, little-endian: the name of a certificate in XLCT and CCRT. */
export function fnv64(bytes: Uint8Array): Uint8Array {
  let [a, b, c, d] = basis64 as readonly number[] as [number, number, number, number];
  for (const byte of bytes) {
    a ^= byte;
    const c2 = (a << 8) & 0xffff;
    const d2 = ((b << 8) | (a >>> 8)) & 0xffff;
    let carry = a * prime64;
    a = carry & 0xffff;
    carry = b * prime64 + (carry >>> 16);
    b = carry & 0xffff;
    carry = c * prime64 + c2 + (carry >>> 16);
    c = carry & 0xffff;
    d = (d * prime64 + d2 + (carry >>> 16)) & 0xffff;
  }
  return Uint8Array.of(a & 255, a >>> 8, b & 255, b >>> 8, c & 255, c >>> 8, d & 255, d >>> 8);
}
