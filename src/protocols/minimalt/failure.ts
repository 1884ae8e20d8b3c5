import { Failure, type Fault } from "../../contract/index.js";
import { noCounts } from "../../contract/reasons.js";

/** Why a packet was dropped: one counter each. None of these ever ends a session. */
export const dropReasons = [
  /** Not a packet of MinimaLT, or of a size that none has. */
  "malformed",
  /** It names no tunnel here, and begins none. */
  "no-tunnel",
  /** A box that does not open. */
  "bad-box",
  /** A nonce that has been, is too old to know, or is of our own side (§4.2). */
  "replayed",
  /** It begins a tunnel, and is shorter than the record asks (§3.4). */
  "too-small",
  /** It begins a tunnel with a key that has begun one before (§5.3). */
  "spent-key",
  /** It begins a tunnel under an identifier that another tunnel has. */
  "tid-in-use",
  /** The key in the clear is not the one in the box (§7.4). */
  "key-mismatch",
  /** A packet that begins a tunnel, to a port that serves nobody, or nobody new. */
  "no-server",
  /** More tunnels than may be. */
  "too-many-tunnels",
  /** Under load: a puzzle was sent instead. */
  "puzzle-posed",
  /** More puzzles wait to be sent than may. */
  "too-many-puzzles",
  /** A solution that is none, or too old, or of other keys (§5.7). */
  "bad-solution",
  /** A puzzle that nobody asked for, or that is harder than the application allows. */
  "puzzle-refused",
  /** A segment too far ahead of those that have come. */
  "too-far-ahead",
] as const;

export type DropReason = (typeof dropReasons)[number];
export type DropCounts = { [R in DropReason]: number };

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  /** Nobody answered. */
  "no-answer": "unreachable",
  /** The port is gone, or the peer has fallen silent. */
  "connection-lost": "unreachable",
  /** The peer gave the tunnel up. */
  "left-by-peer": "unreachable",
  /** The peer refused a connection, or gave one up. */
  refused: "refused",
  /** An authentic packet that breaks the rules. */
  "malformed-rpc": "misbehaviour",
  "unexpected-rpc": "misbehaviour",
  "flow-control": "misbehaviour",
  /** A service record that cannot be read, is not signed by who it should be, or is of another host. */
  "bad-record": "authentication",
  "expired-record": "expired",
  /** The directory has no record of the host. */
  "no-record": "refused",
  "no-common-suite": "incompatible",
  "unknown-version": "incompatible",
  /** All nonces of a key have been used. */
  "nonces-exhausted": "expired",
  "bad-configuration": "misuse",
  misuse: "misuse",
} as const satisfies Record<string, Fault>;

export type MinimaltReason = keyof typeof faults;
export type MinimaltFailure = Failure<MinimaltReason>;

export function minimaltFailure(
  reason: MinimaltReason,
  at: string,
  message: string,
  more: { readonly hint?: string; readonly cause?: unknown; readonly byPeer?: boolean } = {},
): MinimaltFailure {
  return new Failure({ protocol: "MinimaLT", fault: faults[reason], reason, at, message, ...more });
}
