import { fromUtf8, Reader, readVarint } from "../bytes/index.js";
import type { Segment } from "../hosts/simulator/index.js";
import { Opcode, opcodeOf } from "../protocols/openvpn/wire/opcodes.js";

/** What somebody on the link can tell of a packet's payload; empty bytes are never asked about. */
export type Label = (bytes: Uint8Array) => string;

/** Record types of TLS and DTLS: RFC 9846 §5.1, RFC 9147 §4. */
const recordTypes: Readonly<Record<number, string>> = {
  20: "change_cipher_spec",
  21: "alert",
  22: "handshake",
  23: "application_data",
  24: "heartbeat",
  25: "tls12_cid",
  26: "ack",
};

/** Messages of a handshake that are sent in clear (RFC 9846 §4, RFC 5246 §7.4). */
const handshakes: Readonly<Record<number, string>> = {
  1: "ClientHello",
  2: "ServerHello",
  3: "HelloVerifyRequest",
  4: "NewSessionTicket",
  11: "Certificate",
  12: "ServerKeyExchange",
  13: "CertificateRequest",
  14: "ServerHelloDone",
  16: "ClientKeyExchange",
};

/** A ServerHello whose random begins like this asks for another ClientHello (RFC 9846 §4.2.3). */
const retryRandom = Uint8Array.of(0xcf, 0x21, 0xad, 0x74);

/** A record in clear by its type, a handshake message in it by its own; its random stands at `random`. */
function recordName(type: number, bytes: Uint8Array, message: number, random: number): string {
  const name = type === 22 ? handshakes[bytes[message] ?? 0] : undefined;
  if (name === "ServerHello" && startsWith(bytes, random, retryRandom)) return "HelloRetryRequest";
  return name ?? recordTypes[type] ?? `record ${type}`;
}

const startsWith = (bytes: Uint8Array, at: number, start: Uint8Array): boolean =>
  start.every((byte, i) => bytes[at + i] === byte);

/** Records that begin in these bytes; a segment need not begin with one. */
export const tlsRecords: Label = (bytes) =>
  joined(bytes, (at) => {
    const [type, version, length] = [bytes[at]!, bytes[at + 1], ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0)];
    if (version !== 3 || recordTypes[type] === undefined) return undefined;
    return [recordName(type, bytes, at + 5, at + 11), 5 + length];
  }) || "more of a record";

/** DTLSPlaintext, and the unified header of DTLS 1.3 (RFC 9147 §4), whose records hide their type. */
export const dtlsRecords: Label = (bytes) =>
  joined(bytes, (at) => {
    const type = bytes[at]!;
    if (type >> 5 === 1) return [`ciphertext, epoch …${type & 3}`, bytes.length - at];
    const length = ((bytes[at + 11] ?? 0) << 8) | (bytes[at + 12] ?? 0);
    const isClear = (bytes[at + 3]! | bytes[at + 4]!) === 0;
    const name = isClear ? recordName(type, bytes, at + 13, at + 27) : (recordTypes[type] ?? `record ${type}`);
    return [name, 13 + length];
  });

const longTypes: Readonly<Record<number, readonly string[]>> = {
  1: ["Initial", "0-RTT", "Handshake", "Retry"],
  // RFC 9369 §3.2.
  1798521807: ["Retry", "Initial", "0-RTT", "Handshake"],
};

/** Packets of a datagram by their invariant headers (RFC 8999, RFC 9000 §17). */
export const quicPackets: Label = (bytes) =>
  joined(bytes, (at) => {
    const first = bytes[at]!;
    if (first < 0x80) return first === 0 ? ["padding", bytes.length - at] : ["1-RTT", bytes.length - at];
    const reader = new Reader(bytes.subarray(at + 1));
    const version = reader.u32();
    if (version === 0) return ["Version Negotiation", bytes.length - at];
    const name = longTypes[version]?.[(first >> 4) & 3] ?? `version ${version.toString(16)}`;
    for (let id = 0; id < 2; id++) reader.take(reader.u8());
    if (name === "Retry") return [name, bytes.length - at];
    if (name === "Initial") reader.take(readVarint(reader));
    const length = readVarint(reader);
    return [name, bytes.length - at - reader.left + length];
  });

/** The last of the eight letters that begin a CurveCP packet. */
const curvecp = { H: "Hello", K: "Cookie", I: "Initiate", M: "Message" } as const;
export const curvecpPackets: Label = (bytes) =>
  curvecp[fromUtf8(bytes.subarray(7, 8)) as keyof typeof curvecp] ?? "no packet of CurveCP";

/** A MinimaLT packet by the two flags in its TID (§4, figure 3). */
export const minimaltPackets: Label = (bytes) =>
  ["later packet", "puzzle", "first packet", "first packet with a solution"][bytes[0]! >> 6]!;

/** The first byte of a WireGuard message. */
const wireguard = ["", "Handshake Initiation", "Handshake Response", "Cookie Reply", "Transport Data"];
export const wireguardMessages: Label = (bytes) =>
  bytes[0] === 4 && bytes.length === 32 ? "keepalive" : (wireguard[bytes[0]!] ?? "no message of WireGuard");

/** Opcodes, the high five bits of the first byte, by the names that they have in the protocol. */
const opcodes: Readonly<Record<number, string>> = {
  [Opcode.softResetV1]: "P_CONTROL_SOFT_RESET_V1",
  [Opcode.controlV1]: "P_CONTROL_V1",
  [Opcode.ackV1]: "P_ACK_V1",
  [Opcode.dataV1]: "P_DATA_V1",
  [Opcode.dataV2]: "P_DATA_V2",
  [Opcode.hardResetClientV2]: "P_CONTROL_HARD_RESET_CLIENT_V2",
  [Opcode.hardResetServerV2]: "P_CONTROL_HARD_RESET_SERVER_V2",
  [Opcode.hardResetClientV3]: "P_CONTROL_HARD_RESET_CLIENT_V3",
  [Opcode.controlWkcV1]: "P_CONTROL_WKC_V1",
};
export const openvpnPackets: Label = (bytes) => opcodes[opcodeOf(bytes[0]!)] ?? "no packet of OpenVPN";

/** ZRTP by its cookie and the name of its message (RFC 6189 §5), SRTP by what RTP leaves in clear (RFC 3711 §3.1). */
export const mediaPackets: Label = (bytes) => {
  if (bytes[0] === 0x10) return `ZRTP ${fromUtf8(bytes.subarray(16, 24))?.trim()}`;
  const isControl = bytes[1]! >= 192 && bytes[1]! <= 223;
  return isControl ? "SRTCP" : `SRTP ${(bytes[2]! << 8) | bytes[3]!}`;
};

/** A segment of TCP: its flags, and what its payload is. */
export function segmentLabel(segment: Segment, bytes: Uint8Array, of: Label): string {
  const { syn, ack, fin, rst, probe } = segment;
  const payload = bytes.length === 0 ? [] : [of(bytes)];
  const told = [
    ...(syn ? [ack ? "SYN ACK" : "SYN"] : []),
    ...payload,
    ...(fin ? ["FIN"] : []),
    ...(rst ? ["RST"] : []),
  ];
  return told.join(", ") || (probe ? "window probe" : "ACK");
}

/** Names of what lies one behind the other; the same many times over is counted. */
function joined(bytes: Uint8Array, read: (at: number) => readonly [name: string, size: number] | undefined): string {
  const names: string[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const next = read(at);
      if (next === undefined || !(next[1] > 0)) break;
      names.push(next[0]);
      at += next[1];
    }
  } catch {
    // What is cut short, or was corrupted on the way, is named as far as it can be read.
  }
  const counted = names.filter((name, i) => name !== names[i - 1]);
  return counted.map((name) => (names.filter((each) => each === name).length > 1 ? `${name} …` : name)).join(", ");
}
