/** Bytes queued on a stream port at which `write` answers false. */
export const streamQueueMark = 512 * 1024;
/** Bytes queued at which `drained` is told: enough left to keep the network busy meanwhile. */
export const streamQueueLow = 128 * 1024;
/** Writes up to this size wait for the end of the tick, so that many leave in one system call. */
export const corkSizeMax = 8 * 1024;
/** Bytes queued on a datagram port at which it is blocked, and writable again. */
export const datagramQueueMark = 256 * 1024;
export const datagramQueueLow = 64 * 1024;
/** Bytes that wait in a native datagram port; what is sent beyond is dropped and counted. */
export const datagramQueueMax = 1024 * 1024;
/** Segments and bytes of one batch that the kernel is given (UDP_MAX_SEGMENTS; a UDP datagram's own maximum). */
export const segmentsMax = 64;
export const segmentedSizeMax = 65_000;
/** Datagrams up to this size are copied before they are sent. */
export const copiedSizeMax = 2_048;
/** Reads of one port before the others have their turn. */
export const datagramReadsMax = 32;
/** Buffers asked of the kernel for each direction of a native datagram port; it gives what its own limits allow. */
export const socketBufferSize = 4 * 1024 * 1024;
/** How long the probe of the native datagram path waits for its own datagrams. */
export const datagramProbeMs = 500;
/** Connections that wait to be accepted, as Node has it. */
export const backlogDefault = 511;
/** Longest timer that Node takes, in milliseconds; longer waits are made of several. */
export const timerMax = 2 ** 31 - 1;
/** How far wall-clock time may run ahead, in milliseconds, before the clock is moved up to it, and how often to look. */
export const clockLagMax = 250;
export const clockCheckMs = 1000;
/** Bytes of a file that is read whole: stores, certificates. */
export const fileSizeMax = 16 * 1024 * 1024;
/** Bytes waiting for a slow key log or capture file; what comes beyond is dropped and counted. */
export const sinkQueueMax = 64 * 1024 * 1024;
/** Bytes of the slabs that reads are carved from: the first, and what a connection grows to that has much to read. */
export const readSlabSizes = [4 * 1024, 64 * 1024, 1024 * 1024] as const;
/** How long a capture holds packets back, so that their secrets come to stand before them, in milliseconds. */
export const captureHoldMs = 100;
/** Bytes that it holds back at most. */
export const captureHoldBytesMax = 1 << 20;
/** Reads of a TUN device, and bytes of its super-packets, before others have their turn. */
export const tunReadsMax = 64;
export const tunTurnSizeMax = 8 * 65_536;
