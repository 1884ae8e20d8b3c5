import type { Hash, Hashing, HashName, Mac } from "../../../contract/crypto.js";
import { checkAlive, checkRange } from "../../../crypto/checks.js";
import { type Libcrypto, slots } from "./libcrypto.js";

/**
 * Digests and HMACs. A running digest keeps what it was given and hashes that anew each time it is asked, since what is hashed in
 * pieces are transcripts: short, asked for a few times, and no context has to be freed. One that grows long goes on in
 * node:crypto, which frees its memory itself.
 */
export function hash(libcrypto: Libcrypto, portable: Hash): Hash | undefined {
  const id = libcrypto.fetchDigest(opensslNames[portable.name]);
  const engine = id === 0 ? undefined : HmacEngine.open(libcrypto, id);
  if (!engine) return undefined;
  const { call, memory, scratch } = libcrypto;
  const { name, size, blockSize } = portable;
  const message = scratch.address + slots.message;
  const tag = scratch.address + slots.tag;
  /** The digest of what lies there, in memory of its own; undefined if OpenSSL has none. */
  const digestAt = (address: number, length: number): Uint8Array | undefined =>
    call.EVP_Digest(address, length, tag, 0, id, 0) === 1
      ? scratch.bytes.slice(slots.tag, slots.tag + size)
      : undefined;
  const digestOf = (bytes: Uint8Array, length: number): Uint8Array =>
    (length === 0 ? undefined : digestAt(memory.addressOf(bytes), length)) ??
    portable.digest(bytes.subarray(0, length));
  return {
    name,
    size,
    blockSize,
    digest(...parts) {
      const length = scratch.gather(parts, slots.message, slots.messageSizeMax);
      if (length !== undefined) return digestAt(message, length) ?? portable.digest(...parts);
      return parts.length === 1 ? digestOf(parts[0]!, parts[0]!.length) : portable.digest(...parts);
    },
    start: () => new NativeHashing(digestOf, () => portable.start()),
    hmac: (key) => new NativeMac(engine, key.length > blockSize ? portable.digest(key) : key, size, blockSize),
  };
}

/** Bytes of a running digest that are kept, and what the first of them take. */
const keptMax = 16_384;
const keptAtFirst = 2_048;

class NativeHashing implements Hashing {
  readonly #digestOf: (bytes: Uint8Array, length: number) => Uint8Array;
  readonly #long: () => Hashing;
  #kept: Uint8Array;
  #size = 0;
  /** Once it is too long to be kept. */
  #running: Hashing | undefined;

  constructor(
    digestOf: (bytes: Uint8Array, length: number) => Uint8Array,
    long: () => Hashing,
    kept = new Uint8Array(keptAtFirst),
  ) {
    this.#digestOf = digestOf;
    this.#long = long;
    this.#kept = kept;
  }

  update(bytes: Uint8Array): this {
    const size = this.#size + bytes.length;
    if (this.#running === undefined && size <= keptMax) {
      if (size > this.#kept.length) {
        const larger = new Uint8Array(Math.min(keptMax, Math.max(size, 2 * this.#kept.length)));
        larger.set(this.#kept.subarray(0, this.#size));
        this.#kept = larger;
      }
      this.#kept.set(bytes, this.#size);
      this.#size = size;
      return this;
    }
    this.#running ??= this.#long().update(this.#kept.subarray(0, this.#size));
    this.#running.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return this.#running?.digest() ?? this.#digestOf(this.#kept, this.#size);
  }

  clone(): Hashing {
    if (this.#running !== undefined) return this.#running.clone();
    const copy = new NativeHashing(this.#digestOf, this.#long, this.#kept.slice());
    copy.#size = this.#size;
    return copy;
  }
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
    if (this.#keyedBy === mac) {
      this.#must(this.libcrypto.call.HMAC_Init_ex(this.#context, 0, 0, 0, 0));
    } else {
      this.#key(key);
      this.#keyedBy = mac;
    }
  }

  /** Short parts in one call. */
  updateAll(parts: readonly Uint8Array[]): void {
    const { call, scratch } = this.libcrypto;
    const size = scratch.gather(parts, slots.message, slots.messageSizeMax);
    if (size === undefined) for (const part of parts) this.update(part, 0, part.length);
    else this.#must(call.HMAC_Update(this.#context, scratch.address + slots.message, size));
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
    if (this.#keyedBy === mac) this.#key(blank);
  }

  /** Keys fit into their slot, and do not stay there. */
  #key(key: Uint8Array): void {
    this.#keyedBy = undefined;
    const { call, scratch } = this.libcrypto;
    scratch.put(key, slots.key);
    const keyed = call.HMAC_Init_ex(this.#context, scratch.address + slots.key, key.length, this.#id, 0);
    scratch.bytes.fill(0, slots.key, slots.key + key.length);
    this.#must(keyed);
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
    this.#engine.updateAll(parts);
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
