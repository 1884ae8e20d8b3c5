import { Failure, type Fault } from "../contract/index.js";

/** What the process ends with. The numbers are part of the interface: scripts may rely on them. */
export const exitCodes = {
  ok: { code: 0, meaning: "done" },
  internal: { code: 1, meaning: "a defect in Sealport, or a survey cell or benchmark that failed" },
  usage: { code: 2, meaning: "the command line is wrong" },
  config: { code: 3, meaning: "a configuration file, key or certificate was not understood" },
  unresolved: { code: 4, meaning: "a name was not resolved" },
  unreachable: { code: 5, meaning: "the peer was not reached, or not in time" },
  incompatible: { code: 6, meaning: "no parameters in common with the peer" },
  unauthenticated: { code: 7, meaning: "the peer, or we to the peer, did not prove who it is" },
  policy: { code: 8, meaning: "a required property or a policy could not be met" },
  closed: { code: 9, meaning: "the peer closed, reset or broke the session" },
  permission: { code: 10, meaning: "this machine did not permit it: a file, a port, an address" },
  interrupted: { code: 130, meaning: "interrupted" },
} as const;

export type ExitName = keyof typeof exitCodes;

/** The code of a failure: its reason decides if it stands below, else its fault. */
export function exitFor(error: unknown): ExitName {
  if (error instanceof UsageError) return "usage";
  if (error instanceof ConfigError) return "config";
  if (error instanceof Failure) return byReason.get(error.reason) ?? byFault[error.fault];
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    return byErrno.get(error.code) ?? "internal";
  }
  return "internal";
}

/** The command line asks for something that does not exist or does not fit together. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** A file or value that the user named was read and not understood. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

const byFault = {
  decode: "closed",
  authentication: "unauthenticated",
  misbehaviour: "closed",
  incompatible: "incompatible",
  expired: "unauthenticated",
  unreachable: "unreachable",
  misuse: "usage",
  refused: "policy",
} as const satisfies Record<Fault, ExitName>;

/** Reasons that say more than their fault does. */
const byReason: ReadonlyMap<string, ExitName> = new Map([
  ["name-not-found", "unresolved"],
  ["resolution-failed", "unresolved"],
  ["timeout", "unreachable"],
  ["reset", "closed"],
  ["closed", "closed"],
  ["truncated", "closed"],
  ["permission-denied", "permission"],
  ["address-in-use", "permission"],
  ["address-not-available", "permission"],
]);

/** Errors of the operating system that reach the command line by themselves, from files and local ports. */
const byErrno: ReadonlyMap<string, ExitName> = new Map([
  ["ENOENT", "config"],
  ["EISDIR", "config"],
  ["EACCES", "permission"],
  ["EPERM", "permission"],
  ["EADDRINUSE", "permission"],
  ["EADDRNOTAVAIL", "permission"],
  ["ENOTFOUND", "unresolved"],
  ["EAI_AGAIN", "unresolved"],
  ["ECONNREFUSED", "unreachable"],
  ["ETIMEDOUT", "unreachable"],
  ["EHOSTUNREACH", "unreachable"],
  ["ENETUNREACH", "unreachable"],
  ["ECONNRESET", "closed"],
  ["EPIPE", "closed"],
]);
