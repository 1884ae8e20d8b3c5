/*
 * Arithmetic of FIPS 203 in Z_q[X]/(X^256 + 1), q = 3329, on 256 numbers of 16 bits at an offset of a larger array.
 *
 * Products are reduced by Montgomery's way: reduce(a) = a / 2^16 mod q, in (-q, q), with integer multiplications and
 * shifts alone. No division and no branch depends on a coefficient, since most coefficients are secret.
 */

export const q = 3329;
/** q^-1 mod 2^16, as a signed number. */
const qInverse = -3327;
/** 2^32 mod q: reduce(x · this) brings x into Montgomery's domain. */
const intoDomain = 1353;
/** 2^32 / 128 mod q: what the inverse transform scales with, which also undoes one reduction. */
const inverseScale = 1441;

function reduce(a: number): number {
  const m = (Math.imul(a, qInverse) << 16) >> 16;
  return (a - Math.imul(m, q)) >> 16;
}

/** A number of 16 bits to its nearest to zero; 20159 is 2^26 / q, rounded. */
function center(a: number): number {
  return a - Math.imul((Math.imul(a, 20159) + (1 << 25)) >> 26, q);
}

/** Powers of ζ = 17 in bit-reversed order, in Montgomery's domain (FIPS 203 appendix A). */
const zetas = Int16Array.from({ length: 128 }, (_, i) => {
  let reversed = 0;
  for (let bit = 0; bit < 7; bit++) reversed |= ((i >> bit) & 1) << (6 - bit);
  let power = 65536 % q;
  for (let n = 0; n < reversed; n++) power = (power * 17) % q;
  return center(power);
});

/** Algorithm 9. Coefficients grow to at most 8 q. */
export function transform(p: Int16Array, at: number): void {
  for (let k = 1, half = 128; half >= 2; half >>= 1) {
    for (let start = at; start < at + 256; start += 2 * half) {
      const zeta = zetas[k++]!;
      for (let j = start; j < start + half; j++) {
        const t = reduce(Math.imul(zeta, p[j + half]!));
        const low = p[j]!;
        p[j + half] = low - t;
        p[j] = low + t;
      }
    }
  }
  tidy(p, at);
}

/** Algorithm 10, times 2^16: it takes the sums of `multiplyInto`, which are over 2^16. */
export function transformBack(p: Int16Array, at: number): void {
  for (let k = 127, half = 2; half <= 128; half <<= 1) {
    for (let start = at; start < at + 256; start += 2 * half) {
      const zeta = zetas[k--]!;
      for (let j = start; j < start + half; j++) {
        const low = p[j]!;
        const high = p[j + half]!;
        p[j] = center(low + high);
        p[j + half] = reduce(Math.imul(zeta, high - low));
      }
    }
  }
  for (let j = at; j < at + 256; j++) p[j] = reduce(Math.imul(p[j]!, inverseScale));
}

/** Σ a_i · b_i / 2^16 of transformed vectors (Algorithms 11 and 12); `stepA` lies between the polynomials of `a`. */
export function multiplyInto(
  sum: Int16Array,
  a: Int16Array,
  aAt: number,
  stepA: number,
  b: Int16Array,
  count: number,
): void {
  for (let j = 0; j < 256; j += 4) {
    const zeta = zetas[64 + (j >> 2)]!;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let i = 0; i < count; i++) {
      const x = aAt + i * stepA + j;
      const y = 256 * i + j;
      const [a0, a1, a2, a3] = [a[x]!, a[x + 1]!, a[x + 2]!, a[x + 3]!];
      const [b0, b1, b2, b3] = [b[y]!, b[y + 1]!, b[y + 2]!, b[y + 3]!];
      s0 += reduce(Math.imul(zeta, reduce(Math.imul(a1, b1)))) + reduce(Math.imul(a0, b0));
      s1 += reduce(Math.imul(a0, b1)) + reduce(Math.imul(a1, b0));
      s2 += reduce(Math.imul(a2, b2)) - reduce(Math.imul(zeta, reduce(Math.imul(a3, b3))));
      s3 += reduce(Math.imul(a2, b3)) + reduce(Math.imul(a3, b2));
    }
    sum[j] = center(s0);
    sum[j + 1] = center(s1);
    sum[j + 2] = center(s2);
    sum[j + 3] = center(s3);
  }
}

/** Undoes the division by 2^16 of `multiplyInto`. */
export function restore(p: Int16Array): void {
  for (let j = 0; j < 256; j++) p[j] = reduce(Math.imul(p[j]!, intoDomain));
}

export function tidy(p: Int16Array, at: number): void {
  for (let j = at; j < at + 256; j++) p[j] = center(p[j]!);
}

/** The coefficient between 0 and q - 1. */
function positive(a: number): number {
  const centered = center(a);
  return centered + ((centered >> 31) & q);
}

/**
 * Algorithm 7 over a stream of bytes, three for two candidates. False if the stream was too short. Its input is public,
 * so it may branch.
 */
export function sampleUniform(p: Int16Array, at: number, stream: Uint8Array): boolean {
  let filled = 0;
  for (let i = 0; i + 2 < stream.length; i += 3) {
    const first = stream[i]! | ((stream[i + 1]! & 15) << 8);
    const second = (stream[i + 1]! >> 4) | (stream[i + 2]! << 4);
    if (first < q) p[at + filled++] = first;
    if (filled < 256 && second < q) p[at + filled++] = second;
    if (filled === 256) return true;
  }
  return false;
}

/** Algorithm 8: differences of sums of η bits. */
export function sampleBinomial(p: Int16Array, at: number, bytes: Uint8Array, eta: 2 | 3): void {
  let bits = 0;
  let held = 0;
  let next = 0;
  for (let j = 0; j < 256; j++) {
    for (; held < 2 * eta; held += 8) bits |= bytes[next++]! << held;
    let value = 0;
    for (let i = 0; i < eta; i++) value += ((bits >> i) & 1) - ((bits >> (eta + i)) & 1);
    p[at + j] = value;
    bits >>= 2 * eta;
    held -= 2 * eta;
  }
}

/** ByteEncode_12 (Algorithm 5). */
export function encode12(p: Int16Array, at: number, into: Uint8Array, intoAt: number): void {
  for (let j = 0, o = intoAt; j < 256; j += 2, o += 3) {
    const [first, second] = [positive(p[at + j]!), positive(p[at + j + 1]!)];
    into[o] = first;
    into[o + 1] = (first >> 8) | (second << 4);
    into[o + 2] = second >> 4;
  }
}

/** ByteDecode_12 (Algorithm 6); false if a number was not reduced, which FIPS 203 §7.2 forbids a public key. */
export function decode12(p: Int16Array, at: number, from: Uint8Array, fromAt: number): boolean {
  let reduced = true;
  for (let j = 0, i = fromAt; j < 256; j += 2, i += 3) {
    const first = from[i]! | ((from[i + 1]! & 15) << 8);
    const second = (from[i + 1]! >> 4) | (from[i + 2]! << 4);
    reduced &&= first < q && second < q;
    p[at + j] = first;
    p[at + j + 1] = second;
  }
  return reduced;
}

/**
 * Compress_d and ByteEncode_d: ⌈2^d / q · x⌋ mod 2^d. Divided by way of a product with ⌈2^36 / q⌉, exact in a
 * double, since a division instruction may take a time that depends on its operands.
 */
export function compress(p: Int16Array, at: number, d: number, into: Uint8Array, intoAt: number): void {
  let bits = 0;
  let held = 0;
  let o = intoAt;
  const scale = 2 ** d;
  for (let j = 0; j < 256; j++) {
    const quotient = (positive(p[at + j]!) * scale + (q - 1) / 2) * reciprocal * shift36;
    bits |= ((quotient | 0) & (scale - 1)) << held;
    for (held += d; held >= 8; held -= 8, bits >>= 8) into[o++] = bits;
  }
}

const reciprocal = Math.ceil(2 ** 36 / q);
const shift36 = 2 ** -36;

/** ByteDecode_d and Decompress_d: ⌈q / 2^d · y⌋. */
export function decompress(p: Int16Array, at: number, d: number, from: Uint8Array, fromAt: number): void {
  let bits = 0;
  let held = 0;
  let i = fromAt;
  const mask = (1 << d) - 1;
  for (let j = 0; j < 256; j++) {
    for (; held < d; held += 8) bits |= from[i++]! << held;
    p[at + j] = (Math.imul(bits & mask, q) + (1 << (d - 1))) >> d;
    bits >>= d;
    held -= d;
  }
}
