export { captured } from "./network.js";
export { type SegmentHeader, tcpPacket, udpPacket } from "./packets.js";
export { type CapturedPacket, type CaptureInterface, linkTypes, Pcapng, secretsKindOf } from "./pcapng.js";
