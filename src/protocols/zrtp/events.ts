import type { Failure, Question } from "../../contract/index.js";
import type { MasterKey, SrtpProfileName } from "../srtp/index.js";
import type { RetainedSecrets } from "./cache.js";
import type { ZrtpReason } from "./failure.js";
import type { RelayedSas } from "./messages/confirm.js";
import type { ZrtpOutcome } from "./outcome.js";
import type { Sas } from "./sas.js";

/** What a machine asks. */
export type ZrtpAsks = {
  /** What is retained of the peer with this ZID? Undefined: nothing. */
  secrets: { ask: { readonly zid: Uint8Array }; answer: RetainedSecrets | undefined };
  /** Do both users read the same words? False ends the session; undefined leaves it open. */
  words: { ask: { readonly words: Sas; readonly outcome: ZrtpOutcome }; answer: boolean | undefined };
};

/** What a user should know; each is told once. */
export type ZrtpWarning =
  /** The peer has lost the secret of an earlier call, or somebody is in between: compare the words (RFC 6189 §4.3.2). */
  | "cache-mismatch"
  /** The peer's auxiliary secret is not ours. */
  | "auxiliary-mismatch"
  /** The peer gives the keys to others (§11). */
  | "disclosure"
  /** A PBX asks to be trusted (§7.3.1): `enroll` does so. */
  | "enrollment"
  /** The peer wanted to go on without protection, and was refused. */
  | "clear-refused"
  /** Somebody who is not trusted relayed a SAS: it is not shown (§7.3). */
  | "untrusted-relay";

export type ZrtpEvent =
  | Question<ZrtpAsks>
  /** Keys for SRTP. What we protect may go out once it is confirmed; what the peer protects may come at once. */
  | { readonly kind: "keys"; readonly profile: SrtpProfileName; readonly send: MasterKey; readonly receive: MasterKey }
  | { readonly kind: "confirmed"; readonly outcome: ZrtpOutcome }
  /** The users have the same words. */
  | { readonly kind: "verified" }
  | { readonly kind: "warning"; readonly warning: ZrtpWarning; readonly message: string }
  /** To be kept for the next call; undefined: to be forgotten. */
  | { readonly kind: "retain"; readonly zid: Uint8Array; readonly secrets: RetainedSecrets | undefined }
  /** A trusted PBX's SAS with the other party: what the users compare (§7.3). */
  | { readonly kind: "relayed"; readonly words: Sas; readonly flags: RelayedSas["flags"] }
  /** It has come to nothing; the peer is still being told. */
  | { readonly kind: "ending"; readonly failure: Failure<ZrtpReason> }
  | { readonly kind: "failed"; readonly failure: Failure<ZrtpReason> }
  | { readonly kind: "ended" };

/** A machine's own inputs. */
export type ZrtpInput =
  /** The first authentic SRTP packet has come: as good as Conf2ACK (§4.6). */
  | { readonly kind: "media" }
  /** What the users found when they compared the words. */
  | { readonly kind: "compared"; readonly same: boolean }
  /** The user wants to trust the PBX that asked for it. */
  | { readonly kind: "enroll" }
  | { readonly kind: "close" }
  /** As `close`, and the peer is not told. */
  | { readonly kind: "abort" };
