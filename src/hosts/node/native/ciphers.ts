import type { Cipher, CipherName, KeyedCipher } from "../../../contract/crypto.js";
import { ciphers as sizes } from "../../../crypto/algorithms.js";
import { checkAlive, checkBlocks, checkRange, checkSize } from "../../../crypto/checks.js";
import { type Libcrypto, slots } from "./libcrypto.js";

/** Salsa20 is not in OpenSSL; the others bear its names. */
export function cipher(libcrypto: Libcrypto, name: CipherName): Cipher | undefined {
  const id = name === "Salsa20" ? 0 : libcrypto.fetchCipher(name);
  if (id === 0) return undefined;
  const leaked = new FinalizationRegistry<number>((context) => void libcrypto.call.EVP_CIPHER_CTX_free(context));
  return {
    name,
    ...sizes[name],
    encryptor: (key) => new NativeCipher(libcrypto, leaked, id, name, key, 1),
    decryptor: (key) => new NativeCipher(libcrypto, leaked, id, name, key, 0),
  };
}

class NativeCipher implements KeyedCipher {
  readonly #libcrypto: Libcrypto;
  readonly #leaked: FinalizationRegistry<number>;
  readonly #ivSize: number;
  readonly #blockSize: number;
  readonly #encrypt: 0 | 1;
  #context: number;

  constructor(
    libcrypto: Libcrypto,
    leaked: FinalizationRegistry<number>,
    id: number,
    name: CipherName,
    key: Uint8Array,
    encrypt: 0 | 1,
  ) {
    const { keySize, ivSize, blockSize } = sizes[name];
    checkSize(key, keySize, `${name} key`);
    this.#libcrypto = libcrypto;
    this.#leaked = leaked;
    this.#ivSize = ivSize;
    this.#blockSize = blockSize;
    this.#encrypt = encrypt;
    const { call, scratch } = libcrypto;
    const context = call.EVP_CIPHER_CTX_new();
    scratch.put(key, slots.key);
    const ready =
      context !== 0 &&
      call.EVP_CipherInit_ex(context, id, 0, scratch.address + slots.key, 0, encrypt) === 1 &&
      call.EVP_CIPHER_CTX_set_padding(context, 0) === 1;
    scratch.bytes.fill(0, slots.key, slots.key + keySize);
    if (!ready) {
      call.EVP_CIPHER_CTX_free(context);
      call.ERR_clear_error();
      throw new Error(`OpenSSL refuses a key of ${name}`);
    }
    this.#context = context;
    leaked.register(this, context, this);
  }

  apply(bytes: Uint8Array, at: number, size: number, iv: Uint8Array): void {
    const context = this.#context;
    checkAlive(context);
    checkRange(bytes, at, size, 0);
    checkSize(iv, this.#ivSize, "initialization vector");
    checkBlocks(size, this.#blockSize);
    if (size === 0) return;
    const { call, memory, scratch } = this.#libcrypto;
    scratch.put(iv, slots.nonce);
    const data = memory.addressOf(bytes) + at;
    // ECB has no state to begin afresh from.
    const applied =
      (iv.length === 0 ||
        call.EVP_CipherInit_ex(context, 0, 0, 0, scratch.address + slots.nonce, this.#encrypt) === 1) &&
      call.EVP_CipherUpdate(context, data, scratch.address + slots.outSize, data, size) === 1;
    if (!applied) {
      bytes.fill(0, at, at + size);
      call.ERR_clear_error();
      throw new Error("OpenSSL could not encrypt");
    }
  }

  destroy(): void {
    if (this.#context === 0) return;
    this.#leaked.unregister(this);
    this.#libcrypto.call.EVP_CIPHER_CTX_free(this.#context);
    this.#context = 0;
  }
}
