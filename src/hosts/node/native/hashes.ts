import type { Hash, HashName, Mac } from "../../../contract/crypto.js";
import { checkAlive, checkRange } from "../../../crypto/checks.js";
import { type Libcrypto, slots } from "./libcrypto.js";

/** One digest of one piece, and HMACs; a running digest stays with node:crypto, which frees its memory itself. */
export function hash(libcrypto: Libcrypto, portable: Hash): Hash | undefined {
  const id = libcrypto.fetchDigest(opensslNames[portable.name]);
  const engine = id === 0 ? undefined : HmacEngine.open(libcrypto, id);
  if (!engine) return undefined;
  const { call, memory, scratch } = libcrypto;
  const { name, size, blockSize } = portable;
  return {
    name,
    size,
    blockSize,
    digest(...parts) {
      const only = parts[0];
      if (parts.length !== 1 || only === undefined || only.length === 0) return portable.digest(...parts);
      const tag = scratch.address + slots.tag;
      if (call.EVP_Digest(memory.addressOf(only), only.length, tag, 0, id, 0) !== 1) return portable.digest(only);
      return scratch.bytes.slice(slots.tag, slots.tag + size);
    },
    start: () => portable.start(),
    hmac: (key) => new NativeMac(engine, key.length > blockSize ? portable.digest(key) : key, size, blockSize),
  };
}

const opensslNames: Readonly<Record<HashName, string>> = {
  MD5: "MD5",
  "SHA-1": "SHA1",
  "SHA-224": "SHA2-224",
  "SHA-256": "SHA2-256",
  "SHA-384": "SHA2-384",
  "SHA-512": "SHA2-512",
  "BLAKE2s-256": "BLAKE2S-256",
};

/**
 * One OpenSSL context a hash, lent to whichever Mac computes: it goes on with the key that it has, or takes that of
 * another Mac in 0.2 µs. So a Mac owns no memory outside JavaScript, and key schedules may make as many as they like.
 */
class HmacEngine {
  readonly libcrypto: Libcrypto;
  readonly #context: number;
  readonly #id: number;
  #keyedBy: NativeMac | undefined;

  static open(libcrypto: Libcrypto, id: number): HmacEngine | undefined {
    const context = libcrypto.call.HMAC_CTX_new();
    return context === 0 ? undefined : new HmacEngine(libcrypto, context, id);
  }

  private constructor(libcrypto: Libcrypto, context: number, id: number) {
    this.libcrypto = libcrypto;
    this.#context = context;
    this.#id = id;
  }

  /** `key` is a whole block, zeros behind: OpenSSL takes an empty key for the one before. */
  start(mac: NativeMac, key: Uint8Array): void {
    const { call, memory } = this.libcrypto;
    if (this.#keyedBy === mac) {
      this.#must(call.HMAC_Init_ex(this.#context, 0, 0, 0, 0));
    } else {
      this.#keyedBy = undefined;
      this.#must(call.HMAC_Init_ex(this.#context, memory.addressOf(key), key.length, this.#id, 0));
      this.#keyedBy = mac;
    }
  }

  update(bytes: Uint8Array, at: number, size: number): void {
    if (size === 0) return;
    this.#must(this.libcrypto.call.HMAC_Update(this.#context, this.libcrypto.memory.addressOf(bytes) + at, size));
  }

  /** The tag lies in the scratch memory. */
  finish(): Uint8Array {
    const { call, scratch } = this.libcrypto;
    this.#must(call.HMAC_Final(this.#context, scratch.address + slots.tag, 0));
    return scratch.bytes;
  }

  /** Takes the key out of the context. */
  forget(mac: NativeMac, blank: Uint8Array): void {
    if (this.#keyedBy !== mac) return;
    this.#keyedBy = undefined;
    const { call, memory } = this.libcrypto;
    this.#must(call.HMAC_Init_ex(this.#context, memory.addressOf(blank), blank.length, this.#id, 0));
  }

  #must(result: number): void {
    if (result === 1) return;
    this.#keyedBy = undefined;
    this.libcrypto.call.ERR_clear_error();
    throw new Error("OpenSSL could not compute an HMAC");
  }
}

class NativeMac implements Mac {
  readonly size: number;
  readonly #engine: HmacEngine;
  readonly #key: Uint8Array;
  #alive = true;

  constructor(engine: HmacEngine, key: Uint8Array, size: number, blockSize: number) {
    this.#engine = engine;
    this.#key = new Uint8Array(blockSize);
    this.#key.set(key);
    this.size = size;
  }

  compute(...parts: readonly Uint8Array[]): Uint8Array {
    checkAlive(this.#alive);
    this.#engine.start(this, this.#key);
    for (const part of parts) this.#engine.update(part, 0, part.length);
    return this.#engine.finish().slice(slots.tag, slots.tag + this.size);
  }

  computeInto(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number, suffix?: Uint8Array): void {
    checkAlive(this.#alive);
    checkRange(into, at, 0, this.size);
    checkRange(bytes, start, end - start, 0);
    this.#engine.start(this, this.#key);
    this.#engine.update(bytes, start, end - start);
    if (suffix !== undefined) this.#engine.update(suffix, 0, suffix.length);
    const tag = this.#engine.finish();
    for (let i = 0; i < this.size; i++) into[at + i] = tag[slots.tag + i]!;
  }

  destroy(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#key.fill(0);
    this.#engine.forget(this, this.#key);
  }
}
