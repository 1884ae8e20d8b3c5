import type { Failure, PeerIdentity, SignatureName } from "../../../contract/index.js";
import type { ProofVerdict } from "../options.js";
import type { LevelKeys } from "../protection/keys.js";
import type { Level } from "../wire/header.js";
import type { PeerParameters } from "./parameters.js";

/** What a handshake asks: is this server trusted, sign this config. */
export type HandshakeAsks = {
  "verify-proof": {
    readonly chain: readonly Uint8Array[];
    readonly serverName: string | undefined;
    readonly at: number;
  };
  "sign-proof": {
    readonly serverName: string | undefined;
    readonly algorithm: SignatureName;
    readonly message: Uint8Array;
  };
};

export type HandshakeAnswers = { "verify-proof": ProofVerdict; "sign-proof": Uint8Array | undefined };

/** What a handshake puts out. */
export type HandshakeOutput =
  | { readonly kind: "message"; readonly level: Level; readonly bytes: Uint8Array }
  /** Keys of both directions: what they are for follows from the level and the role. */
  | { readonly kind: "keys"; readonly level: "initial" | "forward-secure"; readonly keys: LevelKeys }
  | {
      readonly kind: "question";
      readonly question: { [K in keyof HandshakeAsks]: { readonly kind: K } & HandshakeAsks[K] }[keyof HandshakeAsks];
    }
  /** The peer's limits as they were remembered (client), or as its hello has them. */
  | { readonly kind: "parameters"; readonly parameters: PeerParameters }
  /** Client: the server did not take our hello, and what was sent under its keys was lost. */
  | { readonly kind: "rejected"; readonly reasons: readonly number[] }
  /** Client: it may be told by this that the server has forgotten us (SRST). */
  | { readonly kind: "reset-token"; readonly token: Uint8Array }
  | { readonly kind: "complete"; readonly outcome: HandshakeOutcome }
  | { readonly kind: "failed"; readonly failure: Failure };

export interface HandshakeOutcome {
  /** Server: undefined, since clients prove nothing. */
  readonly peer: PeerIdentity | undefined;
  /** SNI. */
  readonly serverName: string | undefined;
  /** Client hellos that were sent. */
  readonly hellos: number;
  /** The first hello had keys in it already. */
  readonly resumed: boolean;
}

/** Why a server did not take a hello (RREJ, HandshakeFailureReason). */
export const RejectReason = {
  nonceUsed: 3,
  nonceOrbit: 4,
  nonceTime: 5,
  serverNonceInvalid: 9,
  serverNonceUsed: 10,
  inchoate: 12,
  unknownConfig: 13,
  tokenMissing: 14,
  tokenInvalid: 15,
  wrongLeaf: 21,
} as const;
