/**
 * A set of whole numbers as half-open ranges, ascending: packet numbers seen (RFC 9000 §13.2), bytes acknowledged, bytes to
 * send again. It has a limit; one range more forgets the lowest. Growing at the top, which is what nearly all do, costs
 * nothing.
 */
export class Ranges {
  readonly rangesMax: number;
  #from: number[] = [];
  #to: number[] = [];
  /** What `shift` took. */
  outFrom = 0;
  outTo = 0;

  constructor(rangesMax: number) {
    if (!(rangesMax >= 1)) throw new RangeError("a set holds at least one range");
    this.rangesMax = rangesMax;
  }

  /** Ranges, not numbers. */
  get count(): number {
    return this.#from.length;
  }

  /** The lowest number; infinite if there is none. */
  get least(): number {
    return this.#from[0] ?? Number.POSITIVE_INFINITY;
  }

  /** One more than the greatest; 0 if there is none. */
  get end(): number {
    return this.#to[this.#to.length - 1] ?? 0;
  }

  /** First number of a range; 0 is the lowest. */
  from(index: number): number {
    return this.#from[index]!;
  }

  /** One more than the last number of a range. */
  to(index: number): number {
    return this.#to[index]!;
  }

  has(number: number): boolean {
    return this.covers(number, number + 1);
  }

  /** Are all of these in it? */
  covers(from: number, to: number): boolean {
    const index = this.#reaching(from);
    return index < this.#from.length && this.#from[index]! <= from && to <= this.#to[index]!;
  }

  /** False if all of it was there. */
  add(from: number, to: number): boolean {
    if (from >= to) return false;
    const last = this.#to.length - 1;
    if (last >= 0 && from === this.#to[last]!) {
      this.#to[last] = to;
      return true;
    }
    if (last < 0 || from > this.#to[last]!) {
      this.#from.push(from);
      this.#to.push(to);
      this.#bound();
      return true;
    }
    return this.#merge(from, to);
  }

  /** Takes these out, as far as they are in. */
  remove(from: number, to: number): void {
    let index = this.#reaching(from);
    if (index < this.#to.length && this.#to[index] === from) index++;
    if (from >= to || index >= this.#from.length || this.#from[index]! >= to) return;
    if (this.#from[index]! < from) {
      const end = this.#to[index]!;
      this.#to[index] = from;
      index++;
      if (end > to) {
        this.#from.splice(index, 0, to);
        this.#to.splice(index, 0, end);
        this.#bound();
        return;
      }
    }
    let gone = index;
    while (gone < this.#to.length && this.#to[gone]! <= to) gone++;
    if (gone > index) {
      this.#from.splice(index, gone - index);
      this.#to.splice(index, gone - index);
    }
    if (index < this.#from.length && this.#from[index]! < to) this.#from[index] = to;
  }

  /** Takes out the lowest numbers, at most so many, all of one range; they are `outFrom … outTo`. False if it is empty. */
  shift(max: number): boolean {
    const from = this.#from[0];
    if (from === undefined || max <= 0) return false;
    const end = this.#to[0]!;
    this.outFrom = from;
    if (end - from <= max) {
      this.outTo = end;
      this.#from.shift();
      this.#to.shift();
    } else this.#from[0] = this.outTo = from + max;
    return true;
  }

  clear(): void {
    this.#from.length = this.#to.length = 0;
  }

  /** Index of the first range that ends at or behind `number`. */
  #reaching(number: number): number {
    let low = 0;
    let high = this.#to.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#to[middle]! < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #merge(from: number, to: number): boolean {
    const index = this.#reaching(from);
    if (this.#from[index]! <= from && to <= this.#to[index]!) return false;
    let behind = index;
    while (behind < this.#from.length && this.#from[behind]! <= to) behind++;
    if (behind === index) {
      this.#from.splice(index, 0, from);
      this.#to.splice(index, 0, to);
      this.#bound();
      return true;
    }
    this.#from[index] = Math.min(from, this.#from[index]!);
    this.#to[index] = Math.max(to, this.#to[behind - 1]!);
    if (behind - index > 1) {
      this.#from.splice(index + 1, behind - index - 1);
      this.#to.splice(index + 1, behind - index - 1);
    }
    return true;
  }

  #bound(): void {
    if (this.#from.length <= this.rangesMax) return;
    this.#from.shift();
    this.#to.shift();
  }
}
