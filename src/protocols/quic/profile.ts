import type { Profile } from "../../contract/index.js";

/** QUIC in the survey: RFC 8922 §3.3.1 and its row of Table 1. */
export const quicProfile = {
  protocol: "QUIC",
  section: "3.3.1",
  group: "transport",
  interfaces: ["IPK", "ALG", "EXT", "CM", "PSKI", "IV", "SAV", "CT", "KU", "ME"],
  beyond: {
    PSKE: "TLS 1.3 inside has an exporter (RFC 9846 §7.5), and nothing in QUIC is in its way",
    KE: "AEAD keys have limits of packets (RFC 9001 §6.6); that they come near is told",
  },
  needs: ["datagram"],
  offers: "multi-stream",
} as const satisfies Profile;
