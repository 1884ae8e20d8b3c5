import { outOfOrderPiecesMax } from "../limits.js";

interface Piece {
  start: number;
  end: number;
  bytes: Uint8Array;
}

/**
 * What arrived ahead of something missing, by offset in the peer's stream: sorted, disjoint, never touching two of the
 * same byte. It also knows the order of arrival, which SACK blocks tell (RFC 2018 §4).
 */
export class OutOfOrder {
  readonly #pieces: Piece[] = [];
  /** Offsets of arrivals, newest first: the blocks to report. */
  readonly #recent: number[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  /** Keeps a copy of what is new; false if there is no place for another piece. */
  add(start: number, payload: Uint8Array): boolean {
    let from = start;
    const end = start + payload.length;
    let index = this.#after(start);
    const before = this.#pieces[index - 1];
    if (before !== undefined && before.end > from) from = before.end;
    while (from < end) {
      const next = this.#pieces[index];
      const until = next === undefined ? end : Math.min(end, next.start);
      if (until > from) {
        if (this.#pieces.length >= outOfOrderPiecesMax) return false;
        const bytes = payload.slice(from - start, until - start);
        this.#pieces.splice(index, 0, { start: from, end: until, bytes });
        this.#bytes += bytes.length;
        index++;
      }
      if (next === undefined) break;
      from = Math.max(from, next.end);
      index++;
    }
    this.#remember(start);
    return true;
  }

  /** Takes the next piece if nothing is missing before it; pieces behind `offset` are let go. */
  take(offset: number): Uint8Array | undefined {
    for (let piece = this.#pieces[0]; piece !== undefined && piece.start <= offset; piece = this.#pieces[0]) {
      this.#pieces.shift();
      this.#bytes -= piece.bytes.length;
      if (piece.end > offset) return piece.start === offset ? piece.bytes : piece.bytes.subarray(offset - piece.start);
    }
    return undefined;
  }

  /** Writes up to `most` blocks, as offsets, the newest first. */
  blocks(most: number): readonly (readonly [number, number])[] {
    const blocks: [number, number][] = [];
    for (const start of this.#recent) {
      const block = this.#blockAt(start);
      if (block !== undefined && !blocks.some(([from]) => from === block[0])) blocks.push(block);
      if (blocks.length === most) break;
    }
    return blocks;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.#recent.length = 0;
    this.#bytes = 0;
  }

  /** Pieces that touch are one block. */
  #blockAt(offset: number): [number, number] | undefined {
    let index = this.#after(offset) - 1;
    const piece = this.#pieces[index];
    if (piece === undefined || piece.end <= offset) return undefined;
    let { start, end } = piece;
    for (let i = index + 1; i < this.#pieces.length && this.#pieces[i]!.start === end; i++) end = this.#pieces[i]!.end;
    for (; index > 0 && this.#pieces[index - 1]!.end === start; index--) start = this.#pieces[index - 1]!.start;
    return [start, end];
  }

  /** Index of the first piece that starts behind the offset. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle]!.start <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #remember(start: number): void {
    this.#recent.unshift(start);
    if (this.#recent.length > 8) this.#recent.pop();
  }
}
