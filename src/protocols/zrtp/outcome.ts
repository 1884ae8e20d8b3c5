import { type Instant, Secret } from "../../contract/index.js";
import type { SrtpProfileName } from "../srtp/index.js";
import { authTagTypes, type Choice } from "./algorithms.js";
import type { RetainedSecrets } from "./cache.js";
import type { ZrtpWarning } from "./events.js";
import type { Exchange } from "./exchange.js";
import type { Role } from "./keys.js";
import { forever } from "./limits.js";
import type { SignatureBlock } from "./messages/confirm.js";
import type { HelloFlags } from "./messages/hello.js";
import { renderSas, type Sas } from "./sas.js";
import { type Match, matchOf } from "./secrets.js";

/** What a key agreement came to. */
export interface ZrtpOutcome extends Choice {
  readonly role: Role;
  readonly profile: SrtpProfileName;
  readonly peerZid: Uint8Array;
  /** The peer's software, as it names itself. */
  readonly client: string;
  readonly peerFlags: HelloFlags;
  /** For both users to compare. Undefined in a stream that is not the call's first: theirs is that of the first. */
  readonly words: Sas | undefined;
  /** Our user compared the words in an earlier call, and this one's keys rest on what was agreed on then. */
  readonly verified: boolean;
  /** The peer says the same of its user (RFC 6189 §7.1). */
  readonly peerVerified: boolean;
  /**
   * Key continuity (§4.3.2): `matched`, the peer has the secret of an earlier call; `none`, we have none; `mismatch`, we have one
   * and the peer does not: it has lost its own, or somebody is in between.
   */
  readonly continuity: Match;
  readonly auxiliary: Match;
  /** The secret of a PBX that was enrolled with. */
  readonly pbx: Match;
  /** The peer's Hello was the one that signalling promised (§8.1): as good as the words if signalling is protected. */
  readonly signalled: boolean;
  /** The peer gives the keys to others (§11). */
  readonly disclosure: boolean;
  /** The peer, a PBX, asks to be trusted as a man in the middle (§7.3.1). */
  readonly enrollment: boolean;
  /** As it came: nobody has verified it. */
  readonly signature: SignatureBlock | undefined;
}

export function outcomeOf(exchange: Exchange, isVerified: boolean, signalled: boolean): ZrtpOutcome {
  const choice = exchange.choice!;
  const { known } = exchange;
  const { hello } = exchange.peer;
  const { flags, signature } = exchange.confirmation!;
  const { s1, s2, s3 } = exchange.shared;
  const kind = exchange.row!.kind;
  const sashash = exchange.keys!.first?.sashash;
  const continuity = kind === "multistream" ? "none" : matchOf(known.rs1 ?? known.rs2, s1);
  return {
    ...choice,
    role: exchange.role!,
    profile: authTagTypes[choice.authTag][choice.cipher],
    peerZid: hello.zid.slice(),
    client: hello.client.trimEnd(),
    peerFlags: hello.flags,
    words: sashash && renderSas(choice.sas, sashash),
    verified: isVerified && s1 !== undefined,
    peerVerified: flags.verified,
    continuity,
    // Which of them Preshared mode used its keyID does not tell apart.
    auxiliary: kind === "dh" ? matchOf(known.auxiliary, s2) : "none",
    pbx: kind === "dh" ? matchOf(known.pbx, s3) : "none",
    signalled,
    disclosure: flags.disclosure,
    enrollment: flags.enrollment && hello.flags.mitm,
    signature,
  };
}

export const cacheMismatch =
  "we have a secret of an earlier call and the peer does not: it has lost its own, or somebody is in between; compare the words";

/** What the user should know of it. */
export function* warningsOf(outcome: ZrtpOutcome, isMismatch: boolean): Generator<readonly [ZrtpWarning, string]> {
  if (isMismatch) yield ["cache-mismatch", cacheMismatch];
  if (outcome.auxiliary === "mismatch") yield ["auxiliary-mismatch", "the peer's auxiliary secret is not ours"];
  if (outcome.disclosure) yield ["disclosure", "the peer gives the keys of this call to others"];
  if (outcome.enrollment) yield ["enrollment", "a PBX asks to be trusted as a man in the middle"];
}

/**
 * What is to be kept from now on (§4.6.1, §4.9), or undefined if nothing is. `ours` and `theirs` are the cache expiration
 * intervals of both Confirms, in seconds: the shorter counts.
 */
export function retained(
  before: RetainedSecrets | undefined,
  exchange: Exchange,
  verified: boolean,
  ours: number,
  now: Instant,
): RetainedSecrets | undefined {
  const seconds = Math.min(ours, exchange.confirmation!.expiration);
  if (seconds === 0) {
    return before && { ...copied(before), expiresAt: now };
  }
  const rs1 = Secret.copy(exchange.keys!.first!.retained.expose());
  const rs2 = exchange.row!.kind === "preshared" ? before?.rs2 : before?.rs1;
  return {
    rs1,
    rs2: rs2 && Secret.copy(rs2.expose()),
    pbx: before?.pbx && Secret.copy(before.pbx.expose()),
    verified,
    expiresAt: seconds === forever ? undefined : now + 1000 * seconds,
  };
}

/** The same with the secret of a PBX that the user trusts from now on (§7.3.1). */
export function enrolled(
  before: RetainedSecrets | undefined,
  retained: Secret,
  pbx: Secret,
  verified: boolean,
): RetainedSecrets {
  const rs2 = before?.rs1 && Secret.copy(before.rs1.expose());
  return { rs1: Secret.copy(retained.expose()), rs2, pbx, verified, expiresAt: before?.expiresAt };
}

function copied({ rs1, rs2, pbx, ...rest }: RetainedSecrets): RetainedSecrets {
  const copy = (secret: Secret | undefined): Secret | undefined => secret && Secret.copy(secret.expose());
  return { ...rest, rs1: copy(rs1), rs2: copy(rs2), pbx: copy(pbx) };
}
