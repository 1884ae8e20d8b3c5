/**
 * A nonce for each record out of a secret start and a number on its last eight bytes: TLS's sequence number (RFC 9846 §5.3),
 * tcpcrypt's offset in the stream (RFC 8548 §3.6).
 */
export class Nonce {
  readonly bytes: Uint8Array;
  readonly #iv: Uint8Array;
  readonly #at: number;

  constructor(iv: Uint8Array) {
    this.#iv = iv;
    this.bytes = iv.slice();
    this.#at = iv.length - 8;
  }

  /** Numbers up to 2^53; keys are changed long before. */
  set(number: number): void {
    const { bytes } = this;
    const iv = this.#iv;
    let low = number % 0x1_0000_0000;
    let high = (number - low) / 0x1_0000_0000;
    for (let i = this.#at + 7, j = this.#at + 3; j >= this.#at; i--, j--) {
      bytes[i] = iv[i]! ^ (low & 255);
      bytes[j] = iv[j]! ^ (high & 255);
      low >>>= 8;
      high >>>= 8;
    }
  }

  wipe(): void {
    this.bytes.fill(0);
    this.#iv.fill(0);
  }
}
