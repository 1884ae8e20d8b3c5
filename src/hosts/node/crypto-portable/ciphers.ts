import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type Decipher,
  getCiphers,
  type KeyObject,
  type Cipher as NodeCipher,
} from "node:crypto";
import type { Cipher, CipherName, KeyedCipher } from "../../../contract/crypto.js";
import { ciphers as sizes } from "../../../crypto/algorithms.js";
import { checkAlive, checkBlocks, checkRange, checkSize } from "../../../crypto/checks.js";

const opensslNames: { readonly [N in CipherName]?: string } = {
  "AES-128-CBC": "aes-128-cbc",
  "AES-192-CBC": "aes-192-cbc",
  "AES-256-CBC": "aes-256-cbc",
  "AES-128-CTR": "aes-128-ctr",
  "AES-192-CTR": "aes-192-ctr",
  "AES-256-CTR": "aes-256-ctr",
  "AES-128-ECB": "aes-128-ecb",
  "AES-192-ECB": "aes-192-ecb",
  "AES-256-ECB": "aes-256-ecb",
  "AES-128-CFB": "aes-128-cfb",
  "AES-192-CFB": "aes-192-cfb",
  "AES-256-CFB": "aes-256-cfb",
  ChaCha20: "chacha20",
};

/** One of OpenSSL's plain ciphers; undefined where the platform lacks it. */
export function cipher(name: CipherName): Cipher | undefined {
  const id = opensslNames[name];
  if (id === undefined || !getCiphers().includes(id)) return undefined;
  const Keyed = sizes[name].ivSize === 0 ? Codebook : Chained;
  return {
    name,
    ...sizes[name],
    encryptor: (key) => new Keyed(name, id, createCipheriv, key),
    decryptor: (key) => new Keyed(name, id, createDecipheriv, key),
  };
}

type Make = (id: string, key: KeyObject, iv: Uint8Array | null) => NodeCipher | Decipher;

class Chained implements KeyedCipher {
  readonly #id: string;
  readonly #make: Make;
  readonly #ivSize: number;
  readonly #blockSize: number;
  #key: KeyObject | undefined;

  constructor(name: CipherName, id: string, make: Make, key: Uint8Array) {
    const { keySize, ivSize, blockSize } = sizes[name];
    checkSize(key, keySize, `${name} key`);
    this.#id = id;
    this.#make = make;
    this.#ivSize = ivSize;
    this.#blockSize = blockSize;
    this.#key = createSecretKey(key);
  }

  apply(bytes: Uint8Array, at: number, size: number, iv: Uint8Array): void {
    checkAlive(this.#key);
    checkRange(bytes, at, size, 0);
    checkSize(iv, this.#ivSize, "initialization vector");
    checkBlocks(size, this.#blockSize);
    if (size === 0) return;
    const running = this.#make(this.#id, this.#key, iv).setAutoPadding(false);
    bytes.set(running.update(bytes.subarray(at, at + size)), at);
  }

  destroy(): void {
    this.#key = undefined;
  }
}

/** ECB has no state between blocks, so one node cipher is kept for all of them. */
class Codebook implements KeyedCipher {
  #running: NodeCipher | Decipher | undefined;

  constructor(name: CipherName, id: string, make: Make, key: Uint8Array) {
    checkSize(key, sizes[name].keySize, `${name} key`);
    this.#running = make(id, createSecretKey(key), null).setAutoPadding(false);
  }

  apply(bytes: Uint8Array, at: number, size: number, iv: Uint8Array): void {
    checkAlive(this.#running);
    checkRange(bytes, at, size, 0);
    checkSize(iv, 0, "initialization vector");
    checkBlocks(size, 16);
    if (size > 0) bytes.set(this.#running.update(bytes.subarray(at, at + size)), at);
  }

  destroy(): void {
    this.#running = undefined;
  }
}
