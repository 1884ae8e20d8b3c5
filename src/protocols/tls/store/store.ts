import type { Instant } from "../../../contract/index.js";

/** At once from memory, or later from elsewhere. */
export type Eventually<T> = T | Promise<T>;

export interface StoredSession {
  /** What it is made of is this room's business; it holds secrets. `sealedStore` encrypts it for places less private. */
  readonly bytes: Uint8Array;
  readonly expiresAt: Instant;
}

/**
 * Where sessions wait to be resumed: tickets on a client, session IDs on a server. Several may stand under one key,
 * since a server sends several tickets. A store may forget whatever it likes, and lose nothing but a round trip: a store
 * that fails or rejects counts as empty.
 */
export interface SessionStore {
  /** Puts a session under the key, as its newest. */
  add(key: string, session: StoredSession): Eventually<void>;
  /** Takes the newest out that has not expired. Of two callers at the same time, one gets it. */
  take(key: string, now: Instant): Eventually<StoredSession | undefined>;
  /** As `take`, but leaves it there. */
  peek(key: string, now: Instant): Eventually<StoredSession | undefined>;
  /** Forgets all sessions under the key. */
  remove(key: string): Eventually<void>;
}
