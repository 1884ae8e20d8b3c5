import { minimaltProfile } from "../../protocols/minimalt/profile.js";
import type { SecurityInit } from "../security.js";
import { lazily } from "./lazily.js";
import { over, type ProtocolStack } from "./stack.js";
import { udp } from "./udp.js";

/** Parameters of RFC 9622 §6.3 that have no place in MinimaLT: EXT is blank in its row, and a suite is chosen as a whole. */
const blank: readonly (readonly [keyof SecurityInit, string])[] = [
  ["alpn", "does not expose EXT, and so takes no alpn"],
  ["groups", "has no groups to choose, but suites (protocolOptions.MinimaLT)"],
  ["ciphersuites", "has suites of its own (protocolOptions.MinimaLT)"],
  ["signatureAlgorithms", "signs with Ed25519 alone"],
];

/** S, then its box key: a host's public keys in one. */
const hostKeysSize = 64;

const unfit: NonNullable<ProtocolStack["unfit"]> = ({ mode, init }, _allowed, role) => {
  for (const [parameter, why] of blank) if (init[parameter] !== undefined) return `MinimaLT ${why}`;
  if ((init.preSharedKeys?.length ?? 0) > 1) return "MinimaLT imports one key (preSharedKeys)";
  const own = init.protocolOptions?.MinimaLT;
  if (role === "server") {
    return own?.["identity"] === undefined
      ? "a MinimaLT server needs its host keys (protocolOptions.MinimaLT.identity)"
      : undefined;
  }
  if (mode === "opportunistic") return "a MinimaLT client knows its server's keys before, so it is never opportunistic";
  const { peerKeys = [] } = init;
  const isKnown = peerKeys.length === 1 && peerKeys[0]!.length === hostKeysSize;
  if (isKnown || own?.["directory"] !== undefined || own?.["record"] !== undefined) return undefined;
  return "a MinimaLT client needs the public keys of its server, 64 bytes (peerKeys), a record, or a directory";
};

/**
 * MinimaLT over UDP: a Connection is a connection of a tunnel, and the tunnel the Connection Group.
 * Ready once the server has been heard; a first Message that may go early leaves with the first packet.
 */
export const minimalt = over(minimaltProfile, udp, {
  connectedness: "connection-oriented",
  dataUnit: "byte-stream",
  connectionObject: "MinimaLT connection; its tunnel is the Connection Group",
  provides: {
    fullChecksumSend: "always",
    fullChecksumRecv: "always",
    congestionControl: "always",
    keepAlive: "optional",
    useTemporaryLocalAddress: "optional",
    softErrorNotify: "always",
    activeReadBeforeSend: "optional",
    reliability: "always",
    preserveMsgBoundaries: "never",
    perMsgReliability: "never",
    preserveOrder: "always",
    zeroRttMsg: "optional",
    multistreaming: "always",
  },
  messageProperties: ["msgPriority", "final", "safelyReplayable"],
  migrates: true,
  unfit,
  ...lazily(() => import("./minimalt-transport.js")),
});
