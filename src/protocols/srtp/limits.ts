/** Packets that one master key may protect, all sources together: RTP and RTCP each (RFC 3711 §9.2, RFC 7714 §10). */
export const rtpLifetimeMax = 2 ** 48;
export const rtcpLifetimeMax = 2 ** 31;
/** The share of a key's lifetime after which its end is told, so that there is time for a new one. */
export const expiringShare = 0.9;

/** Bits of a replay window (RFC 3711 §3.3.2 wants 64 packets at least; a burst of video is longer). */
export const rtpWindowBits = 1_024;
export const rtcpWindowBits = 128;
export const windowBitsMax = 32_768;

/** Default and greatest number of sources (SSRCs) in one direction: a source is never forgotten, or its packets could come twice. */
export const defaultSourcesMax = 1_024;
export const sourcesMax = 65_536;

/** Master keys that a direction knows at once: the one in use, those to come and those of packets still on the way. */
export const masterKeysMax = 16;
/** Bytes of a Master Key Identifier (RFC 4568 §6.1). */
export const mkiSizeMax = 128;
/** Sets of session keys that a master key keeps when it derives new ones on the way (RFC 3711 §4.3.1). */
export const sessionKeysMax = 4;
/** The greatest key derivation rate (RFC 3711 §4.3.1). */
export const keyDerivationRateMax = 2 ** 24;

/** Bytes of a packet that is protected: what a datagram or a frame of RFC 4571 holds. */
export const packetSizeMax = 65_535;
/** Bytes of a header that are authenticated without a view made for the purpose. */
export const keptHeaderSizeMax = 256;

/** Parameters of an SDES line that are read (RFC 4568 §9.2), and keys in it. */
export const sdesKeysMax = masterKeysMax;
export const sdesLineSizeMax = 4_096;
