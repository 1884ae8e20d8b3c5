import { sessionIdSize } from "./opcodes.js";

/** What stands behind the header of a control packet, once it is unwrapped (wire document §5.1). */
export interface ControlBody {
  readonly acks: readonly number[];
  /** Session ID to which the acknowledgements are given; absent without any. */
  readonly remoteSessionId: Uint8Array | undefined;
  /** Absent in P_ACK_V1. */
  readonly packetId: number | undefined;
  readonly payload: Uint8Array;
}

export function putU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export const bodySize = (acks: number, hasPacketId: boolean, payload: number): number =>
  1 + (acks > 0 ? 4 * acks + sessionIdSize : 0) + (hasPacketId ? 4 : 0) + payload;

export function encodeBody({ acks, remoteSessionId, packetId, payload }: ControlBody): Uint8Array {
  const body = new Uint8Array(bodySize(acks.length, packetId !== undefined, payload.length));
  let at = 0;
  body[at++] = acks.length;
  for (const ack of acks) {
    putU32(body, at, ack);
    at += 4;
  }
  if (acks.length > 0) {
    body.set(remoteSessionId!, at);
    at += sessionIdSize;
  }
  if (packetId !== undefined) {
    putU32(body, at, packetId);
    at += 4;
  }
  body.set(payload, at);
  return body;
}

/** Undefined for what is cut short or acknowledges more than openvpn ever does. The payload is a view. */
export function decodeBody(body: Uint8Array, hasPacketId: boolean, acksMax: number): ControlBody | undefined {
  const count = body[0];
  if (count === undefined || count > acksMax || body.length < bodySize(count, hasPacketId, 0)) return undefined;
  const acks: number[] = [];
  let at = 1;
  for (; acks.length < count; at += 4) acks.push(u32(body, at));
  const remoteSessionId = count > 0 ? body.subarray(at, at + sessionIdSize) : undefined;
  if (count > 0) at += sessionIdSize;
  const packetId = hasPacketId ? u32(body, at) : undefined;
  if (hasPacketId) at += 4;
  // P_ACK_V1 carries nothing else.
  if (!hasPacketId && at !== body.length) return undefined;
  return { acks, remoteSessionId, packetId, payload: body.subarray(at) };
}
