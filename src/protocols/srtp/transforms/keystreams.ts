import type { CryptoProvider, KeyedCipher } from "../../../contract/index.js";
import { putU32, rtpLayout, u32 } from "../wire/layout.js";

/** A keystream that is XORed onto part of a packet; where its IV comes from is what tells the ciphers apart. */
export interface Keystream {
  /** Transforms `bytes[from … from+size)` of the packet at `at`. `index`: RTP's 48 bits, or RTCP's word without E. */
  apply(bytes: Uint8Array, at: number, from: number, size: number, ssrc: number, index: number): void;
  destroy(): void;
}

/** AES in counter mode (RFC 3711 §4.1.1): IV = salt · 2^16 XOR SSRC · 2^64 XOR index · 2^16. */
export class CounterMode implements Keystream {
  readonly #cipher: KeyedCipher;
  readonly #salt = new Uint8Array(16);
  readonly #iv = new Uint8Array(16);
  readonly #ssrcSalt: number;
  readonly #highSalt: number;
  readonly #lowSalt: number;

  constructor(cipher: KeyedCipher, salt: Uint8Array) {
    this.#cipher = cipher;
    this.#salt.set(salt);
    this.#iv.set(this.#salt);
    this.#ssrcSalt = u32(this.#salt, 4);
    this.#highSalt = (this.#salt[8]! << 8) | this.#salt[9]!;
    this.#lowSalt = u32(this.#salt, 10);
  }

  apply(bytes: Uint8Array, _at: number, from: number, size: number, ssrc: number, index: number): void {
    const iv = this.#iv;
    const high = this.#highSalt ^ Math.floor(index / 0x1_0000_0000);
    putU32(iv, 4, ssrc ^ this.#ssrcSalt);
    iv[8] = high >>> 8;
    iv[9] = high;
    putU32(iv, 10, (index | 0) ^ this.#lowSalt);
    this.#cipher.apply(bytes, from, size, iv);
  }

  destroy(): void {
    this.#cipher.destroy();
    this.#salt.fill(0);
    this.#iv.fill(0);
  }
}

/**
 * AES in f8 mode (RFC 3711 §4.1.2): S(j) = E(k, IV' XOR j XOR S(j-1)), which is CBC over the blocks IV' XOR j. Its IV is
 * made of the packet's header, which is so authenticated by implication.
 */
export class F8 implements Keystream {
  readonly #cipher: KeyedCipher;
  readonly #masked: KeyedCipher;
  readonly #iv = new Uint8Array(16);
  #blocks = new Uint8Array(2_048);

  constructor(crypto: CryptoProvider, key: Uint8Array, salt: Uint8Array) {
    const mask = new Uint8Array(key.length).fill(0x55);
    mask.set(salt);
    for (let i = 0; i < mask.length; i++) mask[i]! ^= key[i]!;
    this.#cipher = crypto.cipher("AES-128-CBC").encryptor(key);
    this.#masked = crypto.cipher("AES-128-ECB").encryptor(mask);
    mask.fill(0);
  }

  apply(bytes: Uint8Array, at: number, from: number, size: number, _ssrc: number, index: number): void {
    const iv = this.#iv;
    iv.fill(0);
    const rtp = rtpLayout.fixedSize;
    if (from >= at + rtp) {
      // §4.1.2.2: zero, M, PT, SEQ, TS, SSRC, ROC
      for (let i = 1; i < rtp; i++) iv[i] = bytes[at + i]!;
      putU32(iv, 12, Math.floor(index / 0x1_0000));
    } else {
      // §4.1.2.3: zeros, E and index, the first header
      putU32(iv, 4, index + 0x8000_0000);
      for (let i = 0; i < 8; i++) iv[8 + i] = bytes[at + i]!;
    }
    this.#masked.apply(iv, 0, 16, noIv);
    const whole = (size + 15) & ~15;
    if (this.#blocks.length < whole) this.#blocks = new Uint8Array(whole);
    const blocks = this.#blocks;
    for (let block = 0; block < whole; block += 16) {
      for (let i = 0; i < 12; i++) blocks[block + i] = iv[i]!;
      putU32(blocks, block + 12, u32(iv, 12) ^ (block >> 4));
    }
    this.#cipher.apply(blocks, 0, whole, zeroIv);
    for (let i = 0; i < size; i++) bytes[from + i]! ^= blocks[i]!;
  }

  destroy(): void {
    this.#cipher.destroy();
    this.#masked.destroy();
    this.#blocks.fill(0);
  }
}

const noIv = new Uint8Array(0);
const zeroIv = new Uint8Array(16);

/** The NULL cipher (RFC 3711 §4.1.3). */
export const nullKeystream: Keystream = Object.freeze({ apply() {}, destroy() {} });
