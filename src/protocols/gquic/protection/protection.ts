import { utf8 } from "../../../bytes/index.js";
import type { CryptoProvider, Opener, Sealer } from "../../../contract/index.js";
import { associated } from "../../quic/protection/associated.js";
import { HeaderMask, sampleSize } from "../../quic/protection/header-protection.js";
import { setNonce } from "../../quic/protection/packet-number.js";
import type { HeaderView, Writer } from "../wire/header.js";
import { nonceSize as diversificationSize } from "../wire/header.js";
import type { Version } from "../wire/versions.js";
import { hashPacket, hashSize } from "./fnv.js";
import type { DirectionKeys } from "./keys.js";

/** Protects the packets of one direction at one level. */
export interface Protection {
  /** Bytes that go before the payload, and behind it. */
  readonly before: number;
  readonly behind: number;
  /** Seals what lies between `payload + before` and `end`, behind the header `bytes[at … payload)`. */
  seal(bytes: Uint8Array, at: number, payload: number, end: number, number: number): void;
  /** False if it is not what the peer sealed; then the payload may be of no more use. */
  open(bytes: Uint8Array, at: number, payload: number, end: number, number: number): boolean;
  /** Hides and shows headers; undefined where they are in the clear. */
  readonly mask: HeaderMask | undefined;
  destroy(): void;
}

const words = { client: utf8("Client"), server: utf8("Server") } as const;
const computed = new Uint8Array(hashSize);

/** No keys yet: a hash before the payload, of the packet and of who sent it. */
export class NullProtection implements Protection {
  readonly before = hashSize;
  readonly behind = 0;
  readonly mask = undefined;
  readonly #word: Uint8Array;

  constructor(writer: Writer) {
    this.#word = words[writer];
  }

  seal(bytes: Uint8Array, at: number, payload: number, end: number): void {
    hashPacket(bytes, at, payload, payload + hashSize, end, this.#word, bytes, payload);
  }

  open(bytes: Uint8Array, at: number, payload: number, end: number): boolean {
    if (end - payload < hashSize) return false;
    hashPacket(bytes, at, payload, payload + hashSize, end, this.#word, computed, 0);
    for (let i = 0; i < hashSize; i++) if (bytes[payload + i] !== computed[i]) return false;
    return true;
  }

  destroy(): void {}
}

/** Of the packet in hand. */
const nonce = new Uint8Array(12);

/** AES-128-GCM under one key. The nonce is an IV of four bytes and the number behind it, or, from Q050 on, one of twelve with the number in it. */
export class AeadProtection implements Protection {
  readonly before = 0;
  readonly behind: number;
  readonly mask: HeaderMask | undefined;
  readonly #sealer: Sealer | undefined;
  readonly #opener: Opener | undefined;
  readonly #iv: Uint8Array;

  constructor(
    crypto: CryptoProvider,
    version: Version,
    { key, iv, header }: DirectionKeys,
    direction: "read" | "write",
  ) {
    const aead = crypto.aead(version.tagSize === 16 ? "AES-128-GCM" : "AES-128-GCM-12");
    this.behind = version.tagSize;
    if (direction === "write") this.#sealer = aead.sealer(key.expose());
    else this.#opener = aead.opener(key.expose());
    this.#iv = iv.expose().slice();
    this.mask = header && new HeaderMask(crypto, "AES-128-GCM", header);
  }

  seal(bytes: Uint8Array, at: number, payload: number, end: number, number: number): void {
    this.#setNonce(number);
    this.#sealer!.seal(bytes, payload, end - payload, nonce, associated(bytes, at, payload - at));
  }

  open(bytes: Uint8Array, at: number, payload: number, end: number, number: number): boolean {
    this.#setNonce(number);
    return this.#opener!.open(bytes, payload, end - payload, nonce, associated(bytes, at, payload - at));
  }

  destroy(): void {
    this.#sealer?.destroy();
    this.#opener?.destroy();
    this.mask?.destroy();
    this.#iv.fill(0);
  }

  #setNonce(number: number): void {
    const iv = this.#iv;
    if (iv.length === 12) {
      setNonce(nonce, iv, number);
      return;
    }
    for (let i = 0; i < 4; i++) nonce[i] = iv[i]!;
    let low = number % 0x1_0000_0000;
    let high = (number - low) / 0x1_0000_0000;
    for (let i = 4; i < 8; i++) {
      nonce[i] = low & 255;
      nonce[i + 4] = high & 255;
      low >>>= 8;
      high >>>= 8;
    }
  }
}

/** The sample lies where the payload begins if the number has four bytes: behind a diversification nonce, if there is one. */
const sampleAt = (numberAt: number, hasNonce: boolean): number => numberAt + 4 + (hasNonce ? diversificationSize : 0);

/** Bits of the first byte that are hidden: long headers show their type (RFC 9001 §5.4.1). */
const hiddenBits = (first: number): number => (first >= 0x80 ? 0x0f : 0x1f);

/** Hides the first byte and the number of a sealed packet. */
export function hideHeader(
  mask: HeaderMask,
  bytes: Uint8Array,
  at: number,
  numberAt: number,
  numberSize: number,
  hasNonce: boolean,
): void {
  const hidden = mask.compute(bytes, sampleAt(numberAt, hasNonce));
  bytes[at]! ^= hidden[0]! & hiddenBits(bytes[at]!);
  for (let i = 0; i < numberSize; i++) bytes[numberAt + i]! ^= hidden[1 + i]!;
}

/** Shows them again, in place, and completes the view; false if the packet ends before the sample does. */
export function showHeader(mask: HeaderMask, view: HeaderView, bytes: Uint8Array, at: number): boolean {
  const hasNonce = view.nonceAt >= 0;
  const { numberAt } = view;
  const from = sampleAt(numberAt, hasNonce);
  if (from + sampleSize > view.end) return false;
  const hidden = mask.compute(bytes, from);
  bytes[at]! ^= hidden[0]! & hiddenBits(bytes[at]!);
  view.numberSize = 1 + (bytes[at]! & 3);
  for (let i = 0; i < view.numberSize; i++) bytes[numberAt + i]! ^= hidden[1 + i]!;
  view.payloadAt = numberAt + view.numberSize;
  if (hasNonce) {
    view.nonceAt = view.payloadAt;
    view.payloadAt += diversificationSize;
  }
  return view.payloadAt < view.end;
}
