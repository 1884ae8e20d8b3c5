import type { Answer, Question, SendBytes, StreamInput } from "../../contract/index.js";
import type { TcpcryptFailure } from "./failure.js";
import type { AuthenticationQuestion, TcpcryptOutcome } from "./options.js";

/** What a machine takes beside a stream's inputs, answers and `send`. */
export type TcpcryptInput =
  | StreamInput
  | SendBytes
  | Answer
  /** Bytes of which the last is urgent (RFC 8548 §3.7). */
  | { readonly kind: "send-urgent"; readonly bytes: Uint8Array }
  /** FINp, on the last frame of what is queued. */
  | { readonly kind: "close" }
  /** The next generation of keys, which the peer follows (§3.8). */
  | { readonly kind: "update-keys" }
  /** After so long without a frame of the peer's, it is asked for one by rekeying (§3.9); 0 never. */
  | { readonly kind: "keep-alive"; readonly ms: number };

/** Does the application know the peer by this session ID? Undefined and false are no. */
export type TcpcryptAsks = {
  readonly authenticate: { ask: AuthenticationQuestion; answer: boolean | undefined };
};

export type TcpcryptEvent =
  | Question<TcpcryptAsks>
  | { readonly kind: "confirmed"; readonly outcome: TcpcryptOutcome }
  /** The last byte of an Init message has been transmitted: its segment is to be pushed (§3.3). Nothing follows until this is told. */
  | { readonly kind: "init-sent" }
  /** Data, in place in the memory of the input. `urgentAt`: offset of the last urgent byte in the whole stream of data. */
  | { readonly kind: "data"; readonly bytes: Uint8Array; readonly urgentAt: number | undefined }
  /** So many buffers given by `send`, oldest first, are sealed and the caller's again. */
  | { readonly kind: "sent"; readonly count: number }
  | { readonly kind: "key-updated"; readonly direction: "read" | "write"; readonly generation: number }
  /** The peer's FINp: it sends no more, and meant it. */
  | { readonly kind: "ended" }
  /** Our last frame is transmitted: the stream's direction is to be ended. */
  | { readonly kind: "finished" }
  /** Nothing follows; the stream is to be aborted (§3.3). */
  | { readonly kind: "failed"; readonly failure: TcpcryptFailure };
