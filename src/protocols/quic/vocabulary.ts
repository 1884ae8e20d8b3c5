import type {
  Answer,
  DatagramFate,
  DatagramInput,
  Failure,
  KeyExpiry,
  Question,
  SocketAddress,
  StreamDirection,
} from "../../contract/index.js";
import type { StreamVerb } from "../../mechanisms/streams/held-stream.js";
import type { TlsAsks } from "../tls/index.js";
import type { TellFate } from "./datagrams.js";
import type { QuicFailure } from "./failure.js";
import type { QuicMove, QuicOutcome } from "./session.js";
import type { StreamEvent } from "./streams/index.js";

/** A connection of an endpoint, by its number: a client gives it, a server counts. */
export type ConnectionNumber = number;

/** What a connection is asked to do. A connection that is gone hears nothing. */
export type ConnectionInput = { readonly connection: ConnectionNumber } & (
  | {
      readonly kind: "open-stream";
      readonly direction: StreamDirection;
      readonly priority: number;
      readonly early: boolean;
    }
  | StreamVerb
  | {
      readonly kind: "send-datagram";
      readonly bytes: Uint8Array;
      readonly lifetimeMs?: number | undefined;
      readonly fate?: ((fate: DatagramFate) => void) | undefined;
    }
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  | { readonly kind: "abort" }
  /** Client: the network says that nobody listens there. It counts only while nothing has been heard of the server. */
  | { readonly kind: "refused"; readonly cause: Failure }
  | { readonly kind: "update-keys" }
  | { readonly kind: "ping" }
  /** Undefined turns PINGs off. */
  | { readonly kind: "keep-alive"; readonly ms: number | undefined }
  /** Client: go on from this local address, at which a port is bound already; `remote` is the preferred one. */
  | { readonly kind: "migrate"; readonly local: SocketAddress; readonly remote?: SocketAddress }
);

export type QuicInput =
  | ConnectionInput
  | DatagramInput
  | Answer
  /** Client: a new connection from the local address of a port that is bound. */
  | {
      readonly kind: "connect";
      readonly connection: ConnectionNumber;
      readonly local: SocketAddress;
      readonly remote: SocketAddress;
    }
  /** Server: no more connections; those that are there go on. */
  | { readonly kind: "stop" };

/** TLS's questions, each with the connection that asks. */
export type QuicAsks = {
  [K in keyof TlsAsks]: {
    ask: TlsAsks[K]["ask"] & { readonly connection: ConnectionNumber };
    answer: TlsAsks[K]["answer"];
  };
};

export type ConnectionEvent = {
  readonly connection: ConnectionNumber;
} /** Server: a client's first packet is authentic. */ & (
  | { readonly kind: "accepted"; readonly local: SocketAddress; readonly remote: SocketAddress }
  | { readonly kind: "confirmed"; readonly outcome: QuicOutcome }
  /** `early` with `opened`: the stream's first bytes came as 0-RTT. */
  | { readonly kind: "stream"; readonly event: StreamEvent; readonly early: boolean }
  | { readonly kind: "datagram"; readonly bytes: Uint8Array }
  /** What became of a datagram: give `fate` to `tell`. */
  | { readonly kind: "fate"; readonly tell: TellFate; readonly fate: DatagramFate }
  | { readonly kind: "early-data"; readonly status: "accepted" | "rejected" }
  | { readonly kind: "ticket" }
  | { readonly kind: "token"; readonly token: Uint8Array }
  | { readonly kind: "key-updated"; readonly byPeer: boolean }
  | { readonly kind: "key-expiring"; readonly why: KeyExpiry }
  | { readonly kind: "moved"; readonly move: QuicMove }
  /** UDP payload of full packets from now on. */
  | { readonly kind: "mtu"; readonly size: number }
  /** Client: the server would rather be spoken to there (RFC 9000 §9.6): bind a port for it, and `migrate`. */
  | { readonly kind: "preferred"; readonly remote: SocketAddress }
  /** What became of `migrate`. */
  | { readonly kind: "migrated"; readonly local: SocketAddress; readonly failure: QuicFailure | undefined }
  /** Nothing more comes, and nothing more may be sent. */
  | { readonly kind: "closed"; readonly failure: QuicFailure | undefined }
  /** The last packet has been sent or heard: the port may go. */
  | { readonly kind: "gone" }
);

export type QuicEvent = ConnectionEvent | Question<QuicAsks>;
