import type { Instant } from "../../../contract/index.js";
import { sessionsPerKeyMax, storeKeysMax } from "./limits.js";
import type { SessionStore, StoredSession } from "./store.js";

/** A store in memory. When it is full, the key that was used longest ago makes room. */
export class MemorySessionStore implements SessionStore {
  /** In the order of use, the oldest first; a key's sessions likewise. */
  readonly #sessions = new Map<string, StoredSession[]>();
  readonly #keysMax: number;
  readonly #perKeyMax: number;

  constructor(limits: { readonly keysMax?: number; readonly perKeyMax?: number } = {}) {
    this.#keysMax = limits.keysMax ?? storeKeysMax;
    this.#perKeyMax = limits.perKeyMax ?? sessionsPerKeyMax;
  }

  /** Keys in use. */
  get size(): number {
    return this.#sessions.size;
  }

  add(key: string, session: StoredSession): void {
    const held = this.#sessions.get(key) ?? [];
    held.push(session);
    if (held.length > this.#perKeyMax) held.shift()?.bytes.fill(0);
    this.#touch(key, held);
    if (this.#sessions.size > this.#keysMax) this.remove(this.#sessions.keys().next().value!);
  }

  take(key: string, now: Instant): StoredSession | undefined {
    const held = this.#live(key, now);
    const newest = held?.pop();
    if (held?.length === 0) this.#sessions.delete(key);
    return newest;
  }

  peek(key: string, now: Instant): StoredSession | undefined {
    const newest = this.#live(key, now)?.at(-1);
    return newest && { ...newest, bytes: newest.bytes.slice() };
  }

  remove(key: string): void {
    for (const { bytes } of this.#sessions.get(key) ?? []) bytes.fill(0);
    this.#sessions.delete(key);
  }

  /** All keys with their sessions, for a store that writes them down. */
  entries(): IterableIterator<[string, readonly StoredSession[]]> {
    return this.#sessions.entries();
  }

  #live(key: string, now: Instant): StoredSession[] | undefined {
    const held = this.#sessions.get(key);
    if (held === undefined) return undefined;
    const live = held.filter(({ expiresAt }) => expiresAt > now);
    for (const session of held) if (session.expiresAt <= now) session.bytes.fill(0);
    if (live.length === 0) this.#sessions.delete(key);
    else this.#touch(key, live);
    return live;
  }

  #touch(key: string, held: StoredSession[]): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, held);
  }
}
