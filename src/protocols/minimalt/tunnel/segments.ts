/** What is known of a segment: the RPCs that one sequence number stands for, sent together as often as they must be. */
export const segmentState = { inFlight: 0, lost: 1, acknowledged: 2 } as const;

/** A piece of this size is no data, but the end of its connection's stream. */
export const endPiece = -1;

/**
 * Segments that are not all acknowledged, and the pieces of streams that each is made of: two rings that double. Nothing is
 * allocated for a segment.
 */
export class Segments {
  /** Segments `first … next)` are there. */
  first = 0;
  next = 0;
  lost = 0;
  #nextPiece = 0;
  #states = new Uint8Array(32);
  #pieceFrom = new Float64Array(32);
  #connections = new Float64Array(64);
  #offsets = new Float64Array(64);
  #sizes = new Int32Array(64);
  #lostFrom = 0;

  get count(): number {
    return this.next - this.first;
  }

  /** Begins a segment; `addPiece` follows. */
  begin(): number {
    if (this.count + 1 >= this.#states.length) this.#growSegments();
    const segment = this.next++;
    this.#states[segment & (this.#states.length - 1)] = segmentState.inFlight;
    this.#pieceFrom[segment & (this.#states.length - 1)] = this.#nextPiece;
    return segment;
  }

  addPiece(connection: number, offset: number, size: number): void {
    const oldest = this.#pieceFrom[this.first & (this.#pieceFrom.length - 1)]!;
    if (this.#nextPiece - oldest >= this.#sizes.length) this.#growPieces(oldest);
    const slot = this.#nextPiece++ & (this.#sizes.length - 1);
    this.#connections[slot] = connection;
    this.#offsets[slot] = offset;
    this.#sizes[slot] = size;
  }

  state(segment: number): number {
    return this.#states[segment & (this.#states.length - 1)]!;
  }

  pieceFrom(segment: number): number {
    return this.#pieceFrom[segment & (this.#pieceFrom.length - 1)]!;
  }

  pieceTo(segment: number): number {
    return segment + 1 === this.next ? this.#nextPiece : this.pieceFrom(segment + 1);
  }

  connection(piece: number): number {
    return this.#connections[piece & (this.#sizes.length - 1)]!;
  }

  offset(piece: number): number {
    return this.#offsets[piece & (this.#sizes.length - 1)]!;
  }

  size(piece: number): number {
    return this.#sizes[piece & (this.#sizes.length - 1)]!;
  }

  lose(segment: number): void {
    if (segment < this.first || this.state(segment) !== segmentState.inFlight) return;
    this.#set(segment, segmentState.lost);
    this.lost++;
    this.#lostFrom = Math.min(this.#lostFrom, segment);
  }

  /** The oldest segment that is to be sent again; only if there is one. */
  firstLost(): number {
    let segment = Math.max(this.#lostFrom, this.first);
    while (this.state(segment) !== segmentState.lost) segment++;
    return segment;
  }

  /** Takes the oldest segment that is to be sent again; only if `lost` says that there is one. It is in flight again. */
  takeLost(): number {
    const segment = this.firstLost();
    this.#lostFrom = segment + 1;
    this.#set(segment, segmentState.inFlight);
    this.lost--;
    return segment;
  }

  /** False if it had been. */
  acknowledge(segment: number): boolean {
    if (segment < this.first || segment >= this.next) return false;
    const state = this.state(segment);
    if (state === segmentState.acknowledged) return false;
    if (state === segmentState.lost) this.lost--;
    this.#set(segment, segmentState.acknowledged);
    return true;
  }

  /** Lets go of segments at the front that are acknowledged. */
  forget(): void {
    while (this.first < this.next && this.state(this.first) === segmentState.acknowledged) this.first++;
    if (this.lost === 0) this.#lostFrom = this.next;
  }

  #set(segment: number, state: number): void {
    this.#states[segment & (this.#states.length - 1)] = state;
  }

  #growSegments(): void {
    const old = this.#states.length;
    const states = new Uint8Array(2 * old);
    const pieceFrom = new Float64Array(2 * old);
    for (let segment = this.first; segment < this.next; segment++) {
      states[segment & (2 * old - 1)] = this.#states[segment & (old - 1)]!;
      pieceFrom[segment & (2 * old - 1)] = this.#pieceFrom[segment & (old - 1)]!;
    }
    this.#states = states;
    this.#pieceFrom = pieceFrom;
  }

  #growPieces(oldest: number): void {
    const old = this.#sizes.length;
    const connections = new Float64Array(2 * old);
    const offsets = new Float64Array(2 * old);
    const sizes = new Int32Array(2 * old);
    for (let piece = oldest; piece < this.#nextPiece; piece++) {
      connections[piece & (2 * old - 1)] = this.#connections[piece & (old - 1)]!;
      offsets[piece & (2 * old - 1)] = this.#offsets[piece & (old - 1)]!;
      sizes[piece & (2 * old - 1)] = this.#sizes[piece & (old - 1)]!;
    }
    this.#connections = connections;
    this.#offsets = offsets;
    this.#sizes = sizes;
  }
}
