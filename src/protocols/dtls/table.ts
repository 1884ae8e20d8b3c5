import { equal } from "../../bytes/index.js";
import type { Entropy, Instant, SocketAddress } from "../../contract/index.js";
import { Heap, type Heaped } from "../../mechanisms/heap.js";
import type { Association } from "./association/association.js";

/** An association's place among the moments at which one wants to be woken. */
interface Waiting extends Heaped {
  readonly association: Association;
  at: Instant;
}

/** The associations of one port: found by number, by address, by connection ID, and by whose time has come. */
export class AssociationTable {
  readonly #idSize: number;
  readonly #byNumber = new Map<number, { readonly association: Association; readonly waiting: Waiting }>();
  readonly #byAddress = new Map<string, Map<number, Association>>();
  readonly #byName = new Map<number, { readonly id: Uint8Array; readonly number: number }>();
  readonly #waiting = new Heap<Waiting>((a, b) => a.at < b.at);

  constructor(connectionIdSize: number) {
    this.#idSize = connectionIdSize;
  }

  get size(): number {
    return this.#byNumber.size;
  }

  [Symbol.iterator](): IterableIterator<Association> {
    return [...this.#byNumber.values()].map(({ association }) => association).values();
  }

  get(number: number): Association | undefined {
    return this.#byNumber.get(number)?.association;
  }

  at({ address, port }: SocketAddress): Association | undefined {
    return this.#byAddress.get(address)?.get(port);
  }

  /** By the name that stands at `at`. */
  named(bytes: Uint8Array, at: number, end: number): Association | undefined {
    if (this.#idSize === 0 || at + this.#idSize > end) return undefined;
    const found = this.#byName.get(keyOf(bytes, at, this.#idSize));
    if (found === undefined || !equal(found.id, bytes.subarray(at, at + this.#idSize))) return undefined;
    return this.get(found.number);
  }

  add(association: Association): void {
    this.#byNumber.set(association.id, {
      association,
      waiting: { association, at: Number.POSITIVE_INFINITY, place: -1 },
    });
    this.place(association, association.remote);
  }

  /** It is found at this address from now on. */
  place(association: Association, { address, port }: SocketAddress): void {
    let ports = this.#byAddress.get(address);
    if (ports === undefined) {
      ports = new Map();
      this.#byAddress.set(address, ports);
    }
    ports.set(port, association);
  }

  leave(association: Association, { address, port }: SocketAddress): void {
    const ports = this.#byAddress.get(address);
    if (ports?.get(port) !== association) return;
    ports.delete(port);
    if (ports.size === 0) this.#byAddress.delete(address);
  }

  remove(association: Association): void {
    const entry = this.#byNumber.get(association.id);
    if (entry === undefined) return;
    this.#waiting.remove(entry.waiting);
    this.#byNumber.delete(association.id);
    this.leave(association, association.remote);
    for (const id of association.ids.ours) this.forgetName(id);
  }

  /** A new name for the association of this number, which nobody else on this port has. */
  name(number: number, entropy: Entropy): Uint8Array {
    if (this.#idSize === 0) return new Uint8Array(0);
    for (;;) {
      const id = entropy.fill(new Uint8Array(this.#idSize));
      const key = keyOf(id, 0, this.#idSize);
      if (this.#byName.has(key)) continue;
      this.#byName.set(key, { id, number });
      return id;
    }
  }

  forgetName(id: Uint8Array): void {
    if (id.length > 0) this.#byName.delete(keyOf(id, 0, id.length));
  }

  /** The association has been given something: when does it want to be woken now? */
  reschedule(association: Association): void {
    const waiting = this.#byNumber.get(association.id)?.waiting;
    if (waiting === undefined) return;
    const at = association.deadline() ?? Number.POSITIVE_INFINITY;
    if (waiting.at === at) return;
    this.#waiting.remove(waiting);
    waiting.at = at;
    if (at !== Number.POSITIVE_INFINITY) this.#waiting.add(waiting);
  }

  get deadline(): Instant | undefined {
    return this.#waiting.top?.at;
  }

  /** Those whose time has come, each once; what they want next is to be said by `reschedule`. */
  due(now: Instant): Association[] {
    const due: Association[] = [];
    for (let top = this.#waiting.top; top !== undefined && top.at <= now; top = this.#waiting.top) {
      this.#waiting.remove(top);
      top.at = Number.POSITIVE_INFINITY;
      due.push(top.association);
    }
    return due;
  }
}

/** The first bytes of a random name, as many as a number holds. */
function keyOf(bytes: Uint8Array, at: number, size: number): number {
  let key = 0;
  for (let i = 0; i < Math.min(size, 6); i++) key = key * 256 + bytes[at + i]!;
  return key;
}
