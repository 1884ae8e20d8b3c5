import type { Labels } from "../keys13.js";

export const confirmationSize = 8;

/**
 * What tells a client, and nobody else, that its inner ClientHello was read: §7.2 in a ServerHello, whose last eight bytes
 * of random are it; §7.2.1 in a HelloRetryRequest. The transcript is of the inner handshake, with zeros in its place.
 */
export function confirmation(
  labels: Labels,
  innerRandom: Uint8Array,
  where: "ServerHello" | "HelloRetryRequest",
  transcriptHash: Uint8Array,
): Uint8Array {
  const secret = labels.extract(new Uint8Array(labels.hash.size), innerRandom);
  const label = where === "ServerHello" ? "ech accept confirmation" : "hrr ech accept confirmation";
  const value = labels.expand(secret, label, transcriptHash, confirmationSize);
  secret.wipe();
  return value.expose();
}

/** Where the confirmation stands in a ServerHello message, header included. */
export const confirmationAt = 4 + 2 + 32 - confirmationSize;

/** The message with zeros in the place of the confirmation. */
export function withoutConfirmation(message: Uint8Array, at: number): Uint8Array {
  const copy = message.slice();
  copy.fill(0, at, at + confirmationSize);
  return copy;
}
