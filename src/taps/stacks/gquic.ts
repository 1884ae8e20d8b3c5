import { gquicProfile } from "../../protocols/gquic/profile.js";
import type { SecurityInit } from "../security.js";
import { lazily } from "./lazily.js";
import { over, type ProtocolStack } from "./stack.js";
import { udp } from "./udp.js";

/** Parameters of RFC 9622 §6.3 that Google QUIC has nothing for. */
const blank: readonly (readonly [keyof SecurityInit, string])[] = [
  ["alpn", "EXT"],
  ["groups", "EXT"],
  ["ciphersuites", "EXT"],
  ["signatureAlgorithms", "EXT"],
  ["preSharedKeys", "PSKI"],
];

const unfit: NonNullable<ProtocolStack["unfit"]> = ({ init }, _allowed, role) => {
  for (const [parameter, cell] of blank) {
    if (init[parameter] !== undefined) return `gQUIC does not expose ${cell}, and so takes no ${parameter}`;
  }
  if (init.clientAuthentication === "require") return "a gQUIC client cannot prove who it is";
  return role === "server" && init.identity === undefined ? "a gQUIC server needs an identity" : undefined;
};

/**
 * Google QUIC over UDP, mapped as QUIC's streams are: a Connection is a stream, and its session the Connection Group. Only who names
 * the protocol gets it (`allowedSecurityProtocols`): it is old, and nothing falls back to it.
 */
export const gquic = over(gquicProfile, udp, {
  provides: {
    reliability: "always",
    preserveMsgBoundaries: "never",
    perMsgReliability: "never",
    preserveOrder: "always",
    zeroRttMsg: "optional",
    multistreaming: "always",
    fullChecksumSend: "always",
    fullChecksumRecv: "always",
    congestionControl: "always",
    keepAlive: "optional",
    useTemporaryLocalAddress: "optional",
    softErrorNotify: "always",
    activeReadBeforeSend: "optional",
  },
  connectedness: "connection-oriented",
  dataUnit: "byte-stream",
  connectionObject: "Google QUIC stream; the connection is the Connection Group",
  messageProperties: ["msgLifetime", "msgPriority", "final", "safelyReplayable"],
  unfit,
  migrates: true,
  ...lazily(() => import("./gquic-transport.js")),
});
