import type { Host } from "../../contract/index.js";
import { slabSize, slabsKeptMax } from "../limits.js";

/**
 * Memory that machines transmit into and ports send from. A slab is filled from the front, its pieces are released one
 * by one, and when none is out it may be filled again.
 */
export class Slab {
  readonly bytes = new Uint8Array(slabSize);
  /** Where the next piece starts. */
  at = 0;
  /** Called when the last piece that was out has come back. */
  idle: (() => void) | undefined;
  #out = 0;

  get free(): number {
    return slabSize - this.at;
  }

  get isOut(): boolean {
    return this.#out > 0;
  }

  /** The unused part; the whole without making a view, where it can. */
  rest(): Uint8Array {
    return this.at === 0 ? this.bytes : this.bytes.subarray(this.at);
  }

  /** Takes the piece from `start` to `at` out, until `released` is called. */
  piece(start: number): Uint8Array {
    this.#out++;
    return this.bytes.subarray(start, this.at);
  }

  /** One function for all pieces: a port calls it once a piece. */
  readonly released = (): void => {
    if (--this.#out > 0) return;
    this.at = 0;
    this.idle?.();
  };
}

/** Slabs for reuse, shared by all drivers of a host: a driver holds one only while something of it is out. */
export class SlabPool {
  readonly #kept: Slab[] = [];

  static of(host: Host): SlabPool {
    let pool = pools.get(host);
    if (!pool) pools.set(host, (pool = new SlabPool()));
    return pool;
  }

  take(): Slab {
    return this.#kept.pop() ?? new Slab();
  }

  give(slab: Slab): void {
    slab.idle = undefined;
    slab.at = 0;
    if (this.#kept.length < slabsKeptMax) this.#kept.push(slab);
  }

  get kept(): number {
    return this.#kept.length;
  }
}

const pools = new WeakMap<Host, SlabPool>();
