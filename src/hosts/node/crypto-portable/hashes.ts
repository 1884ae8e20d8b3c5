import { createHash, createHmac, createSecretKey, type KeyObject, type Hash as NodeHash } from "node:crypto";
import type { Hash, Hashing, HashName, Mac } from "../../../contract/crypto.js";
import { hashes as sizes } from "../../../crypto/algorithms.js";
import { checkAlive, checkRange } from "../../../crypto/checks.js";
import { plain } from "./memory.js";

const opensslNames: Readonly<Record<HashName, string>> = {
  MD5: "md5",
  "SHA-1": "sha1",
  "SHA-224": "sha224",
  "SHA-256": "sha256",
  "SHA-384": "sha384",
  "SHA-512": "sha512",
  "BLAKE2s-256": "blake2s256",
};

export const opensslHash = (name: HashName): string => opensslNames[name];

/** Undefined where the platform lacks the hash, as OpenSSL in FIPS mode lacks MD5. */
export function hash(name: HashName): Hash | undefined {
  const id = opensslNames[name];
  try {
    createHash(id);
  } catch {
    return undefined;
  }
  return {
    name,
    ...sizes[name],
    digest(...parts) {
      const running = createHash(id);
      for (const part of parts) running.update(part);
      return plain(running.digest());
    },
    start: () => new RunningHash(createHash(id)),
    hmac: (key) => new Hmac(id, sizes[name].size, key),
  };
}

class RunningHash implements Hashing {
  readonly #hash: NodeHash;

  constructor(hash: NodeHash) {
    this.#hash = hash;
  }

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  digest(): Uint8Array {
    return plain(this.#hash.copy().digest());
  }

  clone(): Hashing {
    return new RunningHash(this.#hash.copy());
  }
}

class Hmac implements Mac {
  readonly size: number;
  readonly #id: string;
  #key: KeyObject | undefined;

  constructor(id: string, size: number, key: Uint8Array) {
    this.#id = id;
    this.size = size;
    this.#key = createSecretKey(key);
  }

  compute(...parts: readonly Uint8Array[]): Uint8Array {
    checkAlive(this.#key);
    const running = createHmac(this.#id, this.#key);
    for (const part of parts) running.update(part);
    return plain(running.digest());
  }

  computeInto(into: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number, suffix?: Uint8Array): void {
    checkRange(into, at, 0, this.size);
    checkRange(bytes, start, end - start, 0);
    const part = bytes.subarray(start, end);
    into.set(suffix === undefined ? this.compute(part) : this.compute(part, suffix), at);
  }

  destroy(): void {
    this.#key = undefined;
  }
}
