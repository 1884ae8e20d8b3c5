import type {
  Answer,
  DatagramFate,
  DatagramInput,
  Failure,
  Instant,
  Question,
  SocketAddress,
} from "../../contract/index.js";
import type { StreamVerb } from "../../mechanisms/streams/held-stream.js";
import type { GquicFailure } from "./failure.js";
import type { HandshakeAnswers, HandshakeAsks } from "./handshake/handshake.js";
import type { GquicOutcome } from "./session.js";
import type { StreamEvent } from "./streams/streams.js";

/** A connection of an endpoint, by its number: a client's is 1, a server counts. */
export type ConnectionNumber = number;

/** What a connection is asked to do. A connection that is gone hears nothing. */
export type ConnectionInput = { readonly connection: ConnectionNumber } & (
  | { readonly kind: "open-stream"; readonly priority: number; readonly early: boolean }
  | StreamVerb
  | {
      readonly kind: "send-datagram";
      readonly bytes: Uint8Array;
      readonly fate?: ((fate: DatagramFate) => void) | undefined;
    }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  | { readonly kind: "abort" }
  /** Client: the network says that nobody listens there. It counts only while nothing has been heard of the server. */
  | { readonly kind: "refused"; readonly cause: Failure }
  | { readonly kind: "ping" }
  | { readonly kind: "keep-alive"; readonly ms: number | undefined }
  /** Client: go on from this local address, at which a port is bound already. */
  | { readonly kind: "migrate"; readonly local: SocketAddress }
);

export type GquicInput =
  | ConnectionInput
  | DatagramInput
  | Answer
  /** Client: the connection, from the local address of a port that is bound. */
  | { readonly kind: "connect"; readonly local: SocketAddress; readonly remote: SocketAddress }
  /** Server: no more connections; those that are there go on. */
  | { readonly kind: "stop" };

export type GquicAsks = {
  [K in keyof HandshakeAsks]: {
    ask: HandshakeAsks[K] & { readonly connection: ConnectionNumber };
    answer: HandshakeAnswers[K];
  };
};

/** A change of place. */
export interface GquicMove {
  readonly at: Instant;
  readonly whose: "ours" | "the peer's";
  readonly from: SocketAddress;
  readonly to: SocketAddress;
}

export type ConnectionEvent = { readonly connection: ConnectionNumber } & (
  | /** Server: a client's hello was taken. */ {
      readonly kind: "accepted";
      readonly local: SocketAddress;
      readonly remote: SocketAddress;
    }
  | { readonly kind: "confirmed"; readonly outcome: GquicOutcome }
  /** `early` with `opened`: the stream's first bytes came under initial keys, and may have been replayed. */
  | { readonly kind: "stream"; readonly event: StreamEvent; readonly early: boolean }
  | { readonly kind: "datagram"; readonly bytes: Uint8Array }
  | { readonly kind: "fate"; readonly tell: (fate: DatagramFate) => void; readonly fate: DatagramFate }
  | { readonly kind: "early-data"; readonly status: "accepted" | "rejected" }
  | { readonly kind: "moved"; readonly move: GquicMove }
  /** UDP payload of full packets from now on. */
  | { readonly kind: "mtu"; readonly size: number }
  | { readonly kind: "migrated"; readonly local: SocketAddress; readonly failure: GquicFailure | undefined }
  /** Nothing more comes, and nothing more may be sent. */
  | { readonly kind: "closed"; readonly failure: GquicFailure | undefined }
  /** The last packet has been sent or heard: the port may go. */
  | { readonly kind: "gone" }
);

export type GquicEvent = ConnectionEvent | Question<GquicAsks>;
