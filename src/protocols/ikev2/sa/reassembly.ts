import { concat } from "../../../bytes/index.js";
import { messageSizeMax } from "../limits.js";
import type { Fragment } from "../protection.js";

/** Puts one message together from its fragments, each of which has been found authentic (RFC 7383 §2.6). */
export class Reassembly {
  #messageId = -1;
  #parts: (Uint8Array | undefined)[] = [];
  #left = 0;
  #first = 0;
  #size = 0;

  /**
   * What was inside all fragments, once the last has come. `first` is the type of the first payload, which the first fragment
   * alone says.
   */
  add(
    messageId: number,
    { number, total }: Fragment,
    first: number,
    inner: Uint8Array,
  ): { readonly first: number; readonly inner: Uint8Array } | undefined {
    // More fragments than before: the peer sends it again in smaller ones. Fewer: those are old.
    if (messageId !== this.#messageId || total > this.#parts.length) this.#begin(messageId, total);
    else if (total < this.#parts.length) return undefined;
    if (this.#parts[number - 1] !== undefined || this.#size + inner.length > messageSizeMax) return undefined;
    this.#parts[number - 1] = inner;
    this.#size += inner.length;
    if (number === 1) this.#first = first;
    if (--this.#left > 0) return undefined;
    const whole = { first: this.#first, inner: concat(...(this.#parts as Uint8Array[])) };
    this.#begin(-1, 0);
    return whole;
  }

  #begin(messageId: number, total: number): void {
    this.#messageId = messageId;
    this.#parts = new Array<Uint8Array | undefined>(total).fill(undefined);
    this.#left = total;
    this.#size = 0;
  }
}
