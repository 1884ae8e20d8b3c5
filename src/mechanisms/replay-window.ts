/**
 * Which counters have been seen (RFC 6479): a ring of bits that moves forward with the greatest. Ask `mayAccept` before
 * the work of authentication, and `accept` only what proved authentic: a forged counter must never move the window.
 *
 * Counters are whole numbers up to 2^53 - 1.
 */
export class ReplayWindow {
  /** Counters that are remembered, the greatest included. */
  readonly size: number;
  readonly #words: Uint32Array;
  readonly #mask: number;
  /** One more than the greatest accepted counter: zero while there is none. */
  #next = 0;

  /** @param bits memory in bits, a power of two of at least 64; one word of it is always being cleared */
  constructor(bits: number) {
    if (bits < 64 || (bits & (bits - 1)) !== 0) throw new RangeError(`${bits} is no power of two from 64 on`);
    this.#words = new Uint32Array(bits / 32);
    this.#mask = bits / 32 - 1;
    this.size = bits - 32;
  }

  /** The greatest counter accepted, or -1. */
  get greatest(): number {
    return this.#next - 1;
  }

  /** Is the counter new, as far as the window reaches back? */
  mayAccept(counter: number): boolean {
    if (counter >= this.#next) return true;
    if (counter < this.#next - this.size) return false;
    const word = Math.floor(counter / 32) & this.#mask;
    return (this.#words[word]! & (1 << (counter & 31))) === 0;
  }

  /** Marks an authentic counter as seen. False if it had been, or is too old to know. */
  accept(counter: number): boolean {
    if (!this.mayAccept(counter)) return false;
    // `&` takes the low 32 bits, and the mask is smaller, so large numbers lose nothing that counts.
    const word = Math.floor(counter / 32);
    if (counter >= this.#next) {
      const current = this.#next === 0 ? -1 : Math.floor((this.#next - 1) / 32);
      const steps = Math.min(word - current, this.#words.length);
      for (let i = 0; i < steps; i++) this.#words[(word - i) & this.#mask] = 0;
      this.#next = counter + 1;
    }
    const at = word & this.#mask;
    this.#words[at] = this.#words[at]! | (1 << (counter & 31));
    return true;
  }
}
