import { quicProfile } from "../../protocols/quic/profile.js";
import { families, unfitFor } from "./family.js";
import { lazily } from "./lazily.js";
import type { QuicUse } from "./quic-options.js";
import { over, type ProtocolStack } from "./stack.js";
import { udp } from "./udp.js";

const common = {
  // RFC 9001 §5: every packet is authenticated as a whole, and RFC 9002 bounds what is under way.
  fullChecksumSend: "always",
  fullChecksumRecv: "always",
  congestionControl: "always",
  keepAlive: "optional",
  useTemporaryLocalAddress: "optional",
  softErrorNotify: "always",
  activeReadBeforeSend: "optional",
} as const;

const row = (use: QuicUse) => ({
  connectedness: "connection-oriented" as const,
  unfit: unfitFor(families.QUIC),
  migrates: true as const,
  advertises: true as const,
  ...lazily(async () => {
    const code = import("./quic-transport.js");
    return (await code).quicCode(await import("../../protocols/quic/index.js"), use);
  }),
});

const streams = over(quicProfile, udp, {
  ...row("streams"),
  dataUnit: "byte-stream",
  connectionObject: "QUIC stream; the QUIC connection is the Connection Group",
  provides: {
    ...common,
    reliability: "always",
    preserveMsgBoundaries: "never",
    perMsgReliability: "never",
    preserveOrder: "always",
    zeroRttMsg: "optional",
    multistreaming: "always",
  },
  messageProperties: ["msgLifetime", "msgPriority", "final", "safelyReplayable"],
});

const messages = over(quicProfile, udp, {
  ...row("messages"),
  dataUnit: "message",
  connectionObject: "QUIC connection; a Message is a one-way stream or a datagram",
  provides: {
    ...common,
    reliability: "optional",
    preserveMsgBoundaries: "always",
    perMsgReliability: "always",
    preserveOrder: "never",
    zeroRttMsg: "never",
    multistreaming: "never",
    // The session is the Connection, and the server has it when the handshake is over.
    activeReadBeforeSend: "always",
  },
  messageProperties: ["msgLifetime", "msgPriority", "msgReliable", "noFragmentation", "noSegmentation"],
});

/**
 * QUIC's two rows; docs/mappings/quic.md is their text. A Connection is a stream and its session the Connection Group;
 * or, for who asks for Messages without an order, a Connection is the session and each Message a stream or a datagram.
 */
export const quicStacks = {
  streams,
  messages: { ...messages, name: `${messages.name} messages` },
} as const satisfies Readonly<Record<QuicUse, ProtocolStack<"multi-stream">>>;
