import { curvecp } from "./curvecp.js";
import { dtls } from "./dtls.js";
import { dtlsInFrames, srtpInFrames } from "./framed.js";
import { gquic } from "./gquic.js";
import { minimalt } from "./minimalt.js";
import { quicStacks } from "./quic.js";
import { srtp } from "./srtp.js";
import type { ProtocolStack } from "./stack.js";
import { tcp } from "./tcp.js";
import { tcpcrypt } from "./tcpcrypt.js";
import { tls } from "./tls.js";
import { udp } from "./udp.js";

/** Every protocol stack there is, one row each; the order settles what preferences leave open. */
export const protocolStacks: readonly ProtocolStack[] = [
  tls,
  quicStacks.streams,
  quicStacks.messages,
  minimalt,
  curvecp,
  gquic,
  tcpcrypt,
  tcp,
  dtls,
  dtlsInFrames,
  srtp,
  srtpInFrames,
  udp,
];
