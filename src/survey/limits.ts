/** Longest that one cell's proof may take, in milliseconds. */
export const cellMsMax = 15_000;
