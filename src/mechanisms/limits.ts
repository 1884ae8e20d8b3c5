/** Bytes a stream machine may count on in `transmit`: the largest record of any protocol here (TLS 1.2, RFC 5246 §6.2.3). */
export const transmitSizeMin = 5 + 16_384 + 2048;
/**
 * Bytes of a transmit slab: eight full TLS records, few enough to stay in the second cache. A
 * datagram machine gets a whole one, which holds any UDP datagram and any batch that an operating system takes.
 */
export const slabSize = 7 * 16_640 + transmitSizeMin;
/** Slabs that a host keeps for reuse; more are left to the garbage collector. */
export const slabsKeptMax = 64;
/** Output up to this size gets memory of its own, so that a stalled peer with little to send pins no slab. */
export const ownMemoryMax = 1024;
/** How long a question may stay unanswered before the answer is no. */
export const questionTimeoutMs = 60_000;
