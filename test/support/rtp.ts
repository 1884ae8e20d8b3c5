import assert from "node:assert/strict";
import type { SrtpReceiver, SrtpSender } from "../../src/protocols/srtp/index.js";
import { putU32 } from "../../src/protocols/srtp/wire/layout.js";

/** An RTP packet (RFC 3550 §5.1). The extension, if any, is whole: profile, length and data. */
export function rtpPacket(fields: {
  readonly sequence: number;
  readonly ssrc: number;
  readonly payload: string | Uint8Array;
  readonly timestamp?: number;
  readonly payloadType?: number;
  readonly csrcs?: readonly number[];
  readonly extension?: Uint8Array;
}): Uint8Array {
  const { sequence, ssrc, timestamp = 160 * sequence, payloadType = 96, csrcs = [], extension } = fields;
  const payload = typeof fields.payload === "string" ? new TextEncoder().encode(fields.payload) : fields.payload;
  const header = 12 + 4 * csrcs.length + (extension?.length ?? 0);
  const packet = new Uint8Array(header + payload.length);
  packet[0] = 0x80 | (extension ? 0x10 : 0) | csrcs.length;
  packet[1] = payloadType;
  packet[2] = sequence >>> 8;
  packet[3] = sequence;
  putU32(packet, 4, timestamp);
  putU32(packet, 8, ssrc);
  for (const [i, csrc] of csrcs.entries()) putU32(packet, 12 + 4 * i, csrc);
  if (extension) packet.set(extension, 12 + 4 * csrcs.length);
  packet.set(payload, header);
  return packet;
}

/** A sender report of so many words behind its header (RFC 3550 §6.4.1): what is in them is of no account. */
export function rtcpPacket({ ssrc, words = 6 }: { readonly ssrc: number; readonly words?: number }): Uint8Array {
  const packet = new Uint8Array(4 + 4 * words);
  packet.set([0x80, 200, words >>> 8, words]);
  putU32(packet, 4, ssrc);
  for (let i = 8; i < packet.length; i++) packet[i] = i * 7;
  return packet;
}

/** The packet protected, in memory of its own. */
export function sealed(sender: SrtpSender, packet: Uint8Array, kind: "rtp" | "rtcp" = "rtp"): Uint8Array {
  const bytes = new Uint8Array(packet.length + sender.overhead);
  bytes.set(packet);
  const size = kind === "rtp" ? sender.protect(bytes, 0, packet.length) : sender.protectRtcp(bytes, 0, packet.length);
  assert.ok(typeof size === "number", `not protected: ${size}`);
  return bytes.subarray(0, size);
}

/** The packet that was protected; `bytes` is used up. */
export function opened(receiver: SrtpReceiver, bytes: Uint8Array, kind: "rtp" | "rtcp" = "rtp"): Uint8Array {
  const size =
    kind === "rtp" ? receiver.unprotect(bytes, 0, bytes.length) : receiver.unprotectRtcp(bytes, 0, bytes.length);
  assert.ok(typeof size === "number", `not delivered: ${size}`);
  return bytes.subarray(0, size);
}
