import type { Profile, SessionOf } from "../../contract/index.js";

/** ZRTP's row of Table 1 (RFC 8922 §3.2.1 describes it with SRTP). */
export const profile = {
  protocol: "ZRTP",
  section: "3.2.1",
  group: "application-specific",
  interfaces: ["IPK", "ALG", "CM", "PSKI", "IV", "CT"],
  beyond: {
    PSKE: "one key is exported for each call, and others are derived from it (RFC 6189 §4.5.2)",
    KE: "the SRTP keys protect a limited number of packets; the end is told before it comes (RFC 3711 §9.2)",
  },
  needs: ["datagram", "byte-stream"],
  offers: "datagram",
} as const satisfies Profile;

export type ZrtpInterfaces = SessionOf<typeof profile>;
