import { boxOverhead } from "../keys.js";

/** The four packets of CurveCP in five layouts (packets page). Integers are little-endian. */
export const magicSize = 8;
export const extensionSize = 16;
/** Every packet begins with its name, the receiver's extension, the sender's. */
export const receiverExtensionAt = magicSize;
export const senderExtensionAt = magicSize + extensionSize;
const headSize = magicSize + 2 * extensionSize;
/** In packets from a client. */
export const clientKeyAt: number = headSize;

export const hello = { size: 224, zerosAt: headSize + 32, counterAt: headSize + 96, boxAt: headSize + 104 } as const;
export const helloPlainSize = 64;

export const cookiePacket = { size: 200, nonceAt: headSize, boxAt: headSize + 16 } as const;
export const cookieSize = 96;

export const initiate = { cookieAt: headSize + 32, counterAt: headSize + 128, boxAt: headSize + 136 } as const;
/** Before the message in an Initiate's box: C, the vouch, the server's name. */
export const vouchAt = 32;
export const vouchSize = 64;
export const nameAt: number = vouchAt + vouchSize;
export const nameSize = 256;
export const credentialsSize: number = nameAt + nameSize;

export const clientMessage = { counterAt: headSize + 32, boxAt: headSize + 40 } as const;
export const serverMessage = { counterAt: headSize, boxAt: headSize + 8 } as const;

/** Messages (messages page): in a Message packet, in an Initiate packet. */
export const messageSizeMin = 16;
export const messageSizeMax = 1_088;
export const initiateMessageMax = 640;
/** Greatest packet: the Initiate with its longest message. */
export const packetSizeMax: number = initiate.boxAt + boxOverhead + credentialsSize + messageSizeMax;

export type PacketType = "hello" | "cookie" | "initiate" | "client-message" | "server-message";

/** The last of the eight bytes tells a side's packets apart; the first seven tell whose they are. */
const byClient = "QvnQ5Xl";
const byServer = "RL3aNMX";
const clientTypes: Readonly<Record<string, PacketType>> = { H: "hello", I: "initiate", M: "client-message" };
const serverTypes: Readonly<Record<string, PacketType>> = { K: "cookie", M: "server-message" };

export const magic: Readonly<Record<PacketType, Uint8Array>> = {
  hello: ascii(`${byClient}H`),
  initiate: ascii(`${byClient}I`),
  "client-message": ascii(`${byClient}M`),
  cookie: ascii(`${byServer}K`),
  "server-message": ascii(`${byServer}M`),
};

const lastByte = magicSize - 1;
const clientByLast = Array.from({ length: 256 }, (_, last) => clientTypes[String.fromCharCode(last)]);
const serverByLast = Array.from({ length: 256 }, (_, last) => serverTypes[String.fromCharCode(last)]);

/** The packet at `at`, if its size is one that such a packet may have; undefined for all else. Nothing of it is authentic. */
export function packetType(bytes: Uint8Array, at: number, end: number): PacketType | undefined {
  if (end - at < headSize) return undefined;
  const last = bytes[at + lastByte]!;
  const type = startsWith(bytes, at, magic.hello)
    ? clientByLast[last]
    : startsWith(bytes, at, magic.cookie)
      ? serverByLast[last]
      : undefined;
  return type !== undefined && fits(type, end - at) ? type : undefined;
}

function fits(type: PacketType, size: number): boolean {
  switch (type) {
    case "hello":
      return size === hello.size;
    case "cookie":
      return size === cookiePacket.size;
    case "initiate":
      return isMessage(size - initiate.boxAt - boxOverhead - credentialsSize, initiateMessageMax);
    case "client-message":
      return isMessage(size - clientMessage.boxAt - boxOverhead, messageSizeMax);
    case "server-message":
      return isMessage(size - serverMessage.boxAt - boxOverhead, messageSizeMax);
  }
}

const isMessage = (size: number, max: number): boolean => size >= messageSizeMin && size <= max && size % 16 === 0;

function startsWith(bytes: Uint8Array, at: number, start: Uint8Array): boolean {
  for (let i = 0; i < lastByte; i++) if (bytes[at + i] !== start[i]) return false;
  return true;
}

/** A position; one that is too great for a number here comes out too great for `limits.positionsMax`. */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 0x1_0000_0000;
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value);
  writeU32(bytes, at + 4, Math.floor(value / 0x1_0000_0000));
}

export function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export const readU16 = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8);

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

/** Are `size` bytes at the two places the same? Nothing secret is compared so. */
export function sameAt(a: Uint8Array, at: number, b: Uint8Array, bAt: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (a[at + i] !== b[bAt + i]) return false;
  return true;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
