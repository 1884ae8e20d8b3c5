import { limits } from "../limits.js";
import { readSequence, readU16, writeNumber } from "../record/content-type.js";

/** Bytes of a RecordNumber: epoch and sequence number, eight bytes each (RFC 9147 §4). */
const numberSize = 16;

/** Records of the peer's that it has to be told of (RFC 9147 §7). */
export class Acknowledgements {
  readonly #numbers: { readonly epoch: number; readonly sequence: number }[] = [];

  /** Greatest epoch among them: an ACK goes under this one or a later. */
  get epochMin(): number {
    return this.#numbers.reduce((max, { epoch }) => Math.max(max, epoch), 0);
  }

  get count(): number {
    return this.#numbers.length;
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
