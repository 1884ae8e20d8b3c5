/** Bytes written and not yet sent above which a stream asks its writer to hold back, and below which it may go on. */
export const writeQueueMark = 1_048_576;
export const writeQueueLow = 524_288;
/** Bytes of data for which a STREAM frame is not worth its head, unless they are the last. */
export const frameDataMin = 16;
/** Priority of a stream of which nothing is said (RFC 9622 §8.1.2). */
export const priorityDefault = 100;
