import type { Failure, Fault } from "../../contract/index.js";
import { failuresOf } from "../../contract/reasons.js";

/** Why TCP-ENO came to plain TCP (RFC 8547 §4.6): one of these, always. */
export const enoReasons = [
  /** No answer has come yet. */
  "undecided",
  /** The peer's SYN or SYN-ACK has no ENO option: it does not know it, or somebody took it out. */
  "no-option",
  /** A SYN-form option that §4.1 or §4.4 does not allow, or more than one. */
  "ill-formed",
  /** No TEP of the peer's is one of ours. */
  "no-common-tep",
  /** Both set the same b bit (§4.3): also what a middlebox looks like that sends our option back. */
  "same-role",
  /** We insist on an application that knows of TCP-ENO, and the peer's does not (§4.2). */
  "not-application-aware",
  /** The peer's first acknowledgement has no ENO option: it has not seen ours. */
  "not-acknowledged",
  /** We answered the SYN with a cookie under a flood, and so kept nothing of it. */
  "cookie",
  /** We took the option out of a SYN that nobody answered. */
  "unanswered",
] as const;
export type EnoReason = (typeof enoReasons)[number];

const faults = {
  /** TCP-ENO came to plain TCP, and cleartext was not asked for. `at` is an EnoReason. */
  "not-negotiated": "incompatible",
  /** Init1 or Init2 does not parse. */
  "malformed-init": "decode",
  "malformed-frame": "decode",
  /** Nothing that A offers is to B's liking. */
  "no-common-cipher": "incompatible",
  "unoffered-cipher": "misbehaviour",
  "init-too-large": "misbehaviour",
  /** A public key that does not pass validation (§5). */
  "invalid-public-key": "misbehaviour",
  "data-after-end": "misbehaviour",
  "too-many-empty-frames": "misbehaviour",
  "too-much-unread": "misbehaviour",
  /** A frame is not what the peer sealed: a bit that changed, injected bytes, or other keys than ours. */
  "bad-frame": "authentication",
  /** The application did not recognise the peer by the session ID. */
  "not-authenticated": "refused",
  /** A FIN without FINp (§3.7): data may be missing. */
  "truncated-stream": "unreachable",
  "connection-lost": "unreachable",
  /** No Init message, or no answer to a verified keep-alive (§3.9). */
  "timed-out": "unreachable",
  "stream-too-long": "expired",
  "closed-locally": "misuse",
  "bad-configuration": "misuse",
  misuse: "misuse",
} as const satisfies Record<string, Fault>;

export type TcpcryptReason = keyof typeof faults;
export type TcpcryptFailure = Failure<TcpcryptReason>;

export const tcpcryptFailure = failuresOf("tcpcrypt", faults);
