import { Ranges } from "../../../mechanisms/ranges.js";
import { Reassembly } from "../../../mechanisms/streams/reassembly.js";
import { Held, type Holder } from "../contents.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { messageSize } from "../messages/message.js";
import { cryptoHeadSize, putCryptoHead, putStreamHead, streamHeadSize } from "../wire/frame-writers.js";
import type { Level } from "../wire/header.js";

/** The stream of the handshake, in versions without CRYPTO frames. */
export const cryptoStreamId = 1;

interface Outgoing {
  readonly level: Level;
  /** Where it stands in the stream: of the whole handshake, or in CRYPTO frames of its level. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** What is to be sent, first or again. */
  readonly pending: Ranges;
  readonly acked: Ranges;
}

const rangesMax = 64;

/** Handshake messages on their way: each stays at its level, however often it is sent (QUIC Crypto, "Retransmission"). */
export class CryptoSender {
  readonly #cryptoFrames: boolean;
  readonly #messages: Outgoing[] = [];
  readonly #ends = [0, 0, 0];

  constructor(cryptoFrames: boolean) {
    this.#cryptoFrames = cryptoFrames;
  }

  push(level: Level, bytes: Uint8Array): void {
    const place = this.#cryptoFrames ? level : 0;
    const pending = new Ranges(rangesMax);
    pending.add(0, bytes.length);
    this.#messages.push({ level, offset: this.#ends[place]!, bytes, pending, acked: new Ranges(rangesMax) });
    this.#ends[place]! += bytes.length;
  }

  /** The lowest level that has something to send. */
  get level(): Level | undefined {
    let lowest: Level | undefined;
    for (const { level, pending } of this.#messages) {
      if (pending.count > 0 && (lowest === undefined || level < lowest)) lowest = level;
    }
    return lowest;
  }

  /** Writes what a level has to send, and answers where it ends. */
  fill(level: Level, into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    for (const [index, message] of this.#messages.entries()) {
      if (message.level !== level) continue;
      const { pending, bytes } = message;
      while (pending.count > 0) {
        const from = pending.least;
        const offset = message.offset + from;
        const wanted = pending.to(0) - from;
        const head = this.#cryptoFrames ? cryptoHeadSize(offset, wanted) : streamHeadSize(cryptoStreamId, offset);
        const size = Math.min(wanted, end - to - head);
        if (size <= 0) return to;
        to = this.#cryptoFrames
          ? putCryptoHead(into, to, offset, size)
          : putStreamHead(into, to, cryptoStreamId, offset, size, false);
        into.set(bytes.subarray(from, from + size), to);
        to += size;
        pending.shift(size);
        holder.hold(Held.crypto, index, from, from + size);
      }
    }
    return to;
  }

  acknowledged(index: number, from: number, to: number): void {
    const message = this.#messages[index];
    if (message === undefined) return;
    message.acked.add(from, to);
    message.pending.remove(from, to);
  }

  lost(index: number, from: number, to: number): void {
    const message = this.#messages[index];
    if (message === undefined) return;
    message.pending.add(from, to);
    const { acked, pending } = message;
    for (let i = 0; i < acked.count; i++) pending.remove(acked.from(i), acked.to(i));
  }

  /** The peer has answered: it has all of this. */
  answered(): void {
    for (const message of this.#messages) {
      message.pending.clear();
      message.acked.add(0, message.bytes.length);
    }
  }
}

/** Handshake bytes that come, put in order and cut into messages. */
export class CryptoReceiver {
  readonly #waiting = new Reassembly();
  #readAt = 0;
  #parts = new Uint8Array(0);

  receive(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    if (end <= this.#readAt || bytes.length === 0) return;
    if (end > this.#readAt + limits.cryptoBufferMax) refuse("malformed-message", "handshake", "too far ahead");
    const from = Math.max(offset, this.#readAt);
    if (!this.#waiting.store(from, bytes.subarray(from - offset))) {
      refuse("malformed-message", "handshake", "too many gaps");
    }
  }

  /** The next whole message, in memory of its own. */
  next(): Uint8Array | undefined {
    for (let part = this.#waiting.take(this.#readAt); part !== undefined; part = this.#waiting.take(this.#readAt)) {
      this.#readAt += part.length;
      const joined = new Uint8Array(this.#parts.length + part.length);
      joined.set(this.#parts);
      joined.set(part, this.#parts.length);
      this.#parts = joined;
    }
    const size = messageSize(this.#parts);
    if (size === undefined || this.#parts.length < size) return undefined;
    const message = this.#parts.slice(0, size);
    this.#parts = this.#parts.slice(size);
    return message;
  }
}

/** One for all levels, or one a level. */
export function newReceivers(cryptoFrames: boolean): readonly [CryptoReceiver, CryptoReceiver, CryptoReceiver] {
  const first = new CryptoReceiver();
  if (!cryptoFrames) return [first, first, first];
  return [first, new CryptoReceiver(), new CryptoReceiver()];
}
