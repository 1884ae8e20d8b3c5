import type { AgreementName } from "../contract/crypto.js";

export type FfdheName = Extract<AgreementName, `ffdhe${string}`>;

/**
 * The groups of RFC 7919 appendix A. Generator 2; the prime is
 * `2^b - 2^(b-64) + (⌊2^(b-130)·e⌋ + X)·2^64 - 1`, so that one number X describes it.
 * Exponents have the sizes of §5.2, rounded up to whole bytes.
 */
export const ffdheGroups = {
  ffdhe2048: { bits: 2048, x: 560316n, exponentSize: 29 },
  ffdhe3072: { bits: 3072, x: 2625351n, exponentSize: 35 },
  ffdhe4096: { bits: 4096, x: 5736041n, exponentSize: 41 },
  ffdhe6144: { bits: 6144, x: 15705020n, exponentSize: 47 },
  ffdhe8192: { bits: 8192, x: 10965728n, exponentSize: 50 },
} as const satisfies Record<FfdheName, FfdheGroup>;

export interface FfdheGroup {
  readonly bits: number;
  readonly x: bigint;
  readonly exponentSize: number;
}

export function ffdhePrime({ bits, x }: FfdheGroup): bigint {
  const b = BigInt(bits);
  return (1n << b) - (1n << (b - 64n)) + ((eulerShifted(bits - 130) + x) << 64n) - 1n;
}

/** ⌊2^shift·e⌋ by the series of reciprocal factorials, with 64 guard bits. */
function eulerShifted(shift: number): bigint {
  let term = 1n << BigInt(shift + 64);
  let sum = 0n;
  for (let k = 1n; term > 0n; k++) {
    sum += term;
    term /= k;
  }
  return sum >> 64n;
}
