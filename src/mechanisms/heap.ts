/** What stands in a heap; it carries its own place, so that it can leave from the middle. */
export interface Heaped {
  /** -1 while it is in no heap. The heap's to write. */
  place: number;
}

/** A binary heap: the least item by `before` is on top. Insertion and removal, from anywhere, take log n steps. */
export class Heap<Item extends Heaped> {
  readonly #items: Item[] = [];
  readonly #before: (a: Item, b: Item) => boolean;

  /** `before` must be a strict order; items that tie come out in any order. */
  constructor(before: (a: Item, b: Item) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  get top(): Item | undefined {
    return this.#items[0];
  }

  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#rise(item);
  }

  /** False if it is not in a heap. */
  remove(item: Item): boolean {
    if (item.place < 0) return false;
    const last = this.#items.pop()!;
    if (last !== item) {
      this.#put(last, item.place);
      this.#rise(last);
      this.#sink(last);
    }
    item.place = -1;
    return true;
  }

  #rise(item: Item): void {
    while (item.place > 0) {
      const parent = this.#items[(item.place - 1) >> 1]!;
      if (!this.#before(item, parent)) break;
      this.#swap(item, parent);
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const left = this.#items[2 * item.place + 1];
      const right = this.#items[2 * item.place + 2];
      const child = right !== undefined && this.#before(right, left!) ? right : left;
      if (child === undefined || !this.#before(child, item)) break;
      this.#swap(item, child);
    }
  }

  #swap(a: Item, b: Item): void {
    const { place } = a;
    this.#put(a, b.place);
    this.#put(b, place);
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}
