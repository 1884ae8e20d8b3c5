import type { Profile } from "../../contract/index.js";

/** WireGuard's row of the survey: §3.4.4, a packet protocol over datagrams. */
export const profile = {
  protocol: "WireGuard",
  section: "3.4.2",
  group: "packet",
  interfaces: ["IPK", "PSKI", "IV", "SAV", "ME"],
  beyond: {
    KU: "the protocol's own timers renew keys (whitepaper §6.1); a renewal can be asked for and is told",
    KE: "keys have limits of time and messages (whitepaper §6.1); their end is told",
  },
  needs: ["datagram"],
  offers: "ip-packet",
} as const satisfies Profile;
