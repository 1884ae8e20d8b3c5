import type { Instant } from "../../../contract/index.js";

/** What is known of a block of the stream. */
export const blockState = {
  /** To be sent again. */
  lost: 0,
  inFlight: 1,
  /** A message that bore it was answered, but no range covers it yet: it stays until one does. */
  answered: 2,
  acknowledged: 3,
} as const;

/** Messages have numbers of 32 bits other than zero; the sequence behind them does not come round. */
const ids = 0xffff_ffff;
export const idOf = (sequence: number): number => (sequence % ids) + 1;

/**
 * Blocks that are not yet acknowledged, in the order of the stream, and the transmissions that bore them, in the order in which
 * they went: two rings that double. Nothing is allocated for a message.
 */
export class Flight {
  /** Blocks `first … next)` are there. */
  first = 0;
  next = 0;
  /** The sequence number of the next message; transmissions from `oldest` on are undecided. */
  nextSequence = 0;
  oldest = 0;
  /** Bytes of blocks in flight. */
  bytes = 0;
  /** Blocks to be sent again. */
  lost = 0;
  lostBytes = 0;
  #positions = new Float64Array(64);
  #sizes = new Uint16Array(64);
  /** The end of the stream comes with it: one position more. */
  #ends = new Uint8Array(64);
  #states = new Uint8Array(64);
  #lastSent = new Float64Array(64);
  #blocks = new Float64Array(128);
  #sentAt = new Float64Array(128);

  get count(): number {
    return this.next - this.first;
  }

  position(block: number): number {
    return this.#positions[block & (this.#positions.length - 1)]!;
  }

  size(block: number): number {
    return this.#sizes[block & (this.#sizes.length - 1)]!;
  }

  isEnd(block: number): boolean {
    return this.#ends[block & (this.#ends.length - 1)] === 1;
  }

  state(block: number): number {
    return this.#states[block & (this.#states.length - 1)]!;
  }

  /** One more than the last position that an acknowledgement of it covers. */
  behind(block: number): number {
    const slot = block & (this.#positions.length - 1);
    return this.#positions[slot]! + this.#sizes[slot]! + this.#ends[slot]!;
  }

  add(position: number, size: number, isEnd: boolean): number {
    if (this.count === this.#positions.length) this.#growBlocks();
    const slot = this.next & (this.#positions.length - 1);
    this.#positions[slot] = position;
    this.#sizes[slot] = size;
    this.#ends[slot] = isEnd ? 1 : 0;
    this.#states[slot] = blockState.lost;
    this.lost++;
    this.lostBytes += size;
    return this.next++;
  }

  /** A message goes out, with a block or (-1) without. Answers its sequence number. */
  sent(block: number, now: Instant): number {
    if (this.nextSequence - this.oldest >= this.#blocks.length) this.#growTransmissions();
    const sequence = this.nextSequence++;
    const slot = sequence & (this.#blocks.length - 1);
    this.#blocks[slot] = block;
    this.#sentAt[slot] = now;
    if (block >= 0) {
      this.#move(block, blockState.inFlight);
      this.#lastSent[block & (this.#lastSent.length - 1)] = sequence;
    }
    return sequence;
  }

  /** Nothing of it matters any more. */
  clear(): void {
    this.first = this.next;
    this.bytes = this.lost = this.lostBytes = 0;
  }

  /** The first block from `from` on that is to be sent again; `next` if there is none. */
  firstLost(from = this.first): number {
    let block = Math.max(from, this.first);
    while (block < this.next && this.state(block) !== blockState.lost) block++;
    return block;
  }

  /** The transmission that a message number of ours names; undefined if it is not remembered. */
  sequenceOf(id: number): number | undefined {
    const newest = this.nextSequence - 1;
    if (newest < 0 || id === 0) return undefined;
    const back = (((newest - (id - 1)) % ids) + ids) % ids;
    const sequence = newest - back;
    return this.remembers(sequence) ? sequence : undefined;
  }

  remembers(sequence: number): boolean {
    const isThere = sequence >= 0 && this.nextSequence - sequence <= this.#blocks.length;
    return isThere && !Number.isNaN(this.sentAt(sequence));
  }

  sentAt(sequence: number): Instant {
    return this.#sentAt[sequence & (this.#sentAt.length - 1)]!;
  }

  blockOf(sequence: number): number {
    return this.#blocks[sequence & (this.#blocks.length - 1)]!;
  }

  /** The transmission by which a block went last. */
  lastSent(block: number): number {
    return this.#lastSent[block & (this.#lastSent.length - 1)]!;
  }

  isUndecided(sequence: number): boolean {
    const block = this.blockOf(sequence);
    return block >= this.first && this.state(block) === blockState.inFlight && this.lastSent(block) === sequence;
  }

  /** Moves a block on; answers the bytes that were in flight for it and are no more. */
  answered(block: number): number {
    const state = this.state(block);
    if (state >= blockState.answered) return 0;
    this.#move(block, blockState.answered);
    return state === blockState.inFlight ? this.size(block) : 0;
  }

  acknowledged(block: number): number {
    const state = this.state(block);
    if (state === blockState.acknowledged) return 0;
    this.#move(block, blockState.acknowledged);
    return state === blockState.inFlight ? this.size(block) : 0;
  }

  lose(block: number): void {
    if (this.state(block) !== blockState.acknowledged) this.#move(block, blockState.lost);
  }

  /** Lets go of blocks at the front that are acknowledged. */
  forget(): void {
    while (this.first < this.next && this.state(this.first) === blockState.acknowledged) this.first++;
  }

  /** The first block that begins at or behind a position. */
  at(position: number): number {
    let low = this.first;
    let high = this.next;
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2);
      if (this.position(middle) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #move(block: number, state: number): void {
    const slot = block & (this.#states.length - 1);
    const old = this.#states[slot]!;
    if (old === blockState.inFlight) this.bytes -= this.#sizes[slot]!;
    else if (old === blockState.lost) {
      this.lost--;
      this.lostBytes -= this.#sizes[slot]!;
    }
    if (state === blockState.inFlight) this.bytes += this.#sizes[slot]!;
    else if (state === blockState.lost) {
      this.lost++;
      this.lostBytes += this.#sizes[slot]!;
    }
    this.#states[slot] = state;
  }

  #growBlocks(): void {
    const size = 2 * this.#positions.length;
    const old = [this.#positions, this.#sizes, this.#ends, this.#states, this.#lastSent] as const;
    const grown = [
      new Float64Array(size),
      new Uint16Array(size),
      new Uint8Array(size),
      new Uint8Array(size),
      new Float64Array(size),
    ] as const;
    for (let block = this.first; block < this.next; block++) {
      for (let i = 0; i < old.length; i++) grown[i]![block & (size - 1)] = old[i]![block & (size / 2 - 1)]!;
    }
    [this.#positions, this.#sizes, this.#ends, this.#states, this.#lastSent] = grown;
  }

  #growTransmissions(): void {
    const size = 2 * this.#blocks.length;
    const blocks = new Float64Array(size).fill(-1);
    const sentAt = new Float64Array(size).fill(Number.NaN);
    for (let sequence = this.oldest; sequence < this.nextSequence; sequence++) {
      blocks[sequence & (size - 1)] = this.blockOf(sequence);
      sentAt[sequence & (size - 1)] = this.sentAt(sequence);
    }
    this.#blocks = blocks;
    this.#sentAt = sentAt;
  }
}
