import type { Mac } from "../../../contract/index.js";
import { gather, scatter } from "../wire/cryptex.js";
import { indexSize, putU32, rtcpLayout, rtpLayout, u32 } from "../wire/layout.js";
import type { Keystream } from "./keystreams.js";
import { encryptedFlag, putMki, type RtcpTransform, type RtpTransform } from "./transform.js";

const digestSize = 20;

/** HMAC-SHA1 with its tag cut short (RFC 3711 §4.2.1). */
class Authenticator {
  readonly tagSize: number;
  readonly #mac: Mac;
  readonly #tag = new Uint8Array(digestSize);

  constructor(mac: Mac, tagSize: number) {
    this.#mac = mac;
    this.tagSize = tagSize;
  }

  sign(bytes: Uint8Array, at: number, end: number, into: number, suffix?: Uint8Array): number {
    const tag = this.#tag;
    this.#mac.computeInto(tag, 0, bytes, at, end, suffix);
    for (let i = 0; i < this.tagSize; i++) bytes[into + i] = tag[i]!;
    return into + this.tagSize;
  }

  /** In constant time. */
  verify(bytes: Uint8Array, at: number, end: number, tagAt: number, suffix?: Uint8Array): boolean {
    const tag = this.#tag;
    this.#mac.computeInto(tag, 0, bytes, at, end, suffix);
    let difference = 0;
    for (let i = 0; i < this.tagSize; i++) difference |= tag[i]! ^ bytes[tagAt + i]!;
    return difference === 0;
  }

  destroy(): void {
    this.#mac.destroy();
    this.#tag.fill(0);
  }
}

/** `header | encrypted payload | MKI | tag`; the tag covers header, payload and ROC (RFC 3711 §3.1, §4.2). */
export class HmacRtp implements RtpTransform {
  readonly #keystream: Keystream;
  readonly #authenticator: Authenticator;
  readonly #mki: Uint8Array;
  readonly #rollover = new Uint8Array(4);

  constructor(keystream: Keystream, mac: Mac, tagSize: number, mki: Uint8Array) {
    this.#keystream = keystream;
    this.#authenticator = new Authenticator(mac, tagSize);
    this.#mki = mki;
  }

  seal(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): number {
    this.#crypt(bytes, at, body, end, index, cryptex);
    putU32(this.#rollover, 0, Math.floor(index / 0x1_0000));
    return this.#authenticator.sign(bytes, at, end, putMki(bytes, end, this.#mki), this.#rollover);
  }

  open(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): number {
    const tagAt = end - this.#authenticator.tagSize;
    const plainEnd = tagAt - this.#mki.length;
    putU32(this.#rollover, 0, Math.floor(index / 0x1_0000));
    if (!this.#authenticator.verify(bytes, at, plainEnd, tagAt, this.#rollover)) return -1;
    this.#crypt(bytes, at, body, plainEnd, index, cryptex);
    return plainEnd;
  }

  #crypt(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): void {
    if (cryptex) gather(bytes, at);
    if (body < end) this.#keystream.apply(bytes, at, body, end - body, u32(bytes, at + rtpLayout.ssrc), index);
    if (cryptex) scatter(bytes, at);
  }

  destroy(): void {
    this.#keystream.destroy();
    this.#authenticator.destroy();
  }
}

/** `header, SSRC | encrypted rest | E, index | MKI | tag`; the tag covers all before the MKI (RFC 3711 §3.4). */
export class HmacRtcp implements RtcpTransform {
  readonly #keystream: Keystream;
  readonly #authenticator: Authenticator;
  readonly #mki: Uint8Array;

  constructor(keystream: Keystream, mac: Mac, tagSize: number, mki: Uint8Array) {
    this.#keystream = keystream;
    this.#authenticator = new Authenticator(mac, tagSize);
    this.#mki = mki;
  }

  seal(bytes: Uint8Array, at: number, end: number, word: number): number {
    this.#crypt(bytes, at, end, word);
    putU32(bytes, end, word);
    const covered = end + indexSize;
    return this.#authenticator.sign(bytes, at, covered, putMki(bytes, covered, this.#mki));
  }

  open(bytes: Uint8Array, at: number, end: number, word: number): number {
    const tagAt = end - this.#authenticator.tagSize;
    const covered = tagAt - this.#mki.length;
    if (!this.#authenticator.verify(bytes, at, covered, tagAt)) return -1;
    const plainEnd = covered - indexSize;
    this.#crypt(bytes, at, plainEnd, word);
    return plainEnd;
  }

  #crypt(bytes: Uint8Array, at: number, end: number, word: number): void {
    const body = at + rtcpLayout.headerSize;
    if (word < encryptedFlag || body >= end) return;
    this.#keystream.apply(bytes, at, body, end - body, u32(bytes, at + rtcpLayout.ssrc), word - encryptedFlag);
  }

  destroy(): void {
    this.#keystream.destroy();
    this.#authenticator.destroy();
  }
}
