import { Ranges } from "../../../mechanisms/ranges.js";
import { Held, type Holder } from "../contents.js";
import { refuse } from "../failure.js";
import { limits } from "../limits.js";
import { cryptoHeadSize, putCryptoHead } from "../wire/frame-writers.js";

const none = new Uint8Array(0);

/** Our handshake messages of one level, until they are acknowledged (RFC 9000 §19.6). */
export class CryptoSender {
  /** From offset `#base` on: what lies before has been acknowledged. */
  #bytes: Uint8Array = none;
  #base = 0;
  #size = 0;
  /** What has been sent up to here, but for what is lost. */
  #next = 0;
  readonly #lost = new Ranges(64);
  readonly #acknowledged = new Ranges(64);

  push(bytes: Uint8Array): void {
    const size = this.#size + bytes.length;
    if (size > limits.cryptoSendMax)
      refuse("internal-error", "CRYPTO", "more handshake messages than a peer will take");
    if (size - this.#base > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.length, size - this.#base));
      larger.set(this.#bytes.subarray(0, this.#size - this.#base));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#size - this.#base);
    this.#size = size;
  }

  get wants(): boolean {
    return this.#next < this.#size || this.#lost.count > 0;
  }

  /** Has anything ever been given to it? */
  get isUsed(): boolean {
    return this.#size > 0;
  }

  /** Writes CRYPTO frames between `at` and `end`, and answers where the next frame goes. */
  fill(into: Uint8Array, at: number, end: number, holder: Holder): number {
    let to = at;
    while (this.wants) {
      const isNew = this.#lost.count === 0;
      const from = isNew ? this.#next : this.#lost.least;
      const room = end - to - cryptoHeadSize(from, end - to);
      if (room < 1) break;
      let until: number;
      if (isNew) until = this.#next = Math.min(this.#size, from + room);
      else {
        this.#lost.shift(room);
        until = this.#lost.outTo;
      }
      to = putCryptoHead(into, to, from, until - from);
      into.set(this.#bytes.subarray(from - this.#base, until - this.#base), to);
      to += until - from;
      holder.hold(Held.crypto, 0, from, until);
    }
    return to;
  }

  acknowledged(from: number, to: number): void {
    this.#acknowledged.add(from, to);
    this.#lost.remove(from, to);
    if (this.#acknowledged.covers(this.#base, this.#size)) {
      this.#bytes = none;
      this.#base = this.#size;
    }
  }

  lost(from: number, to: number): void {
    this.#lost.add(Math.max(from, this.#base), to);
    for (let i = 0; i < this.#acknowledged.count; i++) {
      this.#lost.remove(this.#acknowledged.from(i), this.#acknowledged.to(i));
    }
  }
}

/** The peer's handshake messages of one level, put in order. */
export class CryptoReceiver {
  /** Bytes that have been handed on. */
  #at = 0;
  #ahead: Uint8Array = none;
  readonly #have = new Ranges(64);

  /** Has the peer left a gap, or is there a message that waits for its rest? */
  get hasGap(): boolean {
    return this.#have.count > 0;
  }

  /** Hands on what is next in order, perhaps nothing. What is behind a gap waits, within a bound. */
  receive(offset: number, bytes: Uint8Array, deliver: (bytes: Uint8Array) => void): void {
    const end = offset + bytes.length;
    if (end <= this.#at) return;
    if (offset <= this.#at && this.#have.count === 0) {
      const fresh = bytes.subarray(this.#at - offset);
      this.#at = end;
      deliver(fresh);
      return;
    }
    if (end - this.#at > limits.cryptoBufferMax) {
      refuse("crypto-buffer", "CRYPTO", `handshake bytes ${end - this.#at} ahead of what is here`);
    }
    this.#keep(Math.max(offset, this.#at), bytes.subarray(Math.max(0, this.#at - offset)));
    if (this.#have.least > this.#at) return;
    const whole = this.#ahead.slice(0, this.#have.to(0) - this.#at);
    this.#ahead.copyWithin(0, whole.length);
    this.#at += whole.length;
    this.#have.remove(0, this.#at);
    if (this.#have.count === 0) this.#ahead = none;
    deliver(whole);
  }

  #keep(offset: number, bytes: Uint8Array): void {
    const at = offset - this.#at;
    const size = at + bytes.length;
    if (size > this.#ahead.length) {
      const larger = new Uint8Array(Math.min(limits.cryptoBufferMax, Math.max(4_096, 2 * size)));
      larger.set(this.#ahead);
      this.#ahead = larger;
    }
    this.#ahead.set(bytes, at);
    this.#have.add(offset, offset + bytes.length);
  }
}
