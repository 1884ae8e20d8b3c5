import type { Aead, Opener, Sealer } from "../../../contract/index.js";
import { keptHeaderSizeMax } from "../limits.js";
import { gather, scatter } from "../wire/cryptex.js";
import { indexSize, putU32, rtcpLayout, rtpLayout, u32 } from "../wire/layout.js";
import { encryptedFlag, putMki, type RtcpTransform, type RtpTransform } from "./transform.js";

const nonceSize = 12;

/** Associated data in memory of its own, with a view for every size that a header has: no view is made for a packet. */
class AssociatedData {
  readonly #bytes = new Uint8Array(keptHeaderSizeMax);
  readonly #views: (Uint8Array | undefined)[] = [];

  /** The view for so many bytes, to be filled. */
  room(size: number): Uint8Array {
    if (size > keptHeaderSizeMax) return new Uint8Array(size);
    return (this.#views[size] ??= this.#bytes.subarray(0, size));
  }

  of(bytes: Uint8Array, at: number, size: number): Uint8Array {
    const view = this.room(size);
    for (let i = 0; i < size; i++) view[i] = bytes[at + i]!;
    return view;
  }
}

/** A key of either direction: who seals never opens, so the other half is made when it is first wanted. */
class GcmKey {
  readonly associated = new AssociatedData();
  readonly nonce = new Uint8Array(nonceSize);
  readonly #aead: Aead;
  readonly #key: Uint8Array;
  readonly #salt: Uint8Array;
  #sealer: Sealer | undefined;
  #opener: Opener | undefined;

  constructor(aead: Aead, key: Uint8Array, salt: Uint8Array) {
    this.#aead = aead;
    this.#key = key;
    this.#salt = salt;
  }

  get sealer(): Sealer {
    return (this.#sealer ??= this.#aead.sealer(this.#key));
  }

  get opener(): Opener {
    return (this.#opener ??= this.#aead.opener(this.#key));
  }

  get tagSize(): number {
    return this.#aead.tagSize;
  }

  /** Zeros, SSRC, ROC and SEQ, or zeros, SSRC, zeros and SRTCP index; XOR salt (RFC 7714 §8.1, §9.1). */
  setNonce(ssrc: number, index: number): Uint8Array {
    const { nonce } = this;
    const high = Math.floor(index / 0x1_0000_0000);
    nonce[0] = nonce[1] = 0;
    putU32(nonce, 2, ssrc);
    nonce[6] = high >>> 8;
    nonce[7] = high;
    putU32(nonce, 8, index | 0);
    for (let i = 0; i < nonceSize; i++) nonce[i]! ^= this.#salt[i]!;
    return nonce;
  }

  destroy(): void {
    this.#sealer?.destroy();
    this.#opener?.destroy();
    this.#key.fill(0);
    this.#salt.fill(0);
  }
}

/** `header | cipher, tag | MKI`: the header is associated data (RFC 7714 §8.2). */
export class GcmRtp implements RtpTransform {
  readonly #key: GcmKey;
  readonly #mki: Uint8Array;

  constructor(aead: Aead, key: Uint8Array, salt: Uint8Array, mki: Uint8Array) {
    this.#key = new GcmKey(aead, key, salt);
    this.#mki = mki;
  }

  seal(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): number {
    const key = this.#key;
    if (cryptex) gather(bytes, at);
    const nonce = key.setNonce(u32(bytes, at + rtpLayout.ssrc), index);
    key.sealer.seal(bytes, body, end - body, nonce, key.associated.of(bytes, at, body - at));
    if (cryptex) scatter(bytes, at);
    return putMki(bytes, end + key.tagSize, this.#mki);
  }

  open(bytes: Uint8Array, at: number, body: number, end: number, index: number, cryptex: boolean): number {
    const key = this.#key;
    const sealedEnd = end - this.#mki.length;
    if (cryptex) gather(bytes, at);
    const nonce = key.setNonce(u32(bytes, at + rtpLayout.ssrc), index);
    const open = key.opener.open(bytes, body, sealedEnd - body, nonce, key.associated.of(bytes, at, body - at));
    if (cryptex) scatter(bytes, at);
    return open ? sealedEnd - key.tagSize : -1;
  }

  destroy(): void {
    this.#key.destroy();
  }
}

/**
 * `header, SSRC | cipher, tag | E, index | MKI`: header and word are associated data (RFC 7714 §9.2); of an unencrypted
 * packet all of it is (§9.3).
 */
export class GcmRtcp implements RtcpTransform {
  readonly #key: GcmKey;
  readonly #mki: Uint8Array;

  constructor(aead: Aead, key: Uint8Array, salt: Uint8Array, mki: Uint8Array) {
    this.#key = new GcmKey(aead, key, salt);
    this.#mki = mki;
  }

  seal(bytes: Uint8Array, at: number, end: number, word: number): number {
    const key = this.#key;
    const body = word < encryptedFlag ? end : at + rtcpLayout.headerSize;
    const nonce = key.setNonce(u32(bytes, at + rtcpLayout.ssrc), word % encryptedFlag);
    key.sealer.seal(bytes, body, end - body, nonce, this.#associated(bytes, at, body, word));
    const wordAt = end + key.tagSize;
    putU32(bytes, wordAt, word);
    return putMki(bytes, wordAt + indexSize, this.#mki);
  }

  open(bytes: Uint8Array, at: number, end: number, word: number): number {
    const key = this.#key;
    const wordAt = end - this.#mki.length - indexSize;
    const plainEnd = wordAt - key.tagSize;
    const body = word < encryptedFlag ? plainEnd : at + rtcpLayout.headerSize;
    const nonce = key.setNonce(u32(bytes, at + rtcpLayout.ssrc), word % encryptedFlag);
    const open = key.opener.open(bytes, body, wordAt - body, nonce, this.#associated(bytes, at, body, word));
    return open ? plainEnd : -1;
  }

  #associated(bytes: Uint8Array, at: number, body: number, word: number): Uint8Array {
    const size = body - at;
    const view = this.#key.associated.room(size + indexSize);
    for (let i = 0; i < size; i++) view[i] = bytes[at + i]!;
    putU32(view, size, word);
    return view;
  }

  destroy(): void {
    this.#key.destroy();
  }
}
