/**
 * One direction's protection of records, as the stream machine needs it: it is asked for no memory and gives none. A
 * record stands in the caller's buffer with its header; content begins `headroom` bytes behind its start.
 */
export interface RecordSealer {
  /** Header, and whatever stands before the content. */
  readonly headroom: number;
  /** Most bytes that follow the content, padding of the caller's aside. */
  readonly tailroom: number;
  /** Records sealed. */
  readonly count: number;
  /** Records that these keys are good for. */
  readonly countMax: number;
  /**
   * Seals the content of `size` bytes at `at + headroom`, padded to `paddedSize`, and writes the header. Answers the size
   * of the record.
   */
  seal(bytes: Uint8Array, at: number, size: number, type: number, paddedSize: number): number;
  destroy(): void;
}

export interface RecordOpener {
  /** Records whose outer type does not say what is in them: all of 1.3's. */
  readonly hidesType: boolean;
  /** Largest fragment that may come, header aside. */
  readonly fragmentMax: number;
  /** After `open`: what the record holds. */
  readonly type: number;
  readonly contentAt: number;
  readonly contentSize: number;
  readonly count: number;
  /** Opens the record `bytes[at … at+size)`, header included, in place. False if it is not authentic. */
  open(bytes: Uint8Array, at: number, size: number): boolean;
  destroy(): void;
}
