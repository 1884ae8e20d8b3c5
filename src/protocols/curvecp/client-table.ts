import { keySize } from "./keys.js";
import type { ServerConnection } from "./server.js";

/** A connection, and others whose keys begin with the same bytes: a stranger can make two such, but hardly three. */
interface Entry {
  readonly connection: ServerConnection;
  next: Entry | undefined;
}

/** A server's connections, found by the short-term keys C' that packets bear. Nothing is allocated to find one. */
export class ClientTable {
  readonly #entries = new Map<number, Entry>();
  size = 0;

  find(bytes: Uint8Array, at: number): ServerConnection | undefined {
    for (let entry = this.#entries.get(startOf(bytes, at)); entry !== undefined; entry = entry.next) {
      const { shortTermKey } = entry.connection;
      let i = 0;
      while (i < keySize && shortTermKey[i] === bytes[at + i]) i++;
      if (i === keySize) return entry.connection;
    }
    return undefined;
  }

  add(connection: ServerConnection): void {
    const start = startOf(connection.shortTermKey, 0);
    this.#entries.set(start, { connection, next: this.#entries.get(start) });
    this.size++;
  }

  remove(connection: ServerConnection): void {
    const start = startOf(connection.shortTermKey, 0);
    let before: Entry | undefined;
    for (let entry = this.#entries.get(start); entry !== undefined; before = entry, entry = entry.next) {
      if (entry.connection !== connection) continue;
      if (before !== undefined) before.next = entry.next;
      else if (entry.next !== undefined) this.#entries.set(start, entry.next);
      else this.#entries.delete(start);
      this.size--;
      return;
    }
  }
}

/** The first bytes of a key, as many as a number holds. */
function startOf(bytes: Uint8Array, at: number): number {
  let start = 0;
  for (let i = 0; i < 6; i++) start = start * 256 + bytes[at + i]!;
  return start;
}
