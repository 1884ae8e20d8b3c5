import type { Profile } from "../../contract/index.js";

/** TLS in the survey: RFC 8922 §3.1.1 and its row of Table 1. */
export const tlsProfile = {
  protocol: "TLS",
  section: "3.1.1",
  group: "payload",
  interfaces: ["IPK", "ALG", "EXT", "CM", "PSKI", "IV", "CT", "KU", "PSKE"],
  beyond: {},
  needs: ["byte-stream"],
  offers: "byte-stream",
} as const satisfies Profile;
