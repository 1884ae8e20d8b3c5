import type { AeadName, CipherName, CryptoProvider, KeyedCipher, Secret } from "../../../contract/index.js";

/** Bytes of ciphertext that the mask is made of (RFC 9001 §5.4.2). */
export const sampleSize = 16;

/** Header protection goes with the AEAD, RFC 9001 §5.4.3 and §5.4.4. */
const cipherOf: Partial<Record<AeadName, CipherName>> = {
  "AES-128-GCM": "AES-128-ECB",
  "AES-128-CCM": "AES-128-ECB",
  "AES-256-GCM": "AES-256-ECB",
  "ChaCha20-Poly1305": "ChaCha20",
};

const none = new Uint8Array(0);

/** Of the packet in hand, whosever it is. */
const lastMask = new Uint8Array(sampleSize);
const lastSample = new Uint8Array(sampleSize);

/** Makes masks of samples under one key; one cipher call a packet. */
export class HeaderMask {
  readonly #cipher: KeyedCipher;
  readonly #isStream: boolean;

  constructor(crypto: CryptoProvider, aead: AeadName, key: Secret) {
    const name = cipherOf[aead];
    if (name === undefined) throw new TypeError(`QUIC has no header protection for ${aead}`);
    this.#isStream = name === "ChaCha20";
    this.#cipher = crypto.cipher(name).encryptor(key.expose());
  }

  /**
   * The mask of the sixteen bytes at `at`, good until the next: its first byte is for the first byte of the header, the next
   * four for the packet number.
   */
  compute(bytes: Uint8Array, at: number): Uint8Array {
    const mask = lastMask;
    if (this.#isStream) {
      const sample = lastSample;
      for (let i = 0; i < sampleSize; i++) sample[i] = bytes[at + i]!;
      for (let i = 0; i < 5; i++) mask[i] = 0;
      this.#cipher.apply(mask, 0, 5, sample);
    } else {
      for (let i = 0; i < sampleSize; i++) mask[i] = bytes[at + i]!;
      this.#cipher.apply(mask, 0, sampleSize, none);
    }
    return mask;
  }

  destroy(): void {
    this.#cipher.destroy();
    lastMask.fill(0);
  }
}
