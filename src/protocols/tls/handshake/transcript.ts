import { concat, Writer } from "../../../bytes/index.js";
import type { Hash, Hashing } from "../../../contract/index.js";
import { frame, handshakeType, headerSize } from "../messages/handshake.js";

/**
 * The handshake's messages, hashed (RFC 9846 §4.1). Until the suite is known, and with it the hash, the messages
 * themselves are kept; a binder may ask for another hash than the suite's in the meantime.
 */
export class Transcript {
  #kept: Uint8Array[] = [];
  #keeping = true;
  #hashing: Hashing | undefined;
  #hash: Hash | undefined;
  /** Numbers of the messages kept, and of the next of either side: DTLS counts each side's from 0. */
  #numbers: number[] = [];
  #next: { ours: number; theirs: number };
  #sequenced = false;

  /** `first` is 1 behind a HelloVerifyRequest, which with the hello before it is no part of this (RFC 6347 §4.2.1). */
  constructor(first: 0 | 1 = 0) {
    this.#next = { ours: first, theirs: first };
  }

  add(message: Uint8Array, whose: "ours" | "theirs" = "theirs"): void {
    const number = this.#next[whose]++;
    const counted = this.#sequenced ? sequenced(message, number) : message;
    if (this.#keeping) {
      this.#kept.push(counted.slice());
      this.#numbers.push(number);
    }
    this.#hashing?.update(counted);
  }

  /**
   * The hash is known from here on. With `keep` the messages are kept as well: 1.2 signs them with another hash. With
   * `count` they are hashed with DTLS 1.2's header, which has their numbers (RFC 6347 §4.2.6).
   */
  start(hash: Hash, keep = false, count = false): void {
    this.#hash = hash;
    if (count) this.#kept = this.#kept.map((message, i) => sequenced(message, this.#numbers[i]!));
    this.#sequenced = count;
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
    this.#numbers = [0];
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
    copy.#numbers = [...this.#numbers];
    copy.#next = { ...this.#next };
    copy.#sequenced = this.#sequenced;
    return copy;
  }
}

/** A message with DTLS's header of one whole fragment: type, length, message_seq, offset 0, length again. */
function sequenced(message: Uint8Array, number: number): Uint8Array {
  const type = message[0]!;
  const size = message.length - headerSize;
  return new Writer(message.length + 8)
    .u8(type)
    .u24(size)
    .u16(number)
    .u24(0)
    .u24(size)
    .put(message.subarray(headerSize))
    .take();
}
