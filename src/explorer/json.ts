import { toHex } from "../bytes/index.js";
import type { Recording } from "./recording.js";

/** A recording as JSON: bytes in hexadecimal, the capture left out. */
export function asJson({ capture: _, packets, ...rest }: Recording): object {
  return { ...rest, packets: packets.map(({ bytes, ...packet }) => ({ ...packet, bytes: toHex(bytes) })) };
}
