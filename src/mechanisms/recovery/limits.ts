/** Ranges of received packet numbers that are remembered. */
export const ackRangesMax = 256;
/** RFC 9000 §13.2.2: an acknowledgement at least for every second packet that asks for one. */
export const ackEveryDefault = 2;
/** RFC 9002 §6.1.1, kPacketThreshold. */
export const reorderingDefault = 3;
/** The most that reordering may raise it to, once losses proved spurious (§6.1.1). */
export const reorderingMax = 128;
/** RFC 9002 §6.1.2, kTimeThreshold, and the most that reordering may raise it to. */
export const timeThresholdDefault = 9 / 8;
export const timeThresholdMax = 2;
/** RFC 9002 §6.1.2, kGranularity. */
export const granularityMs = 1;
/** RFC 9002 §6.2.2, kInitialRtt. */
export const initialRttMsDefault = 333;
/** RFC 9002 §7.6.1, kPersistentCongestionThreshold, in probe timeouts. */
export const persistentCongestionThreshold = 3;
/** Packets that a probe timeout sends (RFC 9002 §6.2.4). */
export const probesPerTimeout = 2;
/** Doublings of the probe timeout at most: the longest wait is bounded by the idle timeout anyway. */
export const backoffMax = 10;
/** Probe timeouts that a lost packet is remembered for, in case it arrives after all (RFC 9002 §6.1). */
export const lostKeptTimeouts = 3;
/** Slots of a table of sent packets at first and at most. */
export const packetsFirst = 16;
export const packetsMax = 65_536;
