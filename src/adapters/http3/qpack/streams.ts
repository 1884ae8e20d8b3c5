/**
 * QPACK's two streams between ends that keep no dynamic table: what may stand on them is little, and it changes nothing
 * (RFC 9204 §4.3, §4.4). Each instruction here is one prefixed integer, which may come in pieces.
 */
export class InstructionReader {
  readonly #stream: "encoder" | "decoder";
  /** Bytes of the present integer behind its first; 0 is between instructions. */
  #following = 0;
  #isOpen = false;

  constructor(stream: "encoder" | "decoder") {
    this.#stream = stream;
  }

  /** False: this may not stand there. */
  take(bytes: Uint8Array): boolean {
    for (const byte of bytes) {
      if (this.#isOpen) {
        // 62 bits at most (RFC 9204 §4.1.1).
        if (++this.#following > 9) return false;
        this.#isOpen = byte >= 0x80;
        continue;
      }
      this.#following = 0;
      if (this.#stream === "encoder") {
        // Set Dynamic Table Capacity, to no more than the 0 that we allow (RFC 9204 §3.2.3).
        if (byte !== 0x20) return false;
      } else {
        // Stream Cancellation alone: there is nothing to acknowledge or to count.
        if (byte >> 6 !== 1) return false;
        this.#isOpen = (byte & 0x3f) === 0x3f;
      }
    }
    return true;
  }
}
