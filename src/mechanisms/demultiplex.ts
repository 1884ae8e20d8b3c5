/** Protocols that may share one UDP port (RFC 7983, RFC 9443). */
export type SharedProtocol = "stun" | "zrtp" | "dtls" | "turn-channel" | "quic" | "rtp" | "rtcp";

/**
 * Whose datagram it is, by its first byte (RFC 7983 §7, RFC 9443 §3), and for RTP and RTCP by the second (RFC 5761 §4).
 * 64 … 79 are TURN channels from a TURN server that has answered us, and QUIC from anyone else. Undefined for an empty
 * datagram and for the range that nobody has.
 */
export function demultiplex(bytes: Uint8Array, fromTurnServer = false, at = 0): SharedProtocol | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first <= 3) return "stun";
  if (first < 16) return undefined;
  if (first <= 19) return "zrtp";
  if (first <= 63) return "dtls";
  if (first <= 79 && fromTurnServer) return "turn-channel";
  if (first <= 127) return "quic";
  if (first <= 191) {
    const second = bytes[at + 1] ?? 0;
    return second >= 192 && second <= 223 ? "rtcp" : "rtp";
  }
  return "quic";
}
