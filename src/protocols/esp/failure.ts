import type { Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a packet was dropped: one counter each. None of these ever ends a pair of associations. */
export const dropReasons = [
  /** Too short, or not a whole number of blocks. */
  "malformed",
  "unknown-spi",
  "bad-tag",
  "replayed",
  /** Authentic, and yet not as RFC 4303 §2.4 pads. */
  "bad-padding",
  /** RFC 4303 §2.6: made to be thrown away. */
  "dummy",
  /** Authentic, and not of the kind that its header says. */
  "not-ip",
  /** Authentic, and not what its association is for (RFC 4301 §5.2). */
  "selector-mismatch",
  /** Ours, and no association is for it. */
  "no-association",
  /** Ours, and a part of a packet only, which transport mode cannot carry (RFC 4303 §3.3.4). */
  "fragment",
  "too-large",
  "queue-full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Counts of everything dropped, by reason. */
export type DropCounts = Record<DropReason, number>;

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  "bad-association": "misuse",
  "unavailable-algorithm": "misuse",
  "too-many-associations": "misuse",
} as const satisfies Record<string, Fault>;

export type EspReason = keyof typeof faults;

export const failure = failuresOf("ESP", faults);
