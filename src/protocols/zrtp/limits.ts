/** Retransmission of Hello: first interval, cap, and times (RFC 6189 §6, T1). */
export const t1 = { firstMs: 50, capMs: 200, times: 20 } as const;
/** Times for a Hello once there is evidence that the peer speaks ZRTP: 12 seconds of them (§6). */
export const helloTimesWithEvidence = 62;
/** Retransmission of every other message (§6, T2). */
export const t2 = { firstMs: 150, capMs: 1_200, times: 10 } as const;
/** How long a responder waits for the initiator's next message, in milliseconds (§6). */
export const responderPatienceMs = 10_000;
/**
 * How long an Error is held before it counts, in milliseconds: nothing proves it (§4.7.1), so whatever the peer proves in that
 * time says that it was forged. More than one interval of T2.
 */
export const errorHoldMs = 1_500;

/** Values of each kind that a Hello may list (§5.2). */
export const listedMax = 7;
/** Words of a signature block, its type included (§5.7). */
export const signatureWordsMax = 511;
/** Bytes of a message: a Confirm with the longest signature. */
export const messageSizeMax = 4 * (19 + signatureWordsMax);
/** Bytes of a packet: header, message, CRC (§5). */
export const packetSizeMax = 12 + messageSizeMax + 4;
/** Messages that wait to be sent; one more is dropped, and comes again by its timer. */
export const queuedMessagesMax = 8;
/** SAS that a PBX relays within a call and that are told. */
export const relaysMax = 8;
/** Answers a second, and at once, to what costs its sender nothing: repeated messages, and Pings. */
export const answersPerSecond = 10;
export const answerBurst = 10;
/** Hellos of different content that are taken up, one in place of the other, before a Commit has come. */
export const hellosMax = 8;

/** Media streams of one call, each of which spends a nonce of its own (§4.4.3.1). */
export const streamsMax = 64;
/** How long users may take to compare their words when they are asked, in milliseconds. */
export const comparingMs = 600_000;
/** Bytes of an auxiliary or a PBX secret. */
export const secretSizeMax = 1_024;
/** Peers whose retained secrets a store in memory keeps. */
export const cachedPeersMax = 1_024;
/** Cache expiration interval that means for ever (§4.9), in seconds: the recommended one. */
export const forever = 0xffff_ffff;
