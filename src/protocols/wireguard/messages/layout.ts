import { transportOverhead } from "../limits.js";

/** Message types (whitepaper §5.4): one byte, then three of zero. */
export const MessageType = { initiation: 1, response: 2, cookieReply: 3, transport: 4 } as const;

/** Sizes and offsets in bytes, by the figures of §5.4.2 to §5.4.7. */
export const initiationLayout = {
  size: 148,
  sender: 4,
  ephemeral: 8,
  static: 40,
  timestamp: 88,
  mac1: 116,
  mac2: 132,
} as const;

export const responseLayout = {
  size: 92,
  sender: 4,
  receiver: 8,
  ephemeral: 12,
  empty: 44,
  mac1: 60,
  mac2: 76,
} as const;

export const cookieReplyLayout = { size: 64, receiver: 4, nonce: 8, cookie: 32 } as const;

export const transportLayout = { receiver: 4, counter: 8, packet: 16, overhead: transportOverhead } as const;

export const keySize = 32;
export const tagSize = 16;
export const macSize = 16;
export const timestampSize = 12;

/** What a datagram says that it is, if its size agrees; zero if it is nothing. */
export function messageType(bytes: Uint8Array, at: number, size: number): number {
  if (size < transportLayout.overhead || u32le(bytes, at) > MessageType.transport) return 0;
  const type = bytes[at]!;
  if (type === MessageType.transport) return type;
  if (type === MessageType.initiation) return size === initiationLayout.size ? type : 0;
  if (type === MessageType.response) return size === responseLayout.size ? type : 0;
  return type === MessageType.cookieReply && size === cookieReplyLayout.size ? type : 0;
}

export function u32le(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

export function putU32le(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** A 64-bit counter; above 2^53 it is not exact and no longer matters: limits.ts refuses it. */
export function u64le(bytes: Uint8Array, at: number): number {
  return u32le(bytes, at) + u32le(bytes, at + 4) * 2 ** 32;
}

export function putU64le(bytes: Uint8Array, at: number, value: number): void {
  putU32le(bytes, at, value % 2 ** 32);
  putU32le(bytes, at + 4, Math.floor(value / 2 ** 32));
}
