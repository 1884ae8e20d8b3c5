import type { Failure, Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a packet was dropped: one counter each. None of these ever ends a session. */
export const dropReasons = [
  /** Not a packet of CurveCP, or of the wrong size. */
  "malformed",
  /** Not for our extension. */
  "wrong-extension",
  /** A Message or Initiate of no connection here, or a server's packet to none of our clients. */
  "no-connection",
  /** A box that does not open. */
  "bad-box",
  /** A cookie that neither minute key made, or made for another short-term key. */
  "bad-cookie",
  /** A cookie whose connection has been, and has ended. */
  "spent-cookie",
  "wrong-server-name",
  /** The client does not prove its long-term key. */
  "bad-vouch",
  /** A counter that has been, or is too old to know. */
  "replayed",
  /** A message whose fields contradict each other. */
  "malformed-message",
  /** Data for which the receive buffer has no room: this is CurveCP's flow control. */
  "buffer-full",
  /** More Hellos, or cookies that wait, than may be. */
  "too-many-hellos",
  "too-many-clients",
  /** The client waits for the application's word, and comes again. */
  "undecided",
  /** The application refused this client. */
  "refused-client",
  /** A Hello to a port that serves nobody, or serves nobody new. */
  "no-server",
] as const;

export type DropReason = (typeof dropReasons)[number];
export type DropCounts = { [R in DropReason]: number };

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  /** No Hello was answered. */
  "no-answer": "unreachable",
  /** The port is gone, or the peer has fallen silent. */
  "connection-lost": "unreachable",
  /** The peer ended its stream with failure: it aborted. */
  "peer-failed": "unreachable",
  /** All counters of a key have been used (nonces page: abort at once). */
  "counter-exhausted": "expired",
  "bad-configuration": "misuse",
  misuse: "misuse",
} as const satisfies Record<string, Fault>;

export type CurveCpReason = keyof typeof faults;
export type CurveCpFailure = Failure<CurveCpReason>;

const made = failuresOf("CurveCP", faults);

export function curvecpFailure(
  reason: CurveCpReason,
  at: string,
  message: string,
  more: { readonly hint?: string; readonly cause?: unknown; readonly byPeer?: boolean } = {},
): CurveCpFailure {
  return made(reason, message, { at, ...more });
}
