import { concat } from "../../../bytes/index.js";
import type { Hash, Hashing } from "../../../contract/index.js";
import { frame, handshakeType } from "../messages/handshake.js";

/**
 * The handshake's messages, hashed (RFC 9846 §4.1). Until the suite is known, and with it the hash, the messages
 * themselves are kept; a binder may ask for another hash than the suite's in the meantime.
 */
export class Transcript {
  #kept: Uint8Array[] = [];
  #keeping = true;
  #hashing: Hashing | undefined;
  #hash: Hash | undefined;

  add(message: Uint8Array): void {
    if (this.#keeping) this.#kept.push(message.slice());
    this.#hashing?.update(message);
  }

  /** The hash is known from here on. With `keep` the messages are kept as well: 1.2 signs them with another hash. */
  start(hash: Hash, keep = false): void {
    this.#hash = hash;
    this.#hashing = hash.start();
    for (const message of this.#kept) this.#hashing.update(message);
    this.#keeping = keep;
    if (!keep) this.#kept = [];
  }

  get started(): boolean {
    return this.#hash !== undefined;
  }

  /** Hash of all so far, or of all and a piece more. */
  digest(more?: Uint8Array): Uint8Array {
    if (this.#hashing === undefined) throw new TypeError("the transcript has no hash yet");
    return more === undefined ? this.#hashing.digest() : this.#hashing.clone().update(more).digest();
  }

  /** Before `start`: a digest under any hash, of all so far and a piece more. */
  digestWith(hash: Hash, more: Uint8Array): Uint8Array {
    if (this.#hash?.name === hash.name) return this.digest(more);
    return hash.digest(...this.#kept, more);
  }

  /** After a HelloRetryRequest the first ClientHello stands there by its hash alone: message_hash, §4.1. */
  fold(hash: Hash): void {
    const digest = hash.digest(...this.#kept);
    this.restart(digest);
  }

  /** As `fold`, for a server that kept no more than the hash, in a cookie. */
  restart(helloHash: Uint8Array): void {
    this.#kept = [frame(handshakeType.messageHash, helloHash)];
    this.#keeping = true;
    this.#hash = undefined;
    this.#hashing = undefined;
  }

  /** All messages as they were; only while they are kept. */
  messages(): Uint8Array {
    return concat(...this.#kept);
  }

  stopKeeping(): void {
    this.#keeping = false;
    this.#kept = [];
  }

  /** An independent copy, for authentication after the handshake. */
  clone(): Transcript {
    const copy = new Transcript();
    copy.#hash = this.#hash;
    copy.#hashing = this.#hashing?.clone();
    copy.#keeping = this.#keeping;
    copy.#kept = [...this.#kept];
    return copy;
  }
}
