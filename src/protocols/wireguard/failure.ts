import type { Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a packet was dropped: one counter each. None of these ever ends a session. */
export const dropReasons = [
  "malformed",
  "bad-mac1",
  "cookie-wanted",
  "rate-limited",
  "unknown-peer",
  "unknown-index",
  "bad-handshake",
  "replayed-initiation",
  "initiation-flood",
  "bad-tag",
  "replayed",
  "expired-keys",
  "source-not-allowed",
  "not-ip",
  "no-route",
  "no-endpoint",
  "queue-full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Counts of everything dropped, by reason. */
export type DropCounts = Record<DropReason, number>;

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  "handshake-timeout": "unreachable",
  "bad-configuration": "misuse",
  "unknown-peer": "misuse",
  "too-many-peers": "misuse",
} as const satisfies Record<string, Fault>;

export type WireGuardReason = keyof typeof faults;

export const failure = failuresOf("WireGuard", faults);
