import type { Instant } from "../contract/index.js";

export interface BoundedStoreOptions<Key, Value> {
  /** Entries that the store holds; one more drives out the one that was not used for longest. */
  readonly entriesMax: number;
  /** Milliseconds that an entry lives unless `set` says otherwise. Default: until it is driven out. */
  readonly lifetimeMs?: number;
  /** Told of every entry that leaves, however: the place to wipe secrets. */
  readonly left?: (value: Value, key: Key) => void;
}

/** A table that cannot grow without end and forgets by age and by disuse: tickets, paths, peers, strikes. */
export class BoundedStore<Key, Value> {
  readonly #options: BoundedStoreOptions<Key, Value>;
  /** In order of last use. */
  readonly #entries = new Map<Key, { readonly value: Value; readonly until: Instant }>();

  constructor(options: BoundedStoreOptions<Key, Value>) {
    if (!(options.entriesMax >= 1)) throw new RangeError("a store holds at least one entry");
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Undefined if there is none or it is too old. Asking for it is use. */
  get(key: Key, now: Instant): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until <= now) {
      this.delete(key);
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: Key, value: Value, now: Instant, lifetimeMs = this.#options.lifetimeMs ?? Number.POSITIVE_INFINITY): void {
    if (this.#entries.get(key)?.value === value) this.#entries.delete(key);
    else this.delete(key);
    this.#entries.set(key, { value, until: now + lifetimeMs });
    if (this.#entries.size > this.#options.entriesMax)
      for (const oldest of this.#entries.keys()) return void this.delete(oldest);
  }

  /** Gets an entry and removes it without telling `left`: it is the caller's now. For what may be used once. */
  take(key: Key, now: Instant): Value | undefined {
    const value = this.get(key, now);
    if (value !== undefined) this.#entries.delete(key);
    return value;
  }

  delete(key: Key): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#entries.delete(key);
    this.#options.left?.(entry.value, key);
    return true;
  }

  /** Removes all that is too old. Walks the whole store: for now and then. */
  expire(now: Instant): void {
    for (const [key, { until }] of this.#entries) if (until <= now) this.delete(key);
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key);
  }
}
