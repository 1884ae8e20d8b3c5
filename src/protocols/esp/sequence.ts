const half = 2 ** 32;

/**
 * The whole of an extended sequence number whose lower half came: the one nearest to a window of `size` numbers that ends with
 * `greatest` (RFC 4303 appendix A2.2, RFC 4304). Negative for one before the first.
 */
export function wholeSequence(low: number, greatest: number, size: number): number {
  const top = Math.max(0, greatest);
  const topHigh = Math.floor(top / half);
  const topLow = top - topHigh * half;
  const bottom = topLow - size + 1;
  if (bottom >= 0) return (low >= bottom ? topHigh : topHigh + 1) * half + low;
  return (low >= bottom + half ? topHigh - 1 : topHigh) * half + low;
}
