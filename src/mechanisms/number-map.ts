const slotsFirst = 8;

/**
 * A map from whole numbers from 0 up, for entries that come and go by the thousand: nothing is made for an entry, and nothing
 * remembers one that is gone. A `Map` leaves its old tables to the collector when it has seen enough deletions; while such a
 * table waits for it, all that it held does, too.
 */
export class NumberMap<Value> {
  size = 0;
  /** Open addressing: an entry lies in the first free slot from its own on. */
  #keys: number[] = [];
  #values: (Value | undefined)[] = [];

  get(key: number): Value | undefined {
    return this.#values[this.#slotOf(key)];
  }

  set(key: number, value: Value): void {
    if (2 * (this.size + 1) > this.#keys.length) this.#grow();
    const slot = this.#slotOf(key);
    if (this.#values[slot] === undefined) this.size++;
    this.#keys[slot] = key;
    this.#values[slot] = value;
  }

  /** False if it is not there. */
  delete(key: number): boolean {
    let free = this.#slotOf(key);
    if (this.#values[free] === undefined) return false;
    this.size--;
    const keys = this.#keys;
    const values = this.#values;
    const mask = keys.length - 1;
    values[free] = undefined;
    // Whoever lies behind because it was taken moves up.
    for (let slot = (free + 1) & mask; values[slot] !== undefined; slot = (slot + 1) & mask) {
      const away = (slot - own(keys[slot]!, mask)) & mask;
      if (away < ((slot - free) & mask)) continue;
      keys[free] = keys[slot]!;
      values[free] = values[slot];
      values[slot] = undefined;
      free = slot;
    }
    return true;
  }

  clear(): void {
    this.size = 0;
    this.#keys = [];
    this.#values = [];
  }

  /** In no order; those that are there now, whatever happens meanwhile. */
  values(): Value[] {
    return this.#values.filter((value): value is Value & {} => value !== undefined) as Value[];
  }

  /** Where the key lies, or would. Without slots it is one that does not exist. */
  #slotOf(key: number): number {
    const mask = this.#keys.length - 1;
    if (mask < 0) return 0;
    let slot = own(key, mask);
    while (this.#values[slot] !== undefined && this.#keys[slot] !== key) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const size = Math.max(slotsFirst, 2 * keys.length);
    this.#keys = new Array<number>(size).fill(0);
    this.#values = new Array<Value | undefined>(size).fill(undefined);
    for (let i = 0; i < keys.length; i++) {
      const value = values[i];
      if (value === undefined) continue;
      const slot = this.#slotOf(keys[i]!);
      this.#keys[slot] = keys[i]!;
      this.#values[slot] = value;
    }
  }
}

/** Numbers are often a multiple of four apart: their upper bits are put below. */
const own = (key: number, mask: number): number => ((key >>> 2) ^ (key << 7)) & mask;
