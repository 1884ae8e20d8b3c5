import { tcpcryptProfile } from "../../protocols/tcpcrypt/profile.js";
import type { SecurityInit } from "../security.js";
import { lazily } from "./lazily.js";
import { over, type ProtocolStack } from "./stack.js";
import { tcp } from "./tcp.js";

/** Parameters of RFC 9622 §6.3 that tcpcrypt has no meaning for, each with the cell that its row leaves blank or the words it has of its own. */
const foreign: readonly (readonly [keyof SecurityInit, string])[] = [
  ["identity", "does not expose IPK"],
  ["keyPair", "does not expose IPK"],
  ["alpn", "does not expose EXT"],
  ["trust", "does not expose IV"],
  ["pins", "does not expose IV"],
  ["peerKeys", "does not expose IV"],
  ["verify", "does not expose IV"],
  ["clientAuthentication", "does not expose IV"],
  ["groups", "names key agreements by TEPs (protocolOptions.tcpcrypt.teps)"],
  ["ciphersuites", "has ciphers of its own (protocolOptions.tcpcrypt.ciphers)"],
  ["signatureAlgorithms", "signs nothing"],
  ["sessionCache", "has a cache of its own kind (protocolOptions.tcpcrypt.sessions)"],
  ["preSharedKeys", "imports secrets into its cache (protocolOptions.tcpcrypt.sessions)"],
];

const unfit: NonNullable<ProtocolStack["unfit"]> = ({ init }) => {
  for (const [parameter, why] of foreign) {
    if (init[parameter] !== undefined) return `tcpcrypt ${why}, and so takes no ${parameter}`;
  }
  return undefined;
};

/** TCP as our own stack has it: it lets the layer above negotiate TCP-ENO. */
const enoTcp: ProtocolStack<"eno-stream"> = {
  ...tcp,
  offers: "eno-stream",
  unfitNetwork: ({ name, enoStreams }) =>
    enoStreams === undefined ? `the TCP of ${name} is not ours, so TCP-ENO cannot be negotiated on it` : undefined,
};

/**
 * tcpcrypt over our own TCP, mapped as RFC 9623 §10.1 maps TCP: a Connection is a tcpcrypt session, Ready once there are keys and the
 * application, if it asked to be asked, knows the peer. FINp ends a direction.
 */
export const tcpcrypt = over(tcpcryptProfile, enoTcp, {
  connectionObject: "tcpcrypt session on a TCP connection",
  unfit,
  ...lazily(() => import("./tcpcrypt-transport.js")),
});
