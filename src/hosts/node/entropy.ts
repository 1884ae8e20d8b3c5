import { randomFillSync } from "node:crypto";
import type { Entropy } from "../../contract/index.js";
import { entropyPoolSize } from "./limits.js";

/** The operating system's entropy, fetched in pools because most requests are small; what was handed out is erased. */
export class NodeEntropy implements Entropy {
  readonly #pool = new Uint8Array(entropyPoolSize);
  #at = entropyPoolSize;

  fill(into: Uint8Array): Uint8Array {
    if (into.length > entropyPoolSize / 4) return randomFillSync(into);
    if (this.#at + into.length > entropyPoolSize) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const end = this.#at + into.length;
    into.set(this.#pool.subarray(this.#at, end));
    this.#pool.fill(0, this.#at, end);
    this.#at = end;
    return into;
  }
}
