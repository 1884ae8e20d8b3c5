import { Failure, type FailureDetails, type Fault } from "../contract/index.js";
import type { CandidateNode } from "./candidates.js";

/** RFC 9623 Appendix B, and four of our own at the end. */
export type TapsReason =
  | "invalid-configuration"
  | "no-candidates"
  | "resolution-failed"
  | "establishment-failed"
  | "policy-prohibited"
  | "not-cloneable"
  | "message-too-large"
  | "protocol-failed"
  | "invalid-message-properties"
  | "deframing-failed"
  | "connection-aborted"
  | "timeout"
  | "unsupported"
  | "wrong-state"
  | "queue-full"
  | "endpoint-in-use";

const faults: Readonly<Record<TapsReason, Fault>> = {
  "invalid-configuration": "misuse",
  "no-candidates": "incompatible",
  "resolution-failed": "unreachable",
  "establishment-failed": "unreachable",
  "policy-prohibited": "refused",
  "not-cloneable": "misuse",
  "message-too-large": "misuse",
  "protocol-failed": "unreachable",
  "invalid-message-properties": "misuse",
  "deframing-failed": "decode",
  "connection-aborted": "unreachable",
  timeout: "expired",
  unsupported: "misuse",
  "wrong-state": "misuse",
  "queue-full": "refused",
  "endpoint-in-use": "refused",
};

export type TapsFailureDetails = Omit<FailureDetails<TapsReason>, "protocol" | "fault"> & { readonly fault?: Fault };

/** What the Transport Services system itself reports. `name` tells the event: `SendError`, `EstablishmentError` … */
export class TapsFailure extends Failure<TapsReason> {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isNamed(value, "TapsFailure", ...eventNames);
  }
  override readonly name: string = "TapsFailure";

  constructor(details: TapsFailureDetails) {
    super({ ...details, protocol: "taps", fault: details.fault ?? faultOf(details) });
  }
}

/** No candidate could be made a Connection (RFC 9622 §7.1). Carries the whole tree of what was tried. */
export class EstablishmentError extends TapsFailure {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isNamed(value, "EstablishmentError");
  }
  override readonly name = "EstablishmentError";
  /** The candidate tree with what became of each leaf; absent if it was never gathered. */
  readonly candidates: CandidateNode | undefined;

  constructor(details: TapsFailureDetails, candidates?: CandidateNode) {
    super(details);
    this.candidates = candidates;
  }

  override toJSON(): Record<string, unknown> {
    return { ...super.toJSON(), candidates: this.candidates };
  }
}

/** An established Connection ended otherwise than by Close (RFC 9622 §10). */
export class ConnectionError extends TapsFailure {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isNamed(value, "ConnectionError");
  }
  override readonly name = "ConnectionError";
}

/** One Message could not be sent; the Connection lives on (RFC 9622 §9.2.2.3). */
export class SendError extends TapsFailure {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isNamed(value, "SendError");
  }
  override readonly name = "SendError";
}

/** A `receive` that brings no data (RFC 9622 §9.3.2.3). */
export class ReceiveError extends TapsFailure {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isNamed(value, "ReceiveError");
  }
  override readonly name = "ReceiveError";
}

/** A Clone that did not come about (RFC 9622 §7.4). */
export class CloneError extends TapsFailure {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return isNamed(value, "CloneError");
  }
  override readonly name = "CloneError";
}

const eventNames = ["EstablishmentError", "ConnectionError", "SendError", "ReceiveError", "CloneError"];

function isNamed(value: unknown, ...names: readonly string[]): boolean {
  return value instanceof Failure && names.includes(value.name);
}

/** A failure below keeps its fault: a wrong certificate stays an authentication failure all the way up. */
function faultOf({ reason, cause }: TapsFailureDetails): Fault {
  return cause instanceof Failure ? cause.fault : faults[reason];
}

/** The end that a failure of the stack means for its Connection. */
export function connectionErrorFrom(cause: Failure): ConnectionError {
  const reason =
    cause instanceof TapsFailure
      ? cause.reason
      : cause.fault === "expired"
        ? "timeout"
        : cause.byPeer
          ? "connection-aborted"
          : "protocol-failed";
  const { message, at, hint, code, byPeer } = cause;
  return new ConnectionError({
    reason,
    message,
    cause,
    byPeer,
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
    ...(code === undefined ? {} : { code }),
  });
}

export function misuse(message: string, at?: string, hint?: string): TapsFailure {
  return new TapsFailure({
    reason: "invalid-configuration",
    message,
    ...(at === undefined ? {} : { at }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The nearest of the names, for "did you mean", or undefined if none is near. */
export function nearest(wrong: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(wrong.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
