import { utf8 } from "../../../bytes/index.js";
import { decoded, frame, macSize, text } from "./frame.js";
import { version } from "./hello.js";

/** §5.15: which version of PingACK is wanted, and who asks. */
export interface PingMessage {
  readonly version: string;
  readonly endpointHash: Uint8Array;
}

export const decodePing = (message: Uint8Array): PingMessage | undefined =>
  decoded(message, (reader) => ({ version: text(reader.take(4)), endpointHash: reader.take(macSize) }));

/** §5.16: our EndpointHash is the truncated ZID. Only version 1.10 of it is defined, whatever was asked for. */
export const encodePingAck = (zid: Uint8Array, ping: PingMessage, ssrc: number): Uint8Array =>
  frame("PingACK", (writer) => {
    writer.put(utf8(version)).put(zid.subarray(0, macSize)).put(ping.endpointHash).u32(ssrc);
  });
