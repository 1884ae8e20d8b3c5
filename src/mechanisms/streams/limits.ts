import { packetsMax } from "../recovery/limits.js";

/** Gaps in what a stream has received. A peer that leaves more is not losing packets, it is attacking (RFC 9000 §21.6). */
export const gapsMax = 4_096;
/** Ranges lost, or acknowledged out of order: each is a packet at least, and of these so many are remembered. */
export const sentRangesMax: number = 2 * packetsMax;
/** Bytes of a block in which out-of-order data wait. */
export const blockSize = 8_192;
