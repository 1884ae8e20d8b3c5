import type { Profile } from "../../contract/index.js";

/** DTLS in the survey: RFC 8922 §3.1.2 and its row of Table 1. */
export const dtlsProfile = {
  protocol: "DTLS",
  section: "3.1.2",
  group: "payload",
  interfaces: ["IPK", "ALG", "EXT", "CM", "PSKI", "IV", "SAV", "CT", "KU", "PSKE"],
  beyond: { ME: "connection IDs: RFC 9146 for 1.2, RFC 9147 §9 for 1.3; RFC 8922 itself gives DTLS this cell" },
  needs: ["datagram"],
  offers: "datagram",
} as const satisfies Profile;
