/** How long `close` waits for the connections inside to end by themselves, in milliseconds. */
export const drainMsDefault = 5_000;
/** Echoes whose answers `status` counts loss and round trips over. */
export const echoesKept = 32;
/** Size of a tunnel's file, in bytes. */
export const fileSizeMax = 1_048_576;
