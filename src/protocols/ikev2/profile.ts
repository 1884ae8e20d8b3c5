import type { Profile } from "../../contract/index.js";

/** IKEv2's row of the survey: §3.4.1, a handshake over datagrams that keys ESP. */
export const profile = {
  protocol: "IKEv2",
  section: "3.4.1",
  group: "packet",
  interfaces: ["IPK", "ALG", "AD", "PSKI", "IV", "SAV", "CT", "KU", "PSKE", "ME"],
  beyond: {},
  needs: ["datagram"],
  offers: "keys",
} as const satisfies Profile;
