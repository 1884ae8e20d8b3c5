/** Why packets were dropped: each is counted, and traced. */
export const dropReasons = [
  "malformed",
  "no-keys",
  "not-authentic",
  "duplicate",
  "old-level",
  "unexpected-version-negotiation",
  "public-reset",
  "early-data-refused",
  "elsewhere",
] as const;

export type DropReason = (typeof dropReasons)[number];

export const noDrops = (): Record<DropReason, number> =>
  Object.fromEntries(dropReasons.map((reason) => [reason, 0])) as Record<DropReason, number>;
