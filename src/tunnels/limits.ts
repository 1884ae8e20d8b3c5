/** Memory in which a stream's received bytes are handed on, carved from its front: bytes. */
export const receiveSlabSize = 65_536;
/** A name server is asked again after this long, and the next one after so many tries (RFC 1035 §4.2.1 leaves it open). */
export const nameTimeoutMs = 2_000;
export const nameTries = 3;
/** Names that are remembered, and the longest that one is believed, whatever its record says. */
export const namesMax = 1_024;
export const nameLifetimeMaxMs = 3_600_000;
/** How long it is remembered that there is no such name (RFC 2308 §5). */
export const noNameLifetimeMs = 30_000;
/** Names in a chain of CNAMEs. */
export const aliasesMax = 16;
/** UDP answers that are asked for: EDNS's size (RFC 6891), small enough for any path. */
export const nameAnswerSize = 1_232;
/** Largest packet inside when the file does not say: 1500 less IPv6, UDP and WireGuard's 80 bytes. */
export const mtuDefault = 1_420;
/** A WireGuard session older than this is dead, and with it the tunnel until the next handshake (Reject-After-Time). */
export const sessionLifetimeMs = 180_000;
/** Bytes of a packet that every path outside is taken to carry: what goes around a packet inside must fit it too. */
export const outerPacketSize = 1_500;
/** Streams of one listener that carry packets. */
export const acceptedStreamsMax = 4_096;
/** Packets that are taken from a device, or handed to it, in one go. */
export const devicePacketsMax = 64;
/** Bytes of IPv6's header and UDP's, which go around a packet outside. */
export const udpHeadersSize = 48;
/** A tunnel of IPsec whose peer is gone is made anew after so long, twice as long each time up to a minute. */
export const reconnectFirstMs = 1_000;
export const reconnectMaxMs = 60_000;
