import type { Instant } from "../contract/index.js";
import {
  performanceCacheEntriesMax,
  performanceCacheMs,
  resolutionCacheEntriesMax,
  resolutionCacheMs,
} from "./limits.js";
import { StackScope } from "./stacks/stack.js";

/** How a leaf did before: by network, address and stack. */
export interface Outcome {
  readonly at: Instant;
  /** Milliseconds from start to established; undefined if it failed. */
  readonly setupMs: number | undefined;
}

/**
 * What is remembered between Connections (RFC 9623 §9): protocol state (names, tickets) and performance. Entries grow
 * old, and the oldest makes room.
 */
export class ConnectionCache {
  /** Protocol state that all share who do not isolate their session. */
  readonly scope = new StackScope();
  readonly #names = new Map<string, { readonly at: Instant; readonly addresses: readonly string[] }>();
  readonly #outcomes = new Map<string, Outcome>();

  addresses(key: string, now: Instant): readonly string[] | undefined {
    const known = this.#names.get(key);
    return known !== undefined && now - known.at < resolutionCacheMs ? known.addresses : undefined;
  }

  learnAddresses(key: string, addresses: readonly string[], now: Instant): void {
    put(this.#names, key, { at: now, addresses }, resolutionCacheEntriesMax);
  }

  outcome(key: string, now: Instant): Outcome | undefined {
    const known = this.#outcomes.get(key);
    return known !== undefined && now - known.at < performanceCacheMs ? known : undefined;
  }

  learnOutcome(key: string, outcome: Outcome): void {
    put(this.#outcomes, key, outcome, performanceCacheEntriesMax);
  }

  /** Forgets everything but what Connections hold themselves. */
  clear(): void {
    this.#names.clear();
    this.#outcomes.clear();
  }
}

function put<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value!);
}
