import type { Instant } from "../../../contract/index.js";
import { limits } from "../limits.js";
import { contentType, readSequence, readU16, writeNumber } from "../record/content-type.js";
import type { RecordSealer } from "../record/protection.js";

/** Bytes of a RecordNumber: epoch and sequence number, eight bytes each (RFC 9147 §4). */
const numberSize = 16;

/** Records of the peer's that it has to be told of (RFC 9147 §7). */
export class Acknowledgements {
  readonly #numbers: { readonly epoch: number; readonly sequence: number }[] = [];

  #at: Instant | undefined;
  /** An ACK wants to go. */
  isDue = false;

  /** When it will want to. */
  get deadline(): Instant | undefined {
    return this.#at;
  }

  due(now: Instant): void {
    if (this.#at === undefined || this.#at > now) return;
    this.isDue = true;
    this.#at = undefined;
  }

  /** The peer should hear of it soon. */
  hurry(): void {
    this.isDue = true;
  }

  /** The peer hears of it then, if nothing of ours says it before. */
  wait(until: Instant): void {
    if (this.#numbers.length === 0) this.rest(false);
    else if (!this.isDue) this.#at ??= until;
  }

  /** There is nothing to acknowledge now, or never will be. */
  rest(forgets: boolean): void {
    if (forgets && this.#numbers.length > 0) this.clear();
    this.isDue = false;
    this.#at = undefined;
  }

  /** Seals an ACK into the datagram at `at`, if it may go under this epoch; answers the record's size. */
  fill(into: Uint8Array, at: number, end: number, sealer: RecordSealer, underAny: boolean): number {
    const room = end - at - sealer.headroom - sealer.tailroom;
    if (room < 2 + numberSize) return 0;
    this.isDue = false;
    this.#at = undefined;
    if (this.#numbers.length === 0 || !(underAny || sealer.epoch >= this.epochMin)) return 0;
    const size = this.write(into, at + sealer.headroom, room);
    this.clear();
    return sealer.seal(into, at, size, contentType.ack);
  }

  /** Greatest epoch among them: during the handshake an ACK goes under this one or a later. */
  get epochMin(): number {
    return this.#numbers.reduce((max, { epoch }) => Math.max(max, epoch), 0);
  }

  add(epoch: number, sequence: number): void {
    if (this.#numbers.some((each) => each.epoch === epoch && each.sequence === sequence)) return;
    this.#numbers.push({ epoch, sequence });
    if (this.#numbers.length > limits.ackNumbersMax) this.#numbers.shift();
  }

  clear(): void {
    this.#numbers.length = 0;
  }

  /** Writes the content of an ACK, of at most `room` bytes; answers its size. They are in ascending order, as §7 wants. */
  write(bytes: Uint8Array, at: number, room: number): number {
    const numbers = this.#numbers
      .slice(-Math.max(0, Math.floor((room - 2) / numberSize)))
      .sort((a, b) => a.epoch - b.epoch || a.sequence - b.sequence);
    const size = numbers.length * numberSize;
    bytes[at] = size >> 8;
    bytes[at + 1] = size & 255;
    numbers.forEach(({ epoch, sequence }, i) => {
      const to = at + 2 + i * numberSize;
      bytes.fill(0, to, to + numberSize);
      writeNumber(bytes, to + 6, epoch, 0);
      writeNumber(bytes, to + 8, 0, sequence);
    });
    return 2 + size;
  }
}

/** Reads an ACK's content; false if it does not parse. Numbers beyond 48 bits are nobody's. */
export function readAck(
  bytes: Uint8Array,
  at: number,
  size: number,
  each: (epoch: number, sequence: number) => void,
): boolean {
  if (size < 2) return false;
  const length = readU16(bytes, at);
  if (length !== size - 2 || length % numberSize !== 0) return false;
  for (let from = at + 2; from < at + size; from += numberSize) {
    const fits = bytes.subarray(from, from + 6).every((byte) => byte === 0) && readU16(bytes, from + 8) === 0;
    if (fits) each(readU16(bytes, from + 6), readSequence(bytes, from + 10));
  }
  return true;
}
