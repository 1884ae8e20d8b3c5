import type { Cipher, CryptoProvider, Entropy, KeyedCipher, Mac, Opener, Sealer } from "../../../contract/index.js";
import { equalInConstantTime } from "../../../contract/index.js";
import type { Protection12, Suite12 } from "../parameters/suites12.js";

/**
 * Seals the fragments of one direction of TLS 1.2 or DTLS 1.2, in place. A fragment is what stands behind a record's
 * header: the explicit nonce or IV (`prefixSize` bytes), the content, and what protects it. `sequence` is 8 bytes: the
 * implicit sequence number of TLS, or the epoch and sequence number of DTLS (RFC 6347 §4.1.2.1).
 */
export interface FragmentSealer {
  readonly prefixSize: number;
  /** Bytes of the fragment that holds `size` bytes of content. */
  sealedSize(size: number): number;
  /** Content stands at `at + prefixSize`; the sealed fragment begins at `at`. Answers its size. */
  seal(bytes: Uint8Array, at: number, size: number, type: number, version: number, sequence: Uint8Array): number;
  destroy(): void;
}

/** Opens the fragments of one direction, in place. */
export interface FragmentOpener {
  readonly prefixSize: number;
  /**
   * The fragment is `bytes[at … at+size)`. Answers the size of the content, which then stands at `at + prefixSize`, or
   * -1 for every way in which it can be wrong: the caller cannot tell them apart, so nor can the peer.
   */
  open(bytes: Uint8Array, at: number, size: number, type: number, version: number, sequence: Uint8Array): number;
  destroy(): void;
}

/** Keys of one direction, out of the key block (RFC 5246 §6.3). The MAC key is empty for AEAD. */
export interface DirectionKeys {
  readonly macKey: Uint8Array;
  readonly key: Uint8Array;
  readonly iv: Uint8Array;
}

/** Bytes that a suite takes from the key block, for each direction. No IV is taken for CBC: it is explicit. */
export function keySizes(crypto: CryptoProvider, protection: Protection12): { mac: number; key: number; iv: number } {
  return protection.kind === "aead"
    ? { mac: 0, key: crypto.aead(protection.aead).keySize, iv: protection.fixedIvSize }
    : { mac: crypto.hash(protection.mac).size, key: crypto.cipher(protection.cipher).keySize, iv: 0 };
}

export function fragmentSealer(
  crypto: CryptoProvider,
  entropy: Entropy,
  suite: Suite12,
  keys: DirectionKeys,
  connectionId?: Uint8Array,
): FragmentSealer {
  const { protection } = suite;
  const described = description(connectionId);
  return protection.kind === "aead"
    ? new AeadFragments(crypto, protection, keys, "seal", described)
    : new CbcFragments(crypto, entropy, protection, keys, "seal", described);
}

export function fragmentOpener(
  crypto: CryptoProvider,
  suite: Suite12,
  keys: DirectionKeys,
  connectionId?: Uint8Array,
): FragmentOpener {
  const { protection } = suite;
  const described = description(connectionId);
  return protection.kind === "aead"
    ? new AeadFragments(crypto, protection, keys, "open", described)
    : new CbcFragments(crypto, undefined, protection, keys, "open", described);
}

type Way = "seal" | "open";

/** RFC 5246 §6.2.3.3 with the nonces of RFC 5288 §3, RFC 6655 §3 and RFC 7905 §2. */
class AeadFragments implements FragmentSealer, FragmentOpener {
  readonly prefixSize: number;
  readonly #tagSize: number;
  readonly #sealer: Sealer | undefined;
  readonly #opener: Opener | undefined;
  readonly #fixedIv: Uint8Array;
  readonly #nonce: Uint8Array;
  readonly #associated: Uint8Array;

  constructor(
    crypto: CryptoProvider,
    protection: Protection12 & { kind: "aead" },
    keys: DirectionKeys,
    way: Way,
    associated: Uint8Array,
  ) {
    this.#associated = associated;
    const aead = crypto.aead(protection.aead);
    this.prefixSize = protection.explicitNonceSize;
    this.#tagSize = aead.tagSize;
    this.#fixedIv = keys.iv.slice();
    this.#nonce = new Uint8Array(aead.nonceSize);
    this.#nonce.set(keys.iv);
    if (way === "seal") this.#sealer = aead.sealer(keys.key);
    else this.#opener = aead.opener(keys.key);
  }

  sealedSize(size: number): number {
    return this.prefixSize + size + this.#tagSize;
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number, version: number, sequence: Uint8Array): number {
    // The sequence number is a nonce that never comes twice under one key: RFC 5288 §3.
    if (this.prefixSize > 0) bytes.set(sequence, at);
    this.#prepare(sequence, 0, type, version, size, sequence);
    this.#sealer!.seal(bytes, at + this.prefixSize, size, this.#nonce, this.#associated);
    return this.prefixSize + size + this.#tagSize;
  }

  open(bytes: Uint8Array, at: number, size: number, type: number, version: number, sequence: Uint8Array): number {
    const content = size - this.prefixSize - this.#tagSize;
    if (content < 0) return -1;
    this.#prepare(bytes, at, type, version, content, sequence);
    const sealed = size - this.prefixSize;
    return this.#opener!.open(bytes, at + this.prefixSize, sealed, this.#nonce, this.#associated) ? content : -1;
  }

  destroy(): void {
    this.#sealer?.destroy();
    this.#opener?.destroy();
    this.#fixedIv.fill(0);
    this.#nonce.fill(0);
  }

  #prepare(explicit: Uint8Array, at: number, type: number, version: number, size: number, sequence: Uint8Array): void {
    const nonce = this.#nonce;
    if (this.prefixSize > 0) {
      for (let i = 0; i < 8; i++) nonce[4 + i] = explicit[at + i]!;
    } else {
      for (let i = 0; i < 8; i++) nonce[4 + i] = this.#fixedIv[4 + i]! ^ sequence[i]!;
    }
    describe(this.#associated, type, version, size, sequence);
  }
}

/**
 * CBC with encrypt-then-MAC (RFC 7366 §3): IV, ENC(content, padding), MAC(sequence, type, version, length, IV, ENC).
 * The MAC is checked before anything is decrypted, so padding tells an attacker nothing.
 */
class CbcFragments implements FragmentSealer, FragmentOpener {
  readonly prefixSize: number;
  readonly #cipher: Cipher;
  readonly #keyed: KeyedCipher;
  readonly #mac: Mac;
  readonly #entropy: Entropy | undefined;
  readonly #iv: Uint8Array;
  readonly #tag: Uint8Array;
  readonly #associated: Uint8Array;

  constructor(
    crypto: CryptoProvider,
    entropy: Entropy | undefined,
    protection: Protection12 & { kind: "cbc" },
    keys: DirectionKeys,
    way: Way,
    associated: Uint8Array,
  ) {
    this.#associated = associated;
    this.#cipher = crypto.cipher(protection.cipher);
    this.#keyed = way === "seal" ? this.#cipher.encryptor(keys.key) : this.#cipher.decryptor(keys.key);
    this.#mac = crypto.hash(protection.mac).hmac(keys.macKey);
    this.#entropy = entropy;
    this.prefixSize = this.#cipher.ivSize;
    this.#iv = new Uint8Array(this.#cipher.ivSize);
    this.#tag = new Uint8Array(this.#mac.size);
  }

  sealedSize(size: number): number {
    return this.prefixSize + this.#padded(size) + this.#mac.size;
  }

  seal(bytes: Uint8Array, at: number, size: number, type: number, version: number, sequence: Uint8Array): number {
    const padded = this.#padded(size);
    const content = at + this.prefixSize;
    bytes.fill(padded - size - 1, content + size, content + padded);
    this.#entropy!.fill(this.#iv); // unpredictable: RFC 5246 §6.2.3.2
    bytes.set(this.#iv, at);
    this.#keyed.apply(bytes, content, padded, this.#iv);
    const sealed = this.prefixSize + padded;
    bytes.set(this.#authenticate(bytes, at, sealed, type, version, sequence), at + sealed);
    return sealed + this.#mac.size;
  }

  open(bytes: Uint8Array, at: number, size: number, type: number, version: number, sequence: Uint8Array): number {
    const sealed = size - this.#mac.size;
    const padded = sealed - this.prefixSize;
    if (padded < this.#cipher.blockSize || padded % this.#cipher.blockSize !== 0) return -1;
    this.#tag.set(bytes.subarray(at + sealed, at + size));
    if (!equalInConstantTime(this.#authenticate(bytes, at, sealed, type, version, sequence), this.#tag)) return -1;
    const content = at + this.prefixSize;
    this.#iv.set(bytes.subarray(at, content));
    this.#keyed.apply(bytes, content, padded, this.#iv);
    const padding = bytes[content + padded - 1]!;
    if (padding >= padded) return -1;
    for (let i = content + padded - 1 - padding; i < content + padded; i++) if (bytes[i] !== padding) return -1;
    return padded - padding - 1;
  }

  destroy(): void {
    this.#keyed.destroy();
    this.#mac.destroy();
  }

  /** At least one byte of padding, its length byte. */
  #padded(size: number): number {
    return size + this.#cipher.blockSize - (size % this.#cipher.blockSize);
  }

  #authenticate(
    bytes: Uint8Array,
    at: number,
    size: number,
    type: number,
    version: number,
    sequence: Uint8Array,
  ): Uint8Array {
    describe(this.#associated, type, version, size, sequence);
    return this.#mac.compute(this.#associated, bytes.subarray(at, at + size));
  }
}

/**
 * What is authenticated beside the content: seq_num, type, version, length (RFC 5246 §6.2.3.3). A DTLS record with a
 * connection ID has in front of these eight bytes of ones, its type and the ID's length, and the ID before the length, so
 * that it is like no other record (RFC 9146 §5).
 */
function description(connectionId: Uint8Array | undefined): Uint8Array {
  if (connectionId === undefined) return new Uint8Array(13);
  const bytes = new Uint8Array(23 + connectionId.length);
  bytes.fill(0xff, 0, 8);
  bytes[8] = bytes[10] = tls12Cid;
  bytes[9] = connectionId.length;
  bytes.set(connectionId, 21);
  return bytes;
}

const tls12Cid = 25;

function describe(into: Uint8Array, type: number, version: number, size: number, sequence: Uint8Array): void {
  const end = into.length;
  if (end === 13) {
    for (let i = 0; i < 8; i++) into[i] = sequence[i]!;
    into[8] = type;
    into[9] = version >> 8;
    into[10] = version & 255;
  } else {
    into[11] = version >> 8;
    into[12] = version & 255;
    for (let i = 0; i < 8; i++) into[13 + i] = sequence[i]!;
  }
  into[end - 2] = size >> 8;
  into[end - 1] = size & 255;
}
