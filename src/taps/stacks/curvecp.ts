import { curvecpProfile } from "../../protocols/curvecp/profile.js";
import type { SecurityInit } from "../security.js";
import { lazily } from "./lazily.js";
import { over, type ProtocolStack } from "./stack.js";
import { tcp } from "./tcp.js";
import { udp } from "./udp.js";

/** Parameters of RFC 9622 §6.3 that stand for cells which CurveCP's row leaves blank. */
const blank: readonly (readonly [keyof SecurityInit, string])[] = [
  ["alpn", "EXT"],
  ["groups", "ALG"],
  ["ciphersuites", "ALG"],
  ["signatureAlgorithms", "ALG"],
  ["preSharedKeys", "PSKI"],
  ["sessionCache", "CM"],
];

const unfit: NonNullable<ProtocolStack["unfit"]> = ({ mode, init }, _allowed, role) => {
  for (const [parameter, cell] of blank) {
    if (init[parameter] !== undefined) return `CurveCP does not expose ${cell}, and so takes no ${parameter}`;
  }
  const { peerKeys, keyPair } = init;
  if (role === "server") return keyPair === undefined ? "a CurveCP server needs a key pair (keyPair)" : undefined;
  if (mode === "opportunistic") return "a CurveCP client knows its server's key before, so it is never opportunistic";
  return peerKeys?.length === 1 ? undefined : "a CurveCP client needs the one public key of its server (peerKeys)";
};

/**
 * CurveCP over UDP: a Connection is a CurveCP connection, mapped as RFC 9623 §10.1 maps TCP. Ready once the server has proved
 * its key; the end of a stream with success ends a direction, and with failure aborts.
 */
export const curvecp = over(curvecpProfile, udp, {
  provides: { ...tcp.provides, softErrorNotify: "always" },
  connectedness: "connection-oriented",
  dataUnit: "byte-stream",
  connectionObject: "CurveCP connection on a UDP socket pair",
  messageProperties: tcp.messageProperties,
  migrates: true,
  unfit,
  ...lazily(() => import("./curvecp-transport.js")),
});
