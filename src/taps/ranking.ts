import type { Outcome } from "./cache.js";
import type { Policy } from "./policy.js";
import { type Preference, type PreferenceName, preferenceNames, type TransportValues } from "./properties.js";
import type { SecurityParameters, SecurityProtocol } from "./security.js";
import { allowsProtocol } from "./security.js";
import type { ProtocolStack, Provision } from "./stacks/stack.js";
import type { TransportProperties } from "./transport-properties.js";

export interface Wishes {
  readonly properties: TransportProperties;
  readonly values: TransportValues;
  readonly security: SecurityParameters;
  readonly allowed: readonly SecurityProtocol[];
  readonly policy: Policy;
  /** Framers keep boundaries where the protocol below does not. */
  readonly framed: boolean;
  readonly role: "client" | "server";
}

/** Why a stack may not be used; undefined if it may. Require and Prohibit must hold in the outcome (RFC 9622 §6.2). */
export function exclusion(stack: ProtocolStack, wishes: Wishes): string | undefined {
  return securityExclusion(stack, wishes) ?? preferenceExclusion(stack, wishes);
}

/** The greater, the better. Explicit preferences weigh more than defaults (RFC 9623 §4.1.3), the system's least. */
export function score(stack: ProtocolStack, { properties, values, policy, framed }: Wishes): number {
  let total = 0;
  for (const name of preferenceNames) {
    const provision = provided(stack, name, framed);
    total += wish(values[name], provision) * (properties.has(name) ? 100 : 10);
    total += wish(policy.system.transport?.[name] ?? "none", provision);
  }
  return total;
}

/** What the stack provides, with what the framers add. */
export function provided(stack: ProtocolStack, name: PreferenceName, framed: boolean): Provision {
  return name === "preserveMsgBoundaries" && framed ? "always" : stack.provides[name];
}

/** Sorts leaves of equal rank by what became of them before: quick ones first, lately failed ones last. */
export function byPerformance(a: Outcome | undefined, b: Outcome | undefined): number {
  return weight(a) - weight(b);
}

/** A setup time in coarse steps, so that a few milliseconds do not turn the order round. */
function weight(known: Outcome | undefined): number {
  if (known === undefined) return 0;
  return known.setupMs === undefined ? 1 : -1;
}

function wish(preference: Preference, provision: Provision): number {
  if (preference === "prefer") return provision === "never" ? 0 : 1;
  if (preference === "avoid") return provision === "always" ? -1 : 0;
  return 0;
}

function preferenceExclusion(stack: ProtocolStack, { values, policy, framed }: Wishes): string | undefined {
  for (const name of preferenceNames) {
    // Addresses and interfaces decide this one, not protocols.
    if (name === "useTemporaryLocalAddress") continue;
    const provision = provided(stack, name, framed);
    for (const [layer, preference] of [
      ["", values[name]],
      [" (system policy)", policy.system.transport?.[name]],
    ] as const) {
      if (preference === "require" && provision === "never") return `${name} is required${layer}`;
      if (preference === "prohibit" && provision === "always") return `${name} is prohibited${layer}`;
    }
  }
  // RFC 9622 §9.1.3.4: a protocol that may repeat Messages needs to be told that this is safe.
  if (stack.provides.reliability === "never" && !values.safelyReplayable && stack.security === undefined) {
    return "Messages are not marked safelyReplayable";
  }
  return undefined;
}

/** Only what was named; cleartext only where it was asked for (RFC 9621 §3.3). */
function securityExclusion(stack: ProtocolStack, { security, allowed, policy, role }: Wishes): string | undefined {
  if (stack.security === undefined) {
    if (security.mode === "secure") return "cleartext was not asked for";
    if (!policy.allowsCleartext) return "cleartext is prohibited (system policy)";
    return undefined;
  }
  if (security.mode === "disabled") return "security was disabled";
  if (!allowsProtocol(allowed, stack.security)) return `${stack.security} is not among the allowed security protocols`;
  return stack.unfit?.(security, allowed, role);
}
