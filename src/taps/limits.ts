/** Children that the network may give one node of the candidate tree; more are cut off (RFC 9623 §12.2). */
export const childrenPerNodeMax = 16;
/** Leaves of one candidate tree. */
export const candidatesMax = 128;
/** Attempts of one race that may run at a time; the next begins when one has failed. */
export const attemptsAtOnceMax = 16;
/** Messages that one Connection holds for sending, and their bytes; more raise a SendError. */
export const sendQueueMessagesMax = 16_384;
export const sendQueueBytesMax = 64 * 1024 * 1024;
/** `trySend` and `writable` say no above this many queued bytes. */
export const sendQueueBytesMark = 256 * 1024;
/** Received bytes that wait for `receive`; above it the transport is paused, below half of it resumed. */
export const receiveQueueBytesMark = 1024 * 1024;
/** Datagrams that wait for `receive`; further ones are dropped and counted. */
export const receiveQueueMessagesMax = 4_096;
/** `receive` calls that wait. */
export const receiveRequestsMax = 1_024;
/** Bytes that a framer may leave unread before the Connection fails. */
export const framerBacklogBytesMax = 16 * 1024 * 1024;
/** Framers on one Connection. */
export const framersMax = 8;
/** Connections that a Listener holds until they are taken; further ones are aborted and counted. */
export const listenerBacklogMax = 1_024;
/** Inbound handshakes that one Listener runs at a time. */
export const listenerHandshakesMax = 4_096;
/** How long `close` waits for the peer's end after ours has been sent, milliseconds. */
export const lingerMs = 5_000;
/** Members of one Connection Group. */
export const groupMembersMax = 1_024;
/** Entries and ages of the caches (RFC 9623 §9). */
export const resolutionCacheEntriesMax = 1_024;
export const resolutionCacheMs = 30_000;
export const performanceCacheEntriesMax = 4_096;
export const performanceCacheMs = 10 * 60_000;
/** Datagram peers that one UDP Listener tells apart. */
export const datagramPeersMax = 16_384;
/** Greatest UDP payload over IPv4 and over IPv6 without jumbograms. */
export const udpPayloadMax = 65_507;
/** Sets of pins whose verifiers are kept with one list of anchors. */
export const verifiersPerAnchorsMax = 64;
/** Bytes of 0-RTT data that a ticket of a TLS Listener with `zeroRttMsg` allows. */
export const earlyDataMax = 16_384;
/** How long a session of ours outlives its last stream, milliseconds: the peer may be about to open one. */
export const sessionIdleGraceMs = 100;
/** Greatest Message that a Connection of Messages takes or sends on a stream of its own. */
export const streamMessageBytesMax = 16 * 1024 * 1024;
/** Bytes of Messages that are not whole yet, on all streams of a session; a stream that brings more is given up. */
export const incomingMessagesBytesMax = 64 * 1024 * 1024;
/** Largest DATAGRAM frame that a Connection of Messages takes (RFC 9221 §3): whatever fits a packet. */
export const datagramFrameMax = 65_535;
/** Servers whose address validation tokens are kept, and tokens for each. */
export const addressTokenServersMax = 256;
export const addressTokensPerServerMax = 4;
