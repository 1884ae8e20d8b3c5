/** Bytes that a simulated stream keeps under way or unread, per direction. */
export const streamWindow = 256 * 1024;
/** Bytes queued on a stream port at which `write` answers false, and at which `drained` is told. */
export const streamQueueMark = 256 * 1024;
export const streamQueueLow = 64 * 1024;
/** Bytes of a simulated TCP segment. */
export const segmentSizeMax = 1400;
/** First, least and greatest time until a segment is sent again, in milliseconds (RFC 6298 §2 has the same first). */
export const retransmitFirstMs = 1000;
export const retransmitMsMin = 200;
export const retransmitMsMax = 60_000;
/** Times that one segment is sent again before the connection is given up. */
export const retransmitsMax = 8;
/** Connections that a listener has seen a SYN of and not yet an ACK. */
export const halfOpenMax = 1024;
/** Bytes queued at a link with a rate, unless it says otherwise. */
export const linkQueueBytes = 256 * 1024;
/** Mappings of a NAT; the one that was not used for longest gives way. */
export const natMappingsMax = 65_536;
/** Nodes that a packet passes before it is dropped (RFC 791's time to live). */
export const hopsMax = 64;
/** Virtual time that `until` waits, in milliseconds, unless told otherwise: ten minutes. */
export const untilMsDefault = 600_000;
/** Events at one moment of virtual time: more is a machine that spins. */
export const eventsAtOneMomentMax = 1_000_000;
