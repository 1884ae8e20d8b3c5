import type { Aead, CryptoProvider, Entropy, KeyedCipher, Mac, Opener, Sealer } from "../../contract/index.js";
import { aeadTagSize, type EspSuite } from "./algorithms.js";
import type { EspKeys } from "./association.js";
import { headerSize, putU32 } from "./packet.js";

/**
 * How one direction protects packets, in place. A packet begins at `at` with its header; `head` bytes on lies what is
 * encrypted, padding and trailer included.
 */
export interface Protection {
  /** From the packet's start to what is encrypted. */
  readonly head: number;
  /** Behind it, in a packet, and while one is made: a tag may be cut only when it is whole. */
  readonly tail: number;
  readonly tailMax: number;
  /** What is encrypted is a multiple of this. */
  readonly align: number;
  destroy(): void;
}

export interface Sealing extends Protection {
  /** Protects `size` bytes at `at + head`. */
  seal(bytes: Uint8Array, at: number, size: number, sequence: number): void;
}

export interface Opening extends Protection {
  /** Verifies and decrypts `size` bytes at `at + head`, behind which the tag lies. False if it is not authentic. */
  open(bytes: Uint8Array, at: number, size: number, sequence: number): boolean;
}

export function sealing(crypto: CryptoProvider, entropy: Entropy, suite: EspSuite, keys: EspKeys): Sealing {
  const { how } = suite.encryption;
  if (typeof how === "object" && "aead" in how) return new AeadSealing(crypto.aead(how.aead), suite, keys);
  return new MacSealing(crypto, entropy, suite, keys);
}

export function opening(crypto: CryptoProvider, suite: EspSuite, keys: EspKeys): Opening {
  const { how } = suite.encryption;
  if (typeof how === "object" && "aead" in how) return new AeadOpening(crypto.aead(how.aead), suite, keys);
  return new MacOpening(crypto, suite, keys);
}

/** The upper half of a sequence number. */
const high = (sequence: number): number => Math.floor(sequence / 2 ** 32);

const ivSize = 8;

/** RFC 4106 and RFC 7634: salt and explicit IV make the nonce; SPI and the whole sequence number are authenticated. */
abstract class WithAead implements Protection {
  readonly head = headerSize + ivSize;
  readonly tail = aeadTagSize;
  readonly tailMax = aeadTagSize;
  readonly align = 4;
  protected readonly nonce: Uint8Array;
  readonly #associated: Uint8Array;
  protected readonly saltSize: number;

  constructor({ encryption: { keySize, saltSize }, isExtended }: EspSuite, { encryption }: EspKeys) {
    this.nonce = new Uint8Array(saltSize + ivSize);
    this.nonce.set(encryption.expose().subarray(keySize));
    this.saltSize = saltSize;
    this.#associated = new Uint8Array(isExtended ? headerSize + 4 : headerSize);
  }

  protected associated(bytes: Uint8Array, at: number, sequence: number): Uint8Array {
    const into = this.#associated;
    const low = into.length - 4;
    for (let i = 0; i < 4; i++) {
      into[i] = bytes[at + i]!;
      into[low + i] = bytes[at + 4 + i]!;
    }
    if (low > 4) putU32(into, 4, high(sequence));
    return into;
  }

  abstract destroy(): void;
}

class AeadSealing extends WithAead implements Sealing {
  readonly #sealer: Sealer;

  constructor(aead: Aead, suite: EspSuite, keys: EspKeys) {
    super(suite, keys);
    this.#sealer = aead.sealer(keys.encryption.expose().subarray(0, aead.keySize));
  }

  /** The IV is the sequence number, which is not used twice under one key (RFC 4106 §3.1). */
  seal(bytes: Uint8Array, at: number, size: number, sequence: number): void {
    const { nonce, saltSize } = this;
    putU32(nonce, saltSize, high(sequence));
    putU32(nonce, saltSize + 4, sequence >>> 0);
    for (let i = 0; i < ivSize; i++) bytes[at + headerSize + i] = nonce[saltSize + i]!;
    this.#sealer.seal(bytes, at + this.head, size, nonce, this.associated(bytes, at, sequence));
  }

  destroy(): void {
    this.nonce.fill(0);
    this.#sealer.destroy();
  }
}

class AeadOpening extends WithAead implements Opening {
  readonly #opener: Opener;

  constructor(aead: Aead, suite: EspSuite, keys: EspKeys) {
    super(suite, keys);
    this.#opener = aead.opener(keys.encryption.expose().subarray(0, aead.keySize));
  }

  open(bytes: Uint8Array, at: number, size: number, sequence: number): boolean {
    const { nonce, saltSize } = this;
    for (let i = 0; i < ivSize; i++) nonce[saltSize + i] = bytes[at + headerSize + i]!;
    const associated = this.associated(bytes, at, sequence);
    return this.#opener.open(bytes, at + this.head, size + aeadTagSize, nonce, associated);
  }

  destroy(): void {
    this.nonce.fill(0);
    this.#opener.destroy();
  }
}

/**
 * RFC 4303 §3.3.2: a cipher, or none at all (RFC 2410), and an HMAC over everything from the SPI on (RFC 4868). The upper half
 * of an extended sequence number is authenticated behind the rest and not sent (§2.2.1).
 */
abstract class WithMac implements Protection {
  readonly head: number;
  readonly tail: number;
  readonly tailMax: number;
  readonly align: number;
  protected readonly iv: Uint8Array;
  protected readonly mac: Mac;
  protected readonly computed: Uint8Array;
  readonly #high: Uint8Array | undefined;

  constructor(crypto: CryptoProvider, { encryption, integrity, isExtended }: EspSuite, keys: EspKeys) {
    const hash = crypto.hash(integrity!.hash);
    this.head = headerSize + encryption.ivSize;
    this.tail = integrity!.icvSize;
    this.tailMax = hash.size;
    this.align = Math.max(4, encryption.blockSize);
    this.iv = new Uint8Array(encryption.ivSize);
    this.mac = hash.hmac(keys.integrity!.expose());
    this.computed = new Uint8Array(hash.size);
    this.#high = isExtended ? new Uint8Array(4) : undefined;
  }

  /** Writes the whole tag of `bytes[at … end)` into `into` at `tagAt`. */
  protected tagInto(
    into: Uint8Array,
    tagAt: number,
    bytes: Uint8Array,
    at: number,
    end: number,
    sequence: number,
  ): void {
    const suffix = this.#high;
    if (suffix !== undefined) putU32(suffix, 0, high(sequence));
    this.mac.computeInto(into, tagAt, bytes, at, end, suffix);
  }

  abstract destroy(): void;
}

const cipherOf = (crypto: CryptoProvider, { encryption: { how } }: EspSuite) =>
  typeof how === "object" && "cipher" in how ? crypto.cipher(how.cipher) : undefined;

class MacSealing extends WithMac implements Sealing {
  readonly #entropy: Entropy;
  readonly #cipher: KeyedCipher | undefined;

  constructor(crypto: CryptoProvider, entropy: Entropy, suite: EspSuite, keys: EspKeys) {
    super(crypto, suite, keys);
    this.#entropy = entropy;
    this.#cipher = cipherOf(crypto, suite)?.encryptor(keys.encryption.expose());
  }

  seal(bytes: Uint8Array, at: number, size: number, sequence: number): void {
    const start = at + this.head;
    const { iv } = this;
    if (this.#cipher !== undefined) {
      // Nobody may know it beforehand (RFC 3602 §3).
      this.#entropy.fill(iv);
      for (let i = 0; i < iv.length; i++) bytes[at + headerSize + i] = iv[i]!;
      this.#cipher.apply(bytes, start, size, iv);
    }
    this.tagInto(bytes, start + size, bytes, at, start + size, sequence);
  }

  destroy(): void {
    this.#cipher?.destroy();
    this.mac.destroy();
  }
}

class MacOpening extends WithMac implements Opening {
  readonly #cipher: KeyedCipher | undefined;

  constructor(crypto: CryptoProvider, suite: EspSuite, keys: EspKeys) {
    super(crypto, suite, keys);
    this.#cipher = cipherOf(crypto, suite)?.decryptor(keys.encryption.expose());
  }

  open(bytes: Uint8Array, at: number, size: number, sequence: number): boolean {
    const start = at + this.head;
    const { computed, tail, iv } = this;
    if (size % this.align !== 0) return false;
    this.tagInto(computed, 0, bytes, at, start + size, sequence);
    let difference = 0;
    for (let i = 0; i < tail; i++) difference |= computed[i]! ^ bytes[start + size + i]!;
    if (difference !== 0) return false;
    if (this.#cipher !== undefined) {
      for (let i = 0; i < iv.length; i++) iv[i] = bytes[at + headerSize + i]!;
      this.#cipher.apply(bytes, start, size, iv);
    }
    return true;
  }

  destroy(): void {
    this.#cipher?.destroy();
    this.mac.destroy();
  }
}
