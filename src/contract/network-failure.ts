import { Failure, type Fault } from "./failure.js";

/** All that can go wrong on a network, whichever one it is, and whose fault that is. */
export const networkFaults = {
  /** Nobody listens there. */
  "refused-connection": "unreachable",
  /** The peer, or something that speaks for it, reset the connection. */
  reset: "unreachable",
  "timed-out": "unreachable",
  "no-route": "unreachable",
  /** Authoritatively: there is no such name, or it has no address of the family. */
  "name-not-found": "unreachable",
  /** No name server could say. */
  "name-server-failed": "unreachable",
  /** The datagram does not fit the path. */
  "message-too-big": "unreachable",
  "address-in-use": "misuse",
  "address-not-available": "misuse",
  /** Text that is no IP address where one is needed, or a port outside 0 … 65535. */
  "not-an-address": "misuse",
  "no-such-interface": "misuse",
  "not-supported": "misuse",
  "not-permitted": "refused",
  /** Out of descriptors, ports, memory. */
  "no-resources": "refused",
  aborted: "misuse",
  "network-failed": "unreachable",
} as const satisfies Readonly<Record<string, Fault>>;

export type NetworkReason = keyof typeof networkFaults;

/** A failure of a network; its reason says whose fault it was. */
export function networkFailure(
  reason: NetworkReason,
  message: string,
  more: { readonly at?: string; readonly hint?: string; readonly cause?: unknown } = {},
): Failure<NetworkReason> {
  return new Failure({ fault: networkFaults[reason], reason, protocol: "network", message, ...more });
}
