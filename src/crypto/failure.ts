import { Failure } from "../contract/failure.js";

/** What a caller can do wrong with a provider. A peer's bytes never cause one: they are answered false or undefined. */
export type CryptoReason =
  | "unavailable-algorithm"
  | "wrong-size"
  | "out-of-bounds"
  | "destroyed"
  | "unfit-key"
  | "too-long"
  | "used-up";

export function misuse(reason: CryptoReason, message: string, hint?: string): Failure<CryptoReason> {
  return new Failure({
    fault: "misuse",
    reason,
    protocol: "crypto",
    message,
    ...(hint === undefined ? {} : { hint }),
  });
}
