import { Failure, type Fault, type NetworkReason } from "../contract/index.js";
import type { TlsReason } from "../protocols/tls/index.js";
import type { WireGuardReason } from "../protocols/wireguard/index.js";
import type { TapsReason } from "../taps/index.js";

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

/**
 * How a failure ends the process: by its reason if it stands below, else by its fault. What only says that something below
 * failed gives way to its cause.
 */
export function exitFor(error: unknown): ExitName {
  if (error instanceof UsageError) return "usage";
  if (error instanceof ConfigError) return "config";
  if (error instanceof Failure) {
    if (wrappers.has(error.reason) && error.cause instanceof Failure) return exitFor(error.cause);
    if (Object.hasOwn(byReason, error.reason)) return byReason[error.reason as keyof typeof byReason];
    if (error.byPeer && error.fault === "refused") return "closed";
    // Whatever is wrong with the peer's chain, it has not proved who it is.
    return error.protocol === "pki" ? "unauthenticated" : byFault[error.fault];
  }
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

/** Reasons that say more than their fault does, of all rooms. */
const byReason = {
  "name-not-found": "unresolved",
  "name-server-failed": "unresolved",
  "resolution-failed": "unresolved",
  timeout: "unreachable",
  "handshake-timeout": "unreachable",
  reset: "closed",
  "connection-lost": "closed",
  "truncated-stream": "closed",
  "connection-aborted": "closed",
  "keys-exhausted": "closed",
  "no-candidates": "policy",
  "bad-configuration": "config",
  "access-denied": "unauthenticated",
  "not-permitted": "permission",
  "no-resources": "permission",
  "address-in-use": "permission",
  "address-not-available": "permission",
  "internal-error": "internal",
} as const satisfies Partial<Record<NetworkReason | TapsReason | TlsReason | WireGuardReason, ExitName>>;

/** Reasons that say no more than that what stands below them failed. */
const wrappers: ReadonlySet<string> = new Set<TapsReason | TlsReason>([
  "connection-lost",
  "establishment-failed",
  "protocol-failed",
  "connection-aborted",
  "resolution-failed",
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
