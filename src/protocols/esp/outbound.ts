import { headerSize, putU32, trailerSize } from "./packet.js";
import type { Sealing } from "./protection.js";

/** The association that sends: keys, SPI and the sequence number, which is never used twice (RFC 4303 §3.3.3). */
export class Outbound {
  readonly spi: number;
  /** From the packet's start to the payload. */
  readonly head: number;
  readonly #protection: Sealing;
  /** Packets sealed, which is the last sequence number. */
  packets = 0;
  /** Of inner packets. */
  bytes = 0;

  constructor(spi: number, protection: Sealing) {
    this.spi = spi;
    this.#protection = protection;
    this.head = protection.head;
  }

  /** Most bytes around a payload while its packet is made. */
  get roomMax(): number {
    const { head, align, tailMax } = this.#protection;
    return head + align - 1 + trailerSize + tailMax;
  }

  /** Makes the packet at `at` around a payload of `size` bytes that lies at `at + head`. Answers its size. */
  seal(bytes: Uint8Array, at: number, size: number, nextHeader: number): number {
    const { head, align, tail } = this.#protection;
    const sequence = ++this.packets;
    this.bytes += size;
    putU32(bytes, at, this.spi);
    putU32(bytes, at + headerSize - 4, sequence >>> 0);
    // RFC 4303 §2.4: bytes that count up from 1, then their number, then what the payload is.
    let end = at + head + size;
    const padding = (align - ((size + trailerSize) % align)) % align;
    for (let i = 1; i <= padding; i++) bytes[end++] = i;
    bytes[end++] = padding;
    bytes[end++] = nextHeader;
    this.#protection.seal(bytes, at, end - at - head, sequence);
    return end + tail - at;
  }

  destroy(): void {
    this.#protection.destroy();
  }
}
