import type { Answer, DatagramInput, Question, SocketAddress } from "../../contract/index.js";
import type { CurveCpFailure } from "./failure.js";
import type { ClientQuestion, CurveCpClientOptions, CurveCpOutcome } from "./options.js";

/** What an endpoint is told. Connections have numbers: those of a client are the application's and odd, those that come are even. */
export type CurveCpInput =
  | DatagramInput
  | Answer
  | {
      readonly kind: "connect";
      readonly connection: number;
      readonly remote: SocketAddress;
      readonly options: CurveCpClientOptions;
    }
  /** Bytes for the stream: the machine's until `released` counts them. */
  | { readonly kind: "send"; readonly connection: number; readonly bytes: Uint8Array }
  /** Our stream ends here, with success. */
  | { readonly kind: "finish"; readonly connection: number }
  /** Our stream ends here, with failure, and the peer's is not wanted. */
  | { readonly kind: "abort"; readonly connection: number }
  | { readonly kind: "pause"; readonly connection: number }
  | { readonly kind: "resume"; readonly connection: number }
  /** The port has changed: say so at once. */
  | { readonly kind: "moved"; readonly connection: number }
  /** Nobody new is served. */
  | { readonly kind: "refuse-strangers" }
  /** Nobody new is served, what is open is aborted, and nothing lingers whose peer has heard of its end. */
  | { readonly kind: "close" };

/** What an endpoint asks: may this client come? Undefined and false are no. */
export type CurveCpQuestions = {
  readonly "accept-client": { ask: ClientQuestion; answer: boolean | undefined };
};

export type ConnectionEvent =
  | { readonly kind: "confirmed"; readonly connection: number; readonly outcome: CurveCpOutcome }
  /** Bytes of the peer's stream, in memory of the receiver's own. */
  | { readonly kind: "data"; readonly connection: number; readonly bytes: Uint8Array }
  /** So many `send`s are acknowledged: their bytes are the sender's again. */
  | { readonly kind: "released"; readonly connection: number; readonly count: number }
  /** The peer's stream has ended, with success. */
  | { readonly kind: "ended"; readonly connection: number }
  | {
      readonly kind: "moved";
      readonly connection: number;
      readonly from: SocketAddress;
      readonly to: SocketAddress;
    }
  /** Both streams are over, or the connection failed. Nothing of it follows but `gone`. */
  | { readonly kind: "over"; readonly connection: number; readonly failure: CurveCpFailure | undefined }
  /** It is forgotten. */
  | { readonly kind: "gone"; readonly connection: number };

export type CurveCpEvent =
  | Question<CurveCpQuestions>
  | { readonly kind: "accepted"; readonly connection: number; readonly from: SocketAddress }
  | ConnectionEvent;
