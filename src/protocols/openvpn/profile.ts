import type { Profile } from "../../contract/index.js";

/** OpenVPN's row of the survey: §3.4.3, a packet protocol over datagrams or a framed stream. */
export const profile = {
  protocol: "OpenVPN",
  section: "3.4.3",
  group: "packet",
  interfaces: ["IPK", "ALG", "PSKI", "IV", "CT", "PSKE"],
  beyond: {
    SAV: "a server's session ID is a cookie: strangers leave nothing behind (wire document §5.4.3.3)",
    KU: "keys are renewed by time, bytes and packets, and when asked for (wire document §6.2.2.3)",
  },
  needs: ["datagram", "framed-stream"],
  offers: "ip-packet",
} as const satisfies Profile;
