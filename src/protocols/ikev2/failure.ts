import type { Failure, Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a datagram was dropped: one counter each. None of these ever ends an IKE SA. */
export const dropReasons = [
  "malformed",
  "unknown-sa",
  "half-open-full",
  "cookie-wanted",
  "rate-limited",
  "bad-tag",
  "old-message-id",
  "out-of-window",
  "unexpected-response",
  "unexpected-exchange",
  "bad-fragment",
  "queue-full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Counts of everything dropped, by reason. */
export type DropCounts = Record<DropReason, number>;

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  "bad-configuration": "misuse",
  "unknown-connection": "misuse",
  "too-many": "misuse",
  "closed-locally": "misuse",
  unanswered: "unreachable",
  "no-proposal-chosen": "incompatible",
  "invalid-ke-payload": "incompatible",
  "ts-unacceptable": "incompatible",
  "malformed-message": "decode",
  "unexpected-payload": "misbehaviour",
  "authentication-failed": "authentication",
  "wrong-identity": "authentication",
  "untrusted-certificate": "authentication",
  "eap-failed": "authentication",
  "authentication-refused": "refused",
  "refused-by-peer": "refused",
  "no-address": "refused",
  "closed-by-peer": "refused",
  "redirected-too-often": "misbehaviour",
  expired: "expired",
} as const satisfies Record<string, Fault>;

export type IkeReason = keyof typeof faults;
export type IkeFailure = Failure<IkeReason>;

export const failure = failuresOf("IKEv2", faults);
