const hidden = "[secret]";
const inspect = Symbol.for("nodejs.util.inspect.custom");

/**
 * Key bytes that do not print. A Secret owns its memory: it is made from a buffer that the caller gives away, it is
 * compared in constant time, and `wipe` ends it. Whoever creates a Secret, or is handed one as a keeper, wipes it.
 */
export class Secret {
  #bytes: Uint8Array;
  #wiped = false;

  /** Takes the buffer over; nobody else may keep it. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A Secret with bytes of its own, for input that the caller keeps. */
  static copy(bytes: Uint8Array): Secret {
    // Not `slice`: a Buffer's is a view of the same memory, and what is wiped here would be wiped there.
    return new Secret(new Uint8Array(bytes));
  }

  get size(): number {
    return this.#bytes.length;
  }

  get wiped(): boolean {
    return this.#wiped;
  }

  /** The bytes themselves, lent for a computation: never kept, never printed. */
  expose(): Uint8Array {
    if (this.#wiped) throw new TypeError("this secret has been wiped");
    return this.#bytes;
  }

  /** In constant time for secrets of equal size. */
  equals(other: Secret | Uint8Array): boolean {
    return equalInConstantTime(this.expose(), other instanceof Secret ? other.expose() : other);
  }

  /** Overwrites the bytes. A second call is harmless. */
  wipe(): void {
    this.#bytes.fill(0);
    this.#wiped = true;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect](): string {
    return hidden;
  }
}

/** Compares without stopping at the first difference. The sizes are not secret. */
export function equalInConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
