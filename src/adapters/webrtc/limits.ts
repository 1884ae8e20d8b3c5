/** Bytes of a STUN message that is read: checks are far smaller. */
export const stunSizeMax = 1_280;
/** Attributes of one message. */
export const attributesMax = 32;
/** Sessions on one port. */
export const sessionsMax = 1_024;
/** Remote addresses of one session that have passed a check; the oldest goes first. */
export const pairsMax = 16;
/** Milliseconds without an authentic check from the peer after which nothing is sent to it (RFC 7675 §5.1). */
export const consentMs = 30_000;
/** Bytes of a session description, its media sections, and lines of one. */
export const sdpSizeMax = 65_536;
export const mediaMax = 8;
