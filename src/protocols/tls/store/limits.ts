/** Keys that a memory store keeps; the least recently used goes first. */
export const storeKeysMax = 10_000;
/** Sessions under one key. A client opens about that many connections at once to one server. */
export const sessionsPerKeyMax = 8;
/** Seconds that a ticket lives at most: RFC 9846 §4.7.1. */
export const ticketLifetimeMaxS = 604_800;
/** Tickets sealed under one key, where nonces are random: 2^-32 is the chance that two are the same (RFC 5116 §5.1.1). */
export const ticketsPerKeyMax = 2 ** 32;
/** Keys in a ring: the newest seals, all open. */
export const ticketKeysMax = 16;
/** First flights of early data that a strike register remembers in each of its two windows. */
export const strikesMax = 100_000;
