/** The whitepaper's constants (§6.1), in milliseconds, and this room's own bounds. */

/** A session's initiator starts a new handshake when it sends and the session is this old. */
export const rekeyAfterMs = 120_000;
/** Neither side sends or accepts under keys this old. */
export const rejectAfterMs = 180_000;
/** Time to wait for a response before the next initiation, and the least time between two to one peer. */
export const rekeyTimeoutMs = 5_000;
/** Initiations are given up this long after the first. */
export const rekeyAttemptMs = 90_000;
/** Most jitter added to a retry, so that two peers that started together fall apart. */
export const rekeyJitterMaxMs = 333;
/** An answer is owed this long after data: an empty packet if there is nothing to say. */
export const keepaliveTimeoutMs = 10_000;
/** Without a new session for this long, all keys of a peer are wiped (§6.3). */
export const wipeAfterMs = 3 * rejectAfterMs;

/** A session's keys are renewed after this many messages; the paper's 2^60 is more than a number here can count. */
export const rekeyAfterMessages = 2 ** 52;
/** Counters from here on are neither sent nor accepted. */
export const rejectAfterMessages = 2 ** 53 - 2 ** 13 - 1;

/** Lifetime of a cookie and of the secret behind it (§5.3). */
export const cookieLifetimeMs = 120_000;
/** How long before its end an initiator stops using a cookie, so that it does not die on the way. */
export const cookieLatencyMs = 5_000;

/** Handshake messages a second above which the machine is under load and wants a cookie (§5.3). */
export const handshakesPerSecondMax = 128;
/** How long load lasts after it was last seen. */
export const underLoadMs = 1_000;
/** Under load, handshake messages from one source address: this many a second after a burst of so many. */
export const perSourceRate = 20;
export const perSourceBurst = 5;
/** Sources that the rate limiter remembers; when it is full, new sources wait. */
export const sourcesMax = 4_096;
/** Two initiations of one peer closer together than this are a flood. */
export const initiationIntervalMinMs = 20;

/** Handshake messages that wait to be sent while the port takes none; more are dropped. */
export const outgoingMessagesMax = 1_024;
/** Packets of one peer that wait for a handshake; the oldest goes first. */
export const stagedPacketsMax = 128;
/** Peers of one machine. */
export const peersMax = 65_536;
/** Unknown peers that wait for the application's word. */
export const pendingAcceptsMax = 64;
/** How long an unknown peer's initiation is answered after that word; by then the peer has sent another. */
export const acceptTimeoutMs = rekeyTimeoutMs;
/**
 * Sessions of a peer, beside the paper's three (§6.2), that still receive: when both ends renew at once, each goes on
 * sending under its last one for a round trip after the other has put it away twice.
 */
export const retiredSessionsMax = 2;
/** Width of the replay window in packets (RFC 6479; the value of the first implementation). */
export const replayWindowSize = 8_192;
/** Default MTU inside: 1500 less IPv6, UDP and WireGuard's own 80 bytes. */
export const defaultMtu = 1_420;
/** Transport messages that one `transmit` batches. */
export const batchPacketsMax = 64;
/** Bytes of such batches: what one send takes (a UDP datagram's own maximum, in whole messages). */
export const batchSizeMax = 65_000;
/** Bytes around an inner packet: type, receiver, counter and tag (§5.4.6). */
export const transportOverhead = 32;
