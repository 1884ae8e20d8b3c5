import { PacketType } from "../protection/versions.js";

/** RFC 9000 §19, RFC 9221 §4. */
export const FrameType = {
  padding: 0x00,
  ping: 0x01,
  ack: 0x02,
  ackEcn: 0x03,
  resetStream: 0x04,
  stopSending: 0x05,
  crypto: 0x06,
  newToken: 0x07,
  /** And seven more: OFF, LEN and FIN bits. */
  stream: 0x08,
  maxData: 0x10,
  maxStreamData: 0x11,
  maxStreamsBidi: 0x12,
  maxStreamsUni: 0x13,
  dataBlocked: 0x14,
  streamDataBlocked: 0x15,
  streamsBlockedBidi: 0x16,
  streamsBlockedUni: 0x17,
  newConnectionId: 0x18,
  retireConnectionId: 0x19,
  pathChallenge: 0x1a,
  pathResponse: 0x1b,
  connectionClose: 0x1c,
  applicationClose: 0x1d,
  handshakeDone: 0x1e,
  datagram: 0x30,
  datagramWithLength: 0x31,
} as const;

/** The specification's names, as qlog has them. */
const nameOf: ReadonlyMap<number, string> = new Map(
  Object.entries(FrameType).map(([name, type]) => [
    type,
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  ]),
);

export const frameName = (type: number): string =>
  type >= 0x08 && type <= 0x0f ? "stream" : (nameOf.get(type) ?? `0x${type.toString(16)}`);

const I = 1 << PacketType.initial;
const Z = 1 << PacketType.zeroRtt;
const H = 1 << PacketType.handshake;
const O = 1 << PacketType.oneRtt;
/** Acknowledges nothing that must be acknowledged (§13.2.1), does not count as in flight (§19.1), probes a path (§9.1). */
const N = 1 << 8;
const P = 1 << 9;

/** Where each frame may stand, and what it means for its packet: RFC 9000 Table 3. Zero: there is no such frame. */
const rules = new Uint16Array(64);
const rule = (types: readonly number[], bits: number): void => {
  for (const type of types) rules[type] = bits;
};
rule([FrameType.padding], I | H | Z | O | N | P);
rule([FrameType.ping], I | H | Z | O);
rule([FrameType.ack, FrameType.ackEcn], I | H | O | N);
rule([FrameType.crypto], I | H | O);
rule([FrameType.newToken, FrameType.handshakeDone], O);
rule([FrameType.resetStream, FrameType.stopSending], Z | O);
rule([8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23], Z | O);
rule([FrameType.newConnectionId], Z | O | P);
rule([FrameType.retireConnectionId], O);
rule([FrameType.pathChallenge], Z | O | P);
rule([FrameType.pathResponse], O | P);
rule([FrameType.connectionClose], I | H | Z | O | N);
rule([FrameType.applicationClose], Z | O | N);
rule([FrameType.datagram, FrameType.datagramWithLength], Z | O);

export const isKnownFrame = (type: number): boolean => type < rules.length && rules[type] !== 0;
export const mayStandIn = (type: number, packet: PacketType): boolean => (rules[type]! & (1 << packet)) !== 0;
export const isAckEliciting = (type: number): boolean => (rules[type]! & N) === 0;
export const isProbing = (type: number): boolean => (rules[type]! & P) !== 0;
