import type { Profile } from "../../contract/index.js";

/**
 * SRTP: §3.2.1 of the survey, which describes it with DTLS as its handshake and gives it no row in Table 1. The interfaces
 * named here are its own: what it shows beside the table.
 */
export const profile = {
  protocol: "SRTP",
  section: "3.2.1",
  group: "application-specific",
  interfaces: [],
  beyond: {
    ALG: "the protection profile is the application's choice (RFC 3711 §5, RFC 5764 §4.1.2)",
    PSKI: "master keys are imported, from an SDES line (RFC 4568) or from a handshake (RFC 3711 §8)",
    KU: "a new master key takes over without a gap (RFC 3711 §8.1)",
    KE: "a master key protects a limited number of packets; the end is told before it comes (RFC 3711 §9.2)",
  },
  needs: ["datagram", "byte-stream"],
  offers: "datagram",
} as const satisfies Profile;
