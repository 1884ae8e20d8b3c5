import type { Failure, Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a packet or message was dropped: one counter each. None of these ends anything. */
export const dropReasons = [
  /** No ZRTP packet, or of a size that none has. */
  "malformed",
  "bad-crc",
  /** Of another source than the peer's Hello, or from elsewhere before anything was proved. */
  "unknown-source",
  /** A Hello that is not the one that signalling promised (RFC 6189 §8.1). */
  "not-signalled",
  /** A version that is higher than ours is not an error (§4.1.1). */
  "unsupported-version",
  /** The hash chain does not lead to what was sent before (§9). */
  "bad-hash-chain",
  "bad-confirm-mac",
  "bad-clear-mac",
  "bad-relay-mac",
  /** Right in itself, and not at this moment. */
  "unexpected",
  /** An Error that the peer's next message belied. */
  "forged-error",
  "rate-limited",
  "queue-full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Counts of everything dropped, by reason. */
export type DropCounts = Record<DropReason, number>;

export const noDrops = (): DropCounts => noCounts(dropReasons);

/** Each reason with whose fault it is, and the code of the Error message that tells the peer (§5.9, Table 8). */
const rows = {
  "malformed-message": { fault: "decode", code: 0x10 },
  "software-error": { fault: "misbehaviour", code: 0x20 },
  "unsupported-version": { fault: "incompatible", code: 0x30 },
  "hello-mismatch": { fault: "misbehaviour", code: 0x40 },
  "unsupported-hash": { fault: "incompatible", code: 0x51 },
  "unsupported-cipher": { fault: "incompatible", code: 0x52 },
  "unsupported-key-agreement": { fault: "incompatible", code: 0x53 },
  "unsupported-auth-tag": { fault: "incompatible", code: 0x54 },
  "unsupported-sas": { fault: "incompatible", code: 0x55 },
  "no-shared-secret": { fault: "incompatible", code: 0x56 },
  "bad-public-value": { fault: "misbehaviour", code: 0x61 },
  "bad-commitment": { fault: "authentication", code: 0x62 },
  "untrusted-relay": { fault: "refused", code: 0x63 },
  "bad-confirm": { fault: "authentication", code: 0x70 },
  "nonce-reuse": { fault: "misbehaviour", code: 0x80 },
  "equal-zids": { fault: "misbehaviour", code: 0x90 },
  "ssrc-collision": { fault: "misbehaviour", code: 0x91 },
  "service-unavailable": { fault: "refused", code: 0xa0 },
  timeout: { fault: "unreachable", code: 0xb0 },
  "clear-not-allowed": { fault: "refused", code: 0x100 },
  /** A MAC under the hash chain is wrong: somebody in between has changed a message (§8.1.1). Told with the code of Confirm's. */
  "bad-message-mac": { fault: "authentication", code: 0x70 },
  /** Nobody answered our Hellos. */
  "no-answer": { fault: "unreachable", code: undefined },
  /** Both sides wait for the other to begin. */
  "both-passive": { fault: "incompatible", code: 0x40 },
  "words-differ": { fault: "authentication", code: undefined },
  /** The retained secrets are not the peer's, and the application lets nobody without them in. */
  "cache-mismatch": { fault: "authentication", code: 0xa0 },
  "unknown-error": { fault: "refused", code: undefined },
  /** A store of retained secrets did not do what it was asked. */
  "cache-failed": { fault: "misuse", code: undefined },
  /** There is no key to export, or not one of this size. */
  "no-export": { fault: "misuse", code: undefined },
  closed: { fault: "misuse", code: 0xa0 },
  "bad-configuration": { fault: "misuse", code: undefined },
  "bad-hash-attribute": { fault: "decode", code: undefined },
  "too-many-streams": { fault: "misuse", code: undefined },
} as const satisfies Record<string, { readonly fault: Fault; readonly code: number | undefined }>;

export type ZrtpReason = keyof typeof rows;

/** The code that tells the peer of it. */
export const codeOf = (reason: ZrtpReason): number | undefined => rows[reason].code;

export const failure = failuresOf("ZRTP", rows);

/** The failure that a peer's Error message means. */
export function failureOfCode(code: number): Failure<ZrtpReason> {
  const reason = (Object.keys(rows) as ZrtpReason[]).find((name) => rows[name].code === code) ?? "unknown-error";
  const message = `the peer ended the key agreement: ${reason.replaceAll("-", " ")} (0x${code.toString(16)})`;
  return failure(reason, message, { at: "Error", byPeer: true, code });
}
