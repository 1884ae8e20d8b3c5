import { limits } from "../limits.js";
import { contentType } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";

/** Messages of the application, one behind another: message `i` is `bytes[ends[i-1] … ends[i])`. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly ends: ArrayLike<number>;
  readonly count: number;
}

/** Application data that wait to be sealed, each message a record of its own in a datagram of its own. */
export class Outbound {
  readonly #batches: Batch[] = [];
  /** Of the first batch. */
  #next = 0;
  #at = 0;
  /** Bytes that wait. */
  queued = 0;

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  /** False if there is no room: then it is dropped. */
  add(batch: Batch): boolean {
    const size = batch.count === 0 ? 0 : batch.ends[batch.count - 1]!;
    if (this.queued + size > limits.sendQueueMax) return false;
    if (batch.count === 0) return true;
    this.#batches.push(batch);
    this.queued += size;
    return true;
  }

  clear(): void {
    this.#batches.length = 0;
    this.#next = this.#at = this.queued = 0;
  }

  /** What has been written by the last `fill`. */
  size = 0;
  segmentSize = 0;
  messages = 0;
  bytes = 0;
  tooLong = 0;

  /**
   * Seals messages into datagrams of one size, the last perhaps smaller, so that they leave as one batch: as many as there
   * are, as fit, and as these keys may still seal. False if there was nothing.
   */
  fill(into: Uint8Array, sealer: RecordSealer, contentMax: number, recordsMax: number): boolean {
    this.size = this.segmentSize = this.messages = this.bytes = this.tooLong = 0;
    const { headroom, tailroom } = sealer;
    let first = 0;
    const countMax = Math.min(limits.batchRecordsMax, recordsMax);
    while (this.#batches.length > 0 && this.messages < countMax) {
      const batch = this.#batches[0]!;
      const end = batch.ends[this.#next]!;
      const length = end - this.#at;
      if (length > contentMax) {
        this.tooLong++;
        this.#advance(batch, end, length);
        continue;
      }
      const at = this.size;
      if (at + headroom + length + tailroom > into.length) break;
      // A message that is no longer makes no longer record; only the last of a batch may be smaller.
      if (this.messages > 0 && length > first) break;
      into.set(batch.bytes.subarray(this.#at, end), at + headroom);
      const size = sealer.seal(into, at, length, contentType.applicationData);
      if (this.messages === 0) {
        this.segmentSize = size;
        first = length;
      }
      this.size += size;
      this.messages++;
      this.bytes += length;
      this.#advance(batch, end, length);
      if (size < this.segmentSize) break;
    }
    return this.messages > 0;
  }

  #advance(batch: Batch, end: number, length: number): void {
    this.queued -= length;
    this.#at = end;
    if (++this.#next < batch.count) return;
    this.#batches.shift();
    this.#next = this.#at = 0;
  }
}
