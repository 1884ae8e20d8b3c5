import { blake2s } from "@noble/hashes/blake2.js";
import { hmac } from "@noble/hashes/hmac.js";
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha224, sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import type { CHash, Hash as NobleHash } from "@noble/hashes/utils.js";
import type { Hash, Hashing, HashName, Mac } from "../../contract/crypto.js";
import { hashes as sizes } from "../algorithms.js";
import { checkAlive, checkRange } from "../checks.js";

const functions: Readonly<Record<HashName, CHash>> = {
  MD5: md5,
  "SHA-1": sha1,
  "SHA-224": sha224,
  "SHA-256": sha256,
  "SHA-384": sha384,
  "SHA-512": sha512,
  "BLAKE2s-256": blake2s as CHash,
};

export function hash(name: HashName): Hash {
  const make = functions[name];
  return {
    name,
    ...sizes[name],
    digest(...parts) {
      const running = make.create();
      for (const part of parts) running.update(part);
      return running.digest();
    },
    start: () => new RunningHash(make.create()),
    hmac: (key) => new Hmac(hmac.create(make, key)),
  };
}

class RunningHash implements Hashing {
  readonly #hash: NobleHash<unknown>;

  constructor(hash: NobleHash<unknown>) {
    this.#hash = hash;
  }

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return copyOf(this.#hash).digest();
  }

  clone(): Hashing {
    return new RunningHash(copyOf(this.#hash));
  }
}

/** The state after both padded keys have been hashed is kept; every message starts from a copy of it. */
class Hmac implements Mac {
  readonly size: number;
  #start: NobleHash<unknown> | undefined;

  constructor(start: NobleHash<unknown>) {
    this.#start = start;
    this.size = start.outputLen;
  }

  compute(...parts: readonly Uint8Array[]): Uint8Array {
    checkAlive(this.#start);
    const running = copyOf(this.#start);
    for (const part of parts) running.update(part);
    return running.digest();
  }

  computeInto(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number, suffix?: Uint8Array): void {
    checkRange(into, at, 0, this.size);
    checkRange(bytes, start, end - start, 0);
    const part = bytes.subarray(start, end);
    into.set(suffix === undefined ? this.compute(part) : this.compute(part, suffix), at);
  }

  destroy(): void {
    this.#start?.destroy();
    this.#start = undefined;
  }
}

const copyOf = (hash: NobleHash<unknown>): NobleHash<unknown> => hash._cloneInto() as NobleHash<unknown>;
