import { packetsMax } from "../recovery/limits.js";

/** Gaps in what a stream has received. A peer that leaves more is not losing packets, it is attacking (RFC 9000 §21.6). */
export const gapsMax = 4_096;
/** Ranges lost, or acknowledged out of order: each is a packet at least, and of these so many are remembered. */
export const sentRangesMax: number = 2 * packetsMax;
/** Bytes of a block in which out-of-order data wait. */
export const blockSize = 8_192;
/** A receive window that is used up in fewer round trips than this is too small for its path, and doubles. */
export const tuneRoundTrips = 2;
/** A connection's window is at least so many times that of its greatest stream, so that one stream cannot starve it. */
export const connectionFactor = 1.5;
/** What windows may grow to, unless the application says otherwise. */
export const connectionWindowMaxDefault = 25_165_824;
export const streamWindowMaxDefault = 16_777_216;
/** Bytes written and not yet sent above which a stream asks its writer to hold back, and below which it may go on. */
export const writeQueueMark = 1_048_576;
export const writeQueueLow = 524_288;
/** Bytes of data for which a STREAM frame is not worth its head, unless they are the last. */
export const frameDataMin = 16;
/** Priority of a stream of which nothing is said (RFC 9622 §8.1.2). */
export const priorityDefault = 100;
