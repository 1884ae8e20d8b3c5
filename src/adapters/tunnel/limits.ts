/** How long `close` waits for the connections inside to end by themselves, in milliseconds. */
export const drainMsDefault = 5_000;
/** Echoes whose answers `status` counts loss and round trips over. */
export const echoesKept = 32;
/** A session older than this is dead, and with it the tunnel until the next handshake (WireGuard's Reject-After-Time). */
export const sessionLifetimeMs = 180_000;
/** Size of a tunnel's file, in bytes. */
export const fileSizeMax = 1_048_576;
