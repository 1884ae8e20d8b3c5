import type { Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a packet was neither protected nor delivered: one counter each. None of these ends anything. */
export const dropReasons = [
  /** No RTP or RTCP packet, or longer than its datagram. */
  "malformed",
  /** The buffer has no room for what is added. */
  "no-room",
  /** No key has this MKI. */
  "unknown-key",
  "bad-tag",
  /** Seen before; of a sender: protected before, which would use a keystream twice. */
  "replayed",
  /** Behind the replay window: perhaps seen before. */
  "too-old",
  /** The table of sources is full. */
  "too-many-sources",
  /** The key has protected as many packets as it may, or the index is at its end. */
  "expired-keys",
  /** Its header extension is in the clear, where Cryptex is required (RFC 9335 §5.2). */
  "not-cryptex",
  "queue-full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Counts of everything dropped, by reason. */
export type DropCounts = Record<DropReason, number>;

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  "bad-configuration": "misuse",
  "bad-key": "misuse",
  "too-many-keys": "misuse",
  "bad-sdes": "decode",
  "unsupported-sdes": "incompatible",
  "malformed-frame": "decode",
  "keys-expired": "expired",
} as const satisfies Record<string, Fault>;

export type SrtpReason = keyof typeof faults;

export const failure = failuresOf("SRTP", faults);
