import { Failure, type Fault } from "../../contract/index.js";
import { failuresOf, noCounts } from "../../contract/reasons.js";

/** Why a packet was dropped: one counter each. None of these ever ends a session. */
export const dropReasons = [
  "malformed",
  "unknown-opcode",
  "unknown-session",
  "wrong-source",
  "bad-control-tag",
  "replayed-control",
  "out-of-window",
  "bad-client-key",
  "bad-cookie",
  "unknown-key",
  "bad-tag",
  "replayed",
  "compressed",
  "not-ip",
  "source-not-allowed",
  "no-route",
  "no-keys",
  "too-big",
  "table-full",
  "queue-full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** Counts of everything dropped, by reason. */
export type DropCounts = Record<DropReason, number>;

export const noDrops = (): DropCounts => noCounts(dropReasons);

const faults = {
  "bad-configuration": "misuse",
  /** The file asks for what this room does not do, or for what nobody should. */
  "not-supported": "misuse",
  "handshake-timeout": "unreachable",
  "ping-timeout": "unreachable",
  "no-remote": "unreachable",
  "transport-lost": "unreachable",
  "restarted-by-peer": "unreachable",
  "exited-by-peer": "unreachable",
  /** The control channel's TLS failed; the cause says why, and whose fault it was. */
  "tls-failed": "authentication",
  "auth-failed": "refused",
  "halted-by-peer": "refused",
  "push-refused": "refused",
  "bad-key-exchange": "decode",
  "bad-push": "misbehaviour",
  "no-common-cipher": "incompatible",
  "closed-locally": "misuse",
  /** A client changed who it is when keys were renewed. */
  "identity-changed": "misbehaviour",
} as const satisfies Record<string, Fault>;

export type OpenVpnReason = keyof typeof faults;
export type OpenVpnFailure = Failure<OpenVpnReason>;

const made = failuresOf("OpenVPN", faults);

/** What TLS failed of is the fault of whom TLS says. */
export const failure: typeof made = (reason, message, more = {}) =>
  made(reason, message, {
    ...more,
    ...(reason === "tls-failed" && more.cause instanceof Failure && { fault: more.cause.fault }),
  });
