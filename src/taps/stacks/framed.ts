import { dtlsProfile } from "../../protocols/dtls/profile.js";
import { profile as srtpProfile } from "../../protocols/srtp/profile.js";
import { dtls } from "./dtls.js";
import { lazily } from "./lazily.js";
import { srtp } from "./srtp.js";
import { over, type ProtocolStack, type StackCode } from "./stack.js";
import { tcp } from "./tcp.js";

/** The protocol that an endpoint names whose peer expects datagrams behind their lengths on TCP. */
export const framing = "RFC 4571";

/**
 * What datagrams become in frames on TCP (RFC 4571): in order, paced by TCP, and lost only where the stream takes no more. It is
 * no stack of its own, but what DTLS and SRTP stand on.
 */
const frames = {
  ...tcp,
  offers: "datagram",
  name: `${framing}/TCP`,
  protocols: [framing, "TCP"],
  provides: { ...tcp.provides, reliability: "never", preserveMsgBoundaries: "always", zeroRttMsg: "optional" },
  dataUnit: "message",
  // Nobody expects them who has not been told: no other endpoint's peer would understand.
  only: framing,
} as const satisfies ProtocolStack<"datagram">;

const loaded = (load: () => Promise<StackCode>) =>
  lazily(async () => {
    const [code, { overFrames }] = await Promise.all([load(), import("./framed-network.js")]);
    return overFrames(code);
  });

const { connectedness, messageProperties } = dtls;

/** DTLS in frames on TCP (RFC 4571, as RFC 7850 has it for media), where UDP does not get through. */
export const dtlsInFrames = over(dtlsProfile, frames, {
  connectedness,
  messageProperties,
  connectionObject: "DTLS session in frames on a TCP connection",
  unfit: (...request) => dtls.unfit?.(...request),
  ...loaded(() => import("./dtls-transport.js")),
});

/** SRTP under imported keys in frames on TCP (RFC 4571, RFC 7850). */
export const srtpInFrames = over(srtpProfile, frames, {
  connectedness,
  messageProperties,
  connectionObject: "SRTP session in frames on a TCP connection",
  unfit(security, allowed, role) {
    // RFC 5764 has both sides begin on one flow; on TCP one listens, and its Connections have no DTLS of their own.
    const { srtp: keys } = security.init;
    if (keys !== undefined && "role" in keys) return "in frames on TCP SRTP takes imported keys alone";
    return srtp.unfit?.(security, allowed, role);
  },
  ...loaded(() => import("./srtp-transport.js")),
});
