import type { Instant } from "../../../contract/index.js";
import type { Header } from "../wire/header.js";
import type { Payload } from "../wire/payloads.js";
import type { Path } from "./request.js";

/** What leads to an established IKE SA, at either end: until then all messages are its business. */
export interface Opening {
  /** An authentic request of the peer's. */
  requested(exchange: number, payloads: readonly Payload[], now: Instant): void;
  /** A message of an IKE_INTERMEDIATE exchange, which AUTH will cover (RFC 9242 §3.3.2). */
  cover(header: Header, first: number, inner: Uint8Array): void;
  /** Another IKE_SA_INIT message that names this IKE SA, in the clear. */
  clear(message: Uint8Array, header: Header, path: Path, now: Instant): void;
}
