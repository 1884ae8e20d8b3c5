/** Segments of one super-packet, and its bytes: an IP packet's own maximum (RFC 791 §3.1). */
export const mergedSegmentsMax = 64;
export const mergedSizeMax = 65_535;
/** Headers of a segment: IPv6 without extension headers, TCP with all its options (RFC 9293 §3.1). */
export const mergedHeaderMax = 40 + 60;
