/** Every bound of the stack. Times are in milliseconds, sizes in bytes. */

// IP
/** Datagrams being put together at one time, and the bytes that all of them may hold (RFC 791, RFC 8200 §4.5). */
export const reassembliesMax = 64;
export const reassemblyBytesMax = 1 << 20;
export const fragmentsPerDatagramMax = 64;
/** RFC 8200 §4.5: sixty seconds after the first fragment. */
export const reassemblyTimeoutMs = 60_000;
/** Extension headers of one packet (RFC 8200 §4.1 knows seven). */
export const extensionHeadersMax = 8;
/** Destinations whose path MTU is remembered, and for how long (RFC 8201 §5.4: ten minutes). */
export const pathMtusMax = 1_024;
export const pathMtuLifetimeMs = 600_000;
export const ipv4MtuMin = 576;
/** Packet sizes that are tried in turn where larger ones vanish untold (RFC 8899 §5.1.2, RFC 4821 §7.2). */
export const blackHoleMtus = [1_280, 1_024, ipv4MtuMin] as const;
/** So many timeouts in a row of a packet too large for the next of these are taken for a black hole (RFC 8899 §4.3). */
export const blackHoleTimeouts = 2;
/** How long until larger ones are tried again (RFC 8899 §5.1.1, PMTU_RAISE_TIMER). */
export const pathMtuRaiseMs = 600_000;
export const ipv6MtuMin = 1_280;
export const hopLimitDefault = 64;

// Ethernet
/** Neighbours whose hardware addresses are remembered. */
export const neighboursMax = 1_024;
/** Packets that wait for one neighbour's address (RFC 4861 §7.2.2 asks for one at the least). */
export const neighbourQueueMax = 16;
/** RFC 4861 §10: an address is believed this long, is asked for so many times, so far apart. */
export const neighbourReachableMs = 30_000;
export const neighbourSolicitsMax = 3;
export const neighbourRetransmitMs = 1_000;
/** RFC 5227 §1.1, in its order: PROBE_WAIT, PROBE_NUM, PROBE_MAX - PROBE_MIN, ANNOUNCE_WAIT, ANNOUNCE_NUM and _INTERVAL, DEFEND_INTERVAL. */
export const probeDelayMaxMs = 1_000;
export const probesMax = 3;
export const probeSpreadMs = 1_000;
export const announceWaitMs = 2_000;
export const announcementsMax = 2;
export const announceIntervalMs = 2_000;
export const defendIntervalMs = 10_000;
/** Frames of our own that wait: solicitations and answers. */
export const linkFramesMax = 256;

// ICMP
/** Error and echo messages that we send in a second (RFC 4443 §2.4 (f)). */
export const icmpPerSecondMax = 100;
/** Bytes of the offending packet that an error carries (RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c)). */
export const icmpv4QuoteMax = 576 - 28;

// UDP
export const udpSocketsMax = 4_096;
/** Datagrams that wait to be sent, of all sockets together. */
export const udpQueueMax = 1_024;

// TCP
export const connectionsMax = 16_384;
export const listenersMax = 1_024;
/** Handshakes under way on one listener before it answers with cookies (RFC 4987 §3.6). */
export const halfOpenMax = 256;
/** Established connections that wait to be accepted. */
export const backlogMax = 256;
/** Bytes that the application may have queued before `write` says to hold back. */
export const sendBufferSize = 2 << 20;
/** Records of segments that a connection keeps for reuse. */
export const sentKeptMax = 256;
/** Receive window when nothing is known of the path. */
export const receiveWindowDefault = 4 << 20;
/** Disjoint pieces that wait for what is missing before them. */
export const outOfOrderPiecesMax = 512;
/** Options of a segment that this stack does not know: two bytes each at the least, of forty. */
export const extraOptionsMax = 20;
/** Blocks of a SACK option beside timestamps (RFC 2018 §3). */
export const sackBlocksMax = 3;
/** RFC 6298 §2.4 says one second; shorter has served for decades where timestamps and tail probes are used. */
export const retransmitTimeoutMinMs = 200;
export const retransmitTimeoutInitialMs = 1_000;
export const retransmitTimeoutMaxMs = 60_000;
/** RFC 9293 §3.8.3, R2: a connection is given up after this long without progress. */
export const userTimeoutDefaultMs = 100_000;
/** The same for a connection that is being opened: three minutes (§3.8.3). */
export const openTimeoutDefaultMs = 180_000;
/** A stranger's SYN that nothing follows is forgotten after this long. */
export const halfOpenTimeoutMs = 60_000;
/** A wake that comes this much late means that we slept, or that the clock was set: no peer is to blame for that time. */
export const sleptMinMs = 5_000;
/** RFC 9293 §3.8.6.3 allows half a second. */
export const delayedAckMs = 40;
/** RFC 9293 §3.4.1: two maximum segment lifetimes; both are ours to choose inside a tunnel. */
export const timeWaitMs = 60_000;
/** RFC 9293 §3.8.6.1, doubled up to a minute. */
export const persistMinMs = 200;
export const persistMaxMs = 60_000;
/** RFC 9293 §3.8.4: off unless asked for; probes then every so often, so many times. */
export const keepAliveIntervalMs = 75_000;
export const keepAliveProbesMax = 9;
/** RFC 5961 §7: challenge acknowledgements of one connection in a second. Never of all together: that told strangers of them. */
export const challengesPerSecondMax = 10;
/** RFC 7323 §5.5: a timestamp older than this many milliseconds proves nothing. */
export const timestampLifetimeMs = 24 * 86_400_000;
/** RFC 6056: ports that are given out. */
export const ephemeralPortFirst = 49_152;
export const ephemeralPortLast = 65_535;
export const synCookieLifetimeMs = 120_000;
/** Smallest segment size that a peer can make us use (a smaller one is an attack on our packet rate). */
export const segmentSizeMin = 216;
