import { profile } from "../../protocols/srtp/profile.js";
import type { SecurityInit } from "../security.js";
import { lazily } from "./lazily.js";
import { over, type ProtocolStack } from "./stack.js";
import { udp } from "./udp.js";

/** Parameters of RFC 9622 §6.3 that SRTP has no use for: its keys come from elsewhere, or from a handshake with options of its own. */
const foreign: readonly (keyof SecurityInit)[] = [
  "alpn",
  "groups",
  "ciphersuites",
  "signatureAlgorithms",
  "preSharedKeys",
  "sessionCache",
  "pins",
];

const unfit: NonNullable<ProtocolStack["unfit"]> = ({ init }, _allowed, role) => {
  const { srtp } = init;
  if (srtp === undefined) return "SRTP needs its master keys, or how DTLS or ZRTP is to make them (srtp)";
  for (const parameter of foreign) {
    if (init[parameter] !== undefined)
      return `SRTP takes no ${parameter}; what a handshake is to do for it stands in srtp.dtls or srtp.zrtp`;
  }
  if (role === "server" && ("role" in srtp || "zrtp" in srtp)) {
    return "a flow that is keyed by DTLS or ZRTP is dialled from both sides, since signalling knows both (RFC 5763)";
  }
  return undefined;
};

/**
 * SRTP over UDP: a Connection is a session with one peer, and each Message one RTP or RTCP packet, which may be lost. With
 * imported keys there is nothing to wait for; keyed by DTLS, it is Ready when both sides have proved themselves (RFC 5764), and by ZRTP when both have the same keys (RFC 6189).
 */
export const srtp = over(profile, udp, {
  // A handshake may have to come first.
  provides: { ...udp.provides, zeroRttMsg: "optional", activeReadBeforeSend: "optional" },
  connectionObject: "SRTP session on a UDP socket pair",
  messageProperties: ["msgLifetime", "msgPriority", "safelyReplayable"],
  unfit,
  ...lazily(() => import("./srtp-transport.js")),
});
