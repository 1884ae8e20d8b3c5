import type { Profile } from "../../contract/index.js";

/** CurveCP in the survey: RFC 8922 §3.3.4 and its row of Table 1. */
export const curvecpProfile = {
  protocol: "CurveCP",
  section: "3.3.4",
  group: "transport",
  interfaces: ["IPK", "IV", "ME"],
  beyond: {
    SAV: "a server answers a stranger with nothing but a cookie, no longer than what it was sent (packets page)",
  },
  needs: ["datagram"],
  offers: "byte-stream",
} as const satisfies Profile;
