import { concat, fromHex } from "../../../bytes/index.js";

/** A ping is a packet of these bytes, and no IP packet. */
export const pingPayload = fromHex("2a187bf3641eb4cb07ed2d0a981fc748");

const occMagic = fromHex("287f346bd4ef7a812d56b8d3afc5459c");
const occExit = 6;

/** Says goodbye to peers that cannot be told on the control channel. */
export const exitPayload = concat(occMagic, Uint8Array.of(occExit));

export type SpecialPayload = "ping" | "exit" | "occ";

/** What the bytes are if they are no packet. */
export function specialPayload(bytes: Uint8Array, at: number, size: number): SpecialPayload | undefined {
  if (size < pingPayload.length) return undefined;
  // IP packets begin with their version: most are told apart by one byte.
  const first = bytes[at];
  if (first === pingPayload[0] && size === pingPayload.length && holds(bytes, at, pingPayload)) return "ping";
  if (first === occMagic[0] && size > occMagic.length && holds(bytes, at, occMagic)) {
    return bytes[at + occMagic.length] === occExit ? "exit" : "occ";
  }
  return undefined;
}

function holds(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}
