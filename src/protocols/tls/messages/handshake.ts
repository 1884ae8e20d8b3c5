import { Reader, Writer } from "../../../bytes/index.js";

/** HandshakeType: RFC 9846 §4, and of 1.2 what stands in RFC 5246 §7.4, RFC 5077 and RFC 6066. */
export const handshakeType = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  helloVerifyRequest: 3,
  newSessionTicket: 4,
  endOfEarlyData: 5,
  encryptedExtensions: 8,
  /** DTLS 1.3's own, which its record protocol answers: RFC 9147 §9. */
  requestConnectionId: 9,
  newConnectionId: 10,
  certificate: 11,
  serverKeyExchange: 12,
  certificateRequest: 13,
  serverHelloDone: 14,
  certificateVerify: 15,
  clientKeyExchange: 16,
  /** Not sent by TLS itself: RFC 9261 §4. */
  clientCertificateRequest: 17,
  finished: 20,
  certificateStatus: 22,
  keyUpdate: 24,
  compressedCertificate: 25,
  messageHash: 254,
} as const;

export type HandshakeType = (typeof handshakeType)[keyof typeof handshakeType];

const names = new Map<number, string>(
  Object.entries(handshakeType).map(([name, type]) => [type, name[0]!.toUpperCase() + name.slice(1)]),
);

/** The message's name in the specification. */
export const messageName = (type: number): string => names.get(type) ?? `handshake message ${type}`;

/** Bytes of msg_type and length. */
export const headerSize = 4;

/** A whole message as it came, with the views of it that its reader needs. */
export interface Message {
  readonly type: number;
  readonly body: Uint8Array;
  /** Header and body, as the transcript takes them. */
  readonly bytes: Uint8Array;
}

/** Puts the header before a body. */
export function frame(type: number, body: Uint8Array): Uint8Array {
  return new Writer(headerSize + body.length).u8(type).u24(body.length).put(body).take();
}

/** Reads a message that is known to be whole. */
export function unframe(bytes: Uint8Array): Message {
  const reader = new Reader(bytes);
  const type = reader.u8();
  const body = reader.take(reader.u24());
  reader.end();
  return { type, body, bytes };
}
