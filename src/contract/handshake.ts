import type { Failure } from "./failure.js";
import type { Question } from "./question.js";

/**
 * What a handshake protocol puts out (RFC 8922 §2: handshake apart from record). Five words are enough for TLS over
 * records, DTLS flights, QUIC packets and IKE: messages, keys, questions, the outcome, the failure.
 */
export type HandshakeOutput<
  Epoch extends string,
  Keys,
  Asks extends { [kind: string]: { ask: unknown; answer: unknown } },
  Outcome,
> =
  | { readonly kind: "message"; readonly epoch: Epoch; readonly bytes: Uint8Array }
  | { readonly kind: "keys"; readonly epoch: Epoch; readonly direction: "read" | "write"; readonly keys: Keys }
  | Question<Asks>
  | { readonly kind: "confirmed"; readonly outcome: Outcome }
  | { readonly kind: "failed"; readonly failure: Failure };

/** What a record protocol tells its handshake, and nothing else. */
export type RecordSignal = { readonly kind: "keys-expiring"; readonly why: string } | { readonly kind: "moved" };
