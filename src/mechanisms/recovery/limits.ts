/** Ranges of received packet numbers that are remembered. */
export const ackRangesMax = 256;
/** RFC 9000 §13.2.2: an acknowledgement at least for every second packet that asks for one. */
export const ackEveryDefault = 2;
/** RFC 9002 §6.1.1, kPacketThreshold. */
export const reorderingDefault = 3;
