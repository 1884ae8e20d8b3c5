import type { Profile } from "../../contract/index.js";

/** tcpcrypt in the survey: RFC 8922 §3.3.3 and its row of Table 1. */
export const tcpcryptProfile = {
  protocol: "tcpcrypt",
  section: "3.3.3",
  group: "transport",
  interfaces: ["ALG", "CM", "AD", "PSKI", "CT", "KU", "PSKE"],
  beyond: {},
  needs: ["eno-stream"],
  offers: "byte-stream",
} as const satisfies Profile;
