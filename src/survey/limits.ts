/** Longest that one cell's proof may take, in milliseconds. */
export const cellMsMax = 30_000;
/** Cells that are proven at the same time. */
export const cellsAtOnce = 8;
/** Bytes that a wire keeps of what passes. */
export const wireBytesMax = 16 * 1024 * 1024;
/** Characters of a real peer's output that are kept. */
export const outputMax = 1024 * 1024;
