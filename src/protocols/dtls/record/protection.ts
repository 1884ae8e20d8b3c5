import type { ReplayWindow } from "../../../mechanisms/replay-window.js";
import { plainHeaderSize, writePlainHeader } from "./content-type.js";

/** Seals the records of one epoch, in place in the datagram that is being made. */
export interface RecordSealer {
  readonly epoch: number;
  /** Bytes of a record before its content, and what protection adds behind it at most. */
  readonly headroom: number;
  readonly tailroom: number;
  /** Number of the next record; those before are used. */
  sequence: number;
  /** Records that these keys may seal. */
  readonly countMax: number;
  /** Content is at `at + headroom`; answers the record's size. */
  seal(bytes: Uint8Array, at: number, size: number, type: number): number;
  /** Names the peer by another connection ID from now on, of any size; undefined if records have none. */
  renamed(connectionId: Uint8Array): RecordSealer | undefined;
  destroy(): void;
}

/** Opens the records of one epoch, in place, each only once. */
export interface RecordOpener {
  readonly epoch: number;
  readonly window: ReplayWindow;
  /** Of the record that was opened last. */
  readonly type: number;
  readonly contentAt: number;
  readonly contentSize: number;
  readonly sequence: number;
  /** Records that did not open: too many wear the key out (RFC 9147 §4.5.3). */
  readonly forged: number;
  readonly forgedMax: number;
  destroy(): void;
}

export type Opened = "opened" | "replayed" | "bad-record" | "malformed-record";

/** Epoch 0: no protection. */
export class PlainSealer implements RecordSealer {
  readonly epoch = 0;
  readonly headroom = plainHeaderSize;
  readonly tailroom = 0;
  readonly countMax = 2 ** 32;
  sequence: number;

  constructor(sequence = 0) {
    this.sequence = sequence;
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number): number {
    writePlainHeader(bytes, at, type, 0, this.sequence++, size);
    return plainHeaderSize + size;
  }

  renamed(): undefined {
    return undefined;
  }

  destroy(): void {
    // It holds no key.
  }
}
