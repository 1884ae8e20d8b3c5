import type { Entropy } from "../../contract/index.js";

/** A probability as two integers, so that a run is the same everywhere: `{ in: 3, of: 100 }` is three times in a hundred. */
export interface Ratio {
  readonly in: number;
  readonly of: number;
}

/** Numbers that only look random: the same seed gives the same ones for ever (sfc32). No secret comes from here. */
export class Random implements Entropy {
  readonly #seed: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string | number) {
    this.#seed = String(seed);
    [this.#a, this.#b, this.#c] = [hash(`${seed}/a`), hash(`${seed}/b`), hash(`${seed}/c`)];
    for (let i = 0; i < 12; i++) this.next();
  }

  /** Another sequence, from the same seed and a name: what one part draws does not change what another gets. */
  fork(name: string): Random {
    return new Random(`${this.#seed}/${name}`);
  }

  /** 32 bits. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** An integer from 0 to `end - 1`. */
  below(end: number): number {
    return this.next() % end;
  }

  chance(ratio: Ratio | undefined): boolean {
    return ratio !== undefined && ratio.in > 0 && this.below(ratio.of) < ratio.in;
  }

  fill(into: Uint8Array): Uint8Array {
    for (let i = 0; i < into.length; i++) into[i] = this.next() >>> 11;
    return into;
  }
}

/** FNV-1a with a final mix. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  return (state ^ (state >>> 13)) >>> 0;
}
