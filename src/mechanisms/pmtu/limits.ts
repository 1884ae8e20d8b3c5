/** Probes of one size before it is taken for too large (RFC 8899 §5.1.2, MAX_PROBES). */
export const probesMax = 3;
/** The search ends when it knows the size to so many bytes. */
export const searchGrain = 16;
/** When to look for a larger size again (§5.1.1, PMTU_RAISE_TIMER). */
export const raiseAfterMs = 600_000;
/** Losses in a row of packets above the base size, none of that size acknowledged, that make a black hole (§4.3). */
export const missesMax = 4;
