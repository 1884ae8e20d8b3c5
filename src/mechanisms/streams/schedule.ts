/** A place in a schedule. */
export interface Scheduled {
  /** Undefined while it is in no schedule. The schedule's to write, as all here. */
  level: Level | undefined;
  next: Scheduled;
  previous: Scheduled;
}

export interface Level {
  readonly priority: number;
  /** Whose turn it is, in a ring. */
  head: Scheduled;
}

/**
 * Whose turn it is to send: the lowest priority number, and among equals one after another. All that is done per frame takes
 * constant time, however many wait.
 */
export class Schedule<Item extends Scheduled> {
  /** In ascending order; there are few. */
  readonly #levels: Level[] = [];

  get isEmpty(): boolean {
    return this.#levels.length === 0;
  }

  get first(): Item | undefined {
    return this.#levels[0]?.head as Item | undefined;
  }

  /** Behind all others of its priority. It must be in no schedule. */
  add(item: Item, priority: number): void {
    let index = this.#levels.length;
    while (index > 0 && this.#levels[index - 1]!.priority >= priority) index--;
    const level = this.#levels[index];
    if (level?.priority === priority) {
      const { head } = level;
      item.next = head;
      item.previous = head.previous;
      head.previous.next = head.previous = item;
      item.level = level;
      return;
    }
    item.next = item.previous = item;
    item.level = { priority, head: item };
    this.#levels.splice(index, 0, item.level);
  }

  /** False if it is in none. */
  remove(item: Item): boolean {
    const { level } = item;
    if (level === undefined) return false;
    item.level = undefined;
    if (item.next === item) {
      this.#levels.splice(this.#levels.indexOf(level), 1);
      return true;
    }
    item.previous.next = item.next;
    item.next.previous = item.previous;
    if (level.head === item) level.head = item.next;
    item.next = item.previous = item;
    return true;
  }

  /** It had its turn. */
  rotate(item: Item): void {
    if (item.level?.head === item) item.level.head = item.next;
  }
}
