import type { Profile } from "../../contract/index.js";

/**
 * Google QUIC: §3.3.2 of the survey, which describes it and gives it no row in Table 1. The interfaces named here are its own:
 * what it shows beside the table.
 */
export const gquicProfile = {
  protocol: "gQUIC",
  section: "3.3.2",
  group: "transport",
  interfaces: [],
  beyond: {
    IPK: "a server signs its config with the key of its certificate (QUIC Crypto, Server config, PROF)",
    ALG: "versions are negotiated, and AEAD and KEXS list what a server takes (QUIC Crypto, Handshake messages)",
    CM: "a client keeps a server's config, certificates and token, and speaks with keys at once (QUIC Crypto, 0-RTT)",
    IV: "the chain behind PROF is judged before the config is used",
    SAV: "source-address tokens prove that a client receives where it sends from (QUIC Crypto, Source-address spoofing)",
    CT: "CONNECTION_CLOSE, and FIN of a stream",
    ME: "a connection is its id, so a client may go on from another port or address",
  },
  needs: ["datagram"],
  offers: "multi-stream",
} as const satisfies Profile;
