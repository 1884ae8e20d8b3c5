import type { AgreementName } from "../contract/crypto.js";

export type FiniteFieldName = Extract<AgreementName, `ffdhe${string}` | `modp${string}`>;

/**
 * The groups of RFC 7919 appendix A, and those of RFC 3526 §3 to §7 that ZRTP and IKEv2 have. Generator 2; the prime is
 * `2^b - 2^(b-64) + (⌊2^(b-130)·c⌋ + X)·2^64 - 1` with Euler's number or π for c, so that one number X describes it.
 * Exponents have the sizes of RFC 7919 §5.2, rounded up to whole bytes, and of RFC 6189 §5.1.5: twice an AES key's.
 */
export const finiteFields = {
  ffdhe2048: { bits: 2048, constant: "e", x: 560316n, exponentSize: 29 },
  ffdhe3072: { bits: 3072, constant: "e", x: 2625351n, exponentSize: 35 },
  ffdhe4096: { bits: 4096, constant: "e", x: 5736041n, exponentSize: 41 },
  ffdhe6144: { bits: 6144, constant: "e", x: 15705020n, exponentSize: 47 },
  ffdhe8192: { bits: 8192, constant: "e", x: 10965728n, exponentSize: 50 },
  modp2048: { bits: 2048, constant: "pi", x: 124476n, exponentSize: 32 },
  modp3072: { bits: 3072, constant: "pi", x: 1690314n, exponentSize: 64 },
  modp4096: { bits: 4096, constant: "pi", x: 240904n, exponentSize: 64 },
  modp6144: { bits: 6144, constant: "pi", x: 929484n, exponentSize: 64 },
  modp8192: { bits: 8192, constant: "pi", x: 4743158n, exponentSize: 64 },
} as const satisfies Record<FiniteFieldName, FiniteField>;

export interface FiniteField {
  readonly bits: number;
  readonly constant: "e" | "pi";
  readonly x: bigint;
  readonly exponentSize: number;
}

export function fieldPrime({ bits, constant, x }: FiniteField): bigint {
  const b = BigInt(bits);
  const shifted = (constant === "e" ? euler : pi)(bits - 130 + guardBits) >> BigInt(guardBits);
  return (1n << b) - (1n << (b - 64n)) + ((shifted + x) << 64n) - 1n;
}

/** Bits that are worked out and thrown away, for the errors of so many terms. */
const guardBits = 64;

/** 2^shift·e by the series of reciprocal factorials. */
function euler(shift: number): bigint {
  let term = 1n << BigInt(shift);
  let sum = 0n;
  for (let k = 1n; term > 0n; k++) {
    sum += term;
    term /= k;
  }
  return sum;
}

/** 2^shift·π by Machin's formula: π/4 = 4·arctan(1/5) - arctan(1/239). */
function pi(shift: number): bigint {
  const one = 1n << BigInt(shift);
  return 16n * arctangentOfReciprocal(5n, one) - 4n * arctangentOfReciprocal(239n, one);
}

function arctangentOfReciprocal(x: bigint, one: bigint): bigint {
  let power = one / x;
  let sum = 0n;
  for (let k = 1n; power > 0n; k += 2n) {
    sum += k % 4n === 1n ? power / k : -(power / k);
    power /= x * x;
  }
  return sum;
}
