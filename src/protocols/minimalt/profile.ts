import type { Profile } from "../../contract/index.js";

/** MinimaLT in the survey: RFC 8922 §3.3.4 and its row of Table 1. */
export const minimaltProfile = {
  protocol: "MinimaLT",
  section: "3.3.4",
  group: "transport",
  interfaces: ["IPK", "ALG", "CM", "PSKI", "IV", "CT", "KU", "PSKE", "ME"],
  beyond: {
    SAV: "under load a stranger solves a puzzle first, which comes to the address that it spoke from (§5.7)",
  },
  needs: ["datagram"],
  offers: "multi-stream",
} as const satisfies Profile;
