import type { Answer, DatagramInput, Instant, Question, SocketAddress } from "../../contract/index.js";
import type { MinimaltFailure } from "./failure.js";
import type { ConnectionQuestion, MinimaltOutcome } from "./options.js";
import type { Approach } from "./tunnel/client.js";
import type { ServiceRecord } from "./wire/record.js";

/** What concerns one tunnel. Tunnels have numbers: those of a client are the application's and odd, those that come are even. */
export type TunnelInput = { readonly tunnel: number } & (
  | { readonly kind: "connect"; readonly approach: Approach }
  /** A connection of ours: its number is odd for a client, even for a server, and larger than any before. */
  | {
      readonly kind: "create";
      readonly connection: number;
      readonly service: string;
      readonly priority: number;
    }
  | {
      readonly kind: "write";
      readonly connection: number;
      readonly bytes: Uint8Array;
      readonly released: (() => void) | undefined;
    }
  /** Our stream ends here. */
  | { readonly kind: "finish"; readonly connection: number }
  /** The connection is given up, both ways. */
  | { readonly kind: "refuse"; readonly connection: number }
  /** What comes on it is not wanted. */
  | { readonly kind: "stop"; readonly connection: number }
  | { readonly kind: "pause"; readonly connection: number }
  | { readonly kind: "resume"; readonly connection: number }
  | { readonly kind: "priority"; readonly connection: number; readonly priority: number }
  /** Asks for a host's record; a `record` event answers. */
  | { readonly kind: "request"; readonly request: number; readonly name: string }
  /** Registers a record; a `record` event answers with it, or without. */
  | { readonly kind: "give"; readonly request: number; readonly record: ServiceRecord }
  | { readonly kind: "update-keys" }
  | { readonly kind: "keep-alive"; readonly ms: number }
  /** The port has changed. */
  | { readonly kind: "moved" }
  | { readonly kind: "close" }
  | { readonly kind: "abort" }
);

export type MinimaltInput =
  | DatagramInput
  | Answer
  | TunnelInput
  /** A server's place: records can be made. */
  | { readonly kind: "serve"; readonly at: SocketAddress }
  /** Nobody new is served. */
  | { readonly kind: "refuse-strangers" };

/** What an endpoint asks. Undefined and false are no. */
export type MinimaltQuestions = {
  readonly "accept-connection": { ask: ConnectionQuestion; answer: boolean | undefined };
  readonly "find-record": { ask: { readonly name: string }; answer: ServiceRecord | undefined };
};

export type TunnelEvent = { readonly tunnel: number } & (
  | { readonly kind: "accepted"; readonly from: SocketAddress }
  | { readonly kind: "confirmed"; readonly outcome: MinimaltOutcome }
  /** A connection of the peer's, which may be. */
  | {
      readonly kind: "created";
      readonly connection: number;
      readonly service: string;
      readonly user: Uint8Array | undefined;
    }
  /** One of ours was accepted. */
  | { readonly kind: "acknowledged"; readonly connection: number }
  /** Bytes that came: lent, as the machine's contract has it. */
  | { readonly kind: "data"; readonly connection: number; readonly bytes: Uint8Array }
  | { readonly kind: "ended"; readonly connection: number }
  | { readonly kind: "released"; readonly released: () => void }
  | { readonly kind: "drained"; readonly connection: number }
  /** Both streams of a connection are over; `isRefused`: the peer gave it up. */
  | { readonly kind: "connection-over"; readonly connection: number; readonly isRefused: boolean }
  | { readonly kind: "record"; readonly request: number; readonly record: ServiceRecord | undefined }
  | { readonly kind: "key-updated"; readonly byPeer: boolean }
  | { readonly kind: "moved"; readonly from: SocketAddress; readonly to: SocketAddress }
  /** Nothing follows but `released` and `gone`. */
  | { readonly kind: "over"; readonly failure: MinimaltFailure | undefined }
  | { readonly kind: "gone" }
);

export type MinimaltEvent =
  | Question<MinimaltQuestions>
  | TunnelEvent
  /** A new ephemeral key: this record is to be told, and published. */
  | { readonly kind: "new-record"; readonly record: ServiceRecord; readonly notAfter: Instant };
