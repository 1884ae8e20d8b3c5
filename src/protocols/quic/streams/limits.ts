import { packetsMax } from "../../../mechanisms/recovery/limits.js";

/** Bytes written and not yet sent above which a stream asks its writer to hold back, and below which it may go on. */
export const writeQueueMark = 1_048_576;
export const writeQueueLow = 524_288;
/** Gaps in what a stream has received. A peer that leaves more is not losing packets, it is attacking (RFC 9000 §21.6). */
export const gapsMax = 4_096;
/** Ranges lost, or acknowledged out of order: each is a packet at least, and of these so many are remembered. */
export const sentRangesMax: number = 2 * packetsMax;
/** Bytes of a block in which out-of-order data wait. */
export const blockSize = 8_192;
/** Bytes of data for which a STREAM frame is not worth its head, unless they are the last. */
export const frameDataMin = 16;
/** Priority of a stream of which nothing is said (RFC 9622 §8.1.2). */
export const priorityDefault = 100;
