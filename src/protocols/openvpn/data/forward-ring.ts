import { forwardedPacketsMax } from "../limits.js";

/** Packets that come from one client and go to another, in memory that is allocated when the first does. */
export class ForwardRing {
  readonly #mtu: number;
  readonly #sizes = new Uint32Array(forwardedPacketsMax);
  #memory: Uint8Array | undefined;
  #first = 0;
  #count = 0;

  constructor(mtu: number) {
    this.#mtu = mtu;
  }

  /** Copies a packet of the MTU at the most. False if there is no room. */
  push(bytes: Uint8Array, at: number, size: number): boolean {
    if (this.#count === forwardedPacketsMax) return false;
    this.#memory ??= new Uint8Array(forwardedPacketsMax * this.#mtu);
    const slot = (this.#first + this.#count++) % forwardedPacketsMax;
    this.#sizes[slot] = size;
    const from = slot * this.#mtu;
    this.#memory.set(bytes.subarray(at, at + size), from);
    return true;
  }

  pull(into: Uint8Array, at: number): number {
    if (this.#count === 0) return 0;
    const size = this.#sizes[this.#first]!;
    const from = this.#first * this.#mtu;
    into.set(this.#memory!.subarray(from, from + size), at);
    this.#first = (this.#first + 1) % forwardedPacketsMax;
    this.#count--;
    return size;
  }
}
