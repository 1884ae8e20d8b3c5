import { Failure, type Fault } from "../contract/index.js";

/** Why the stack failed a socket: its closed list. */
const faults = {
  reset: "unreachable",
  "refused-connection": "unreachable",
  "timed-out": "unreachable",
  "host-unreachable": "unreachable",
  "network-unreachable": "unreachable",
  "port-unreachable": "unreachable",
  "name-not-found": "unreachable",
  "resolver-failed": "unreachable",
  aborted: "misuse",
  "closed-stack": "misuse",
  "address-in-use": "misuse",
  "no-such-address": "misuse",
  "too-many-sockets": "misuse",
  "message-too-large": "misuse",
} as const satisfies Record<string, Fault>;

export type StackReason = keyof typeof faults;

export function failure(reason: StackReason, message: string, hint?: string): Failure<StackReason> {
  return new Failure({ protocol: "stack", fault: faults[reason], reason, message, ...(hint && { hint }) });
}
