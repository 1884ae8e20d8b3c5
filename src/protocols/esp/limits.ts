/** Bits of a replay window: it reaches 32 less back (RFC 4303 §3.4.3 asks for 32 and recommends 64; links here reorder more). */
export const replayWindowSize = 4_096;
/** Sequence numbers of 32 bits (RFC 4303 §3.3.3), and of 64 as far as a number counts. They are never used twice. */
export const sequenceMax = 2 ** 32 - 1;
export const extendedSequenceMax = 2 ** 53 - 1;
/** The share of them after which new keys are asked for. */
export const sequenceSoftShare = 7 / 8;
/** SPIs below are reserved (RFC 4303 §2.1); 0 marks what is not ESP (RFC 3948 §2.2). */
export const spiMin = 256;
/** Pairs of associations of one machine, those that only receive any more included. */
export const pairsMax = 4_096;
/** Traffic selectors of one side of a pair (their count is one byte in RFC 7296 §3.13). */
export const selectorsMax = 255;
/** Extension headers of an IPv6 packet that are walked to see what it carries. */
export const extensionHeadersMax = 8;
/** How long a pair that was removed `gently` goes on receiving: what was on its way by then has arrived. */
export const lingerMs = 5_000;
/** Silence after which a NAT outside is reminded of us (RFC 3948 §4). */
export const keepaliveMs = 20_000;
/** Inner packets that were given one by one and wait; the oldest goes first. */
export const stagedPacketsMax = 128;
/** Packets that one `transmit` batches, and the bytes of such a batch: what one send takes, in whole packets. */
export const batchPacketsMax = 64;
export const batchSizeMax = 65_000;
/** Largest inner packet in bytes where nobody says otherwise: 1500 less IPv6, UDP and the most that ESP adds. */
export const mtuDefault = 1_360;
/** Memory in which packets of transport mode get their headers back: a full batch with room for each header. */
export const rebuiltSize = 2 * 65_536;
/** IKE messages that one input can hold; more are dropped. */
export const ikeMessagesMax = 64;
