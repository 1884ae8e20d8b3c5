import type { Profile } from "../../contract/index.js";

/** ESP's row of the survey: §3.4.1, a packet protocol whose keys come from elsewhere. */
export const profile = {
  protocol: "ESP",
  section: "3.4.1",
  group: "packet",
  interfaces: ["PSKI", "KE"],
  beyond: {
    ALG: "the algorithms of an association are named with its keys, one by one (RFC 8221)",
    KU: "a second pair of associations takes over from the first without a gap (RFC 7296 §2.8)",
    CT: "an association that is removed is gone at once, with its keys (RFC 4301 §4.4.2)",
    ME: "the addresses outside change while the association lives on (RFC 4555 §3.5, RFC 3948)",
  },
  needs: ["datagram"],
  offers: "ip-packet",
} as const satisfies Profile;
