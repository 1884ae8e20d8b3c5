/** What a datagram of UDP's encapsulation holds (RFC 3948 §2): told apart by its first bytes alone. */
export type Encapsulated = "esp" | "ike" | "keepalive" | "malformed";

/** In front of an IKE message on a port that ESP shares: where its SPI, which is never 0, would be. */
export const nonEspMarkerSize = 4;

/** Reminds a NAT of us; of no other meaning (RFC 3948 §2.3). */
export const keepaliveByte = 0xff;

/** Of the datagram of `size` bytes at `at`. */
export function encapsulated(bytes: Uint8Array, at: number, size: number): Encapsulated {
  if (size < nonEspMarkerSize) return size === 1 && bytes[at] === keepaliveByte ? "keepalive" : "malformed";
  return (bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) === 0 ? "ike" : "esp";
}
