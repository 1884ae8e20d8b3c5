import type { Aead, CryptoProvider, Entropy, Opener, Sealer, Secret } from "../../contract/index.js";
import { boxKey } from "../../crypto/index.js";

/** A key pair, long-term or short-term: X25519. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Secret;
}

export const keySize = 32;
/** Bytes that a box adds: the tag, which NaCl writes in front. */
export const boxOverhead = 16;

const none = new Uint8Array(0);

/** What the room computes with, and the boxes that it makes of it. */
export class Boxes {
  readonly crypto: CryptoProvider;
  readonly #aead: Aead;

  constructor(crypto: CryptoProvider) {
    this.crypto = crypto;
    this.#aead = crypto.aead("XSalsa20-Poly1305");
  }

  newKeyPair(entropy: Entropy): KeyPair {
    const { share, privateKey } = this.crypto.agreement("X25519").initiate(entropy);
    return { publicKey: share, privateKey };
  }

  /** The pair of a private key that is known; the answer owns a copy. */
  keyPair(privateKey: Uint8Array): KeyPair {
    // A seed of exactly the private key's size is the private key.
    return this.newKeyPair({
      fill: (into) => {
        into.set(privateKey);
        return into;
      },
    });
  }

  /** The key of boxes between the two; undefined for a public key that gives nothing. */
  key(privateKey: Secret, publicKey: Uint8Array): Secret | undefined {
    return boxKey(this.crypto, privateKey, publicKey);
  }

  /** Seals and opens under a key; `destroy` both. */
  sealer(key: Secret): Sealer {
    return this.#aead.sealer(key.expose());
  }

  opener(key: Secret): Opener {
    return this.#aead.opener(key.expose());
  }

  /** A box as it stands in a packet: the tag, then what it hides. */
  seal(key: Secret, nonce: Uint8Array, plain: Uint8Array): Uint8Array {
    const box = new Uint8Array(boxOverhead + plain.length);
    const sealer = this.sealer(key);
    sealInto(sealer, nonce, plain, box, 0);
    sealer.destroy();
    return box;
  }

  /** What a box hides; undefined if it does not open. */
  open(key: Secret, nonce: Uint8Array, bytes: Uint8Array, at: number, size: number): Uint8Array | undefined {
    const plain = new Uint8Array(size);
    const opener = this.opener(key);
    const isOpen = openInto(opener, nonce, bytes, at, size, plain);
    opener.destroy();
    return isOpen ? plain.subarray(0, size - boxOverhead) : undefined;
  }
}

/** The sealer writes its tag behind; NaCl has it in front. Memory of its own keeps what stands behind the box. */
function sealInto(sealer: Sealer, nonce: Uint8Array, plain: Uint8Array, into: Uint8Array, at: number): void {
  const work = new Uint8Array(plain.length + boxOverhead);
  work.set(plain);
  sealer.seal(work, 0, plain.length, nonce, none);
  into.set(work.subarray(plain.length), at);
  into.set(work.subarray(0, plain.length), at + boxOverhead);
  work.fill(0);
}

/**
 * Seals what stands at `at + boxOverhead` in place, so that the box begins at `at`. The sixteen bytes behind it are overwritten:
 * for packets that are written one after another.
 */
export function sealInPlace(sealer: Sealer, nonce: Uint8Array, bytes: Uint8Array, at: number, size: number): void {
  sealer.seal(bytes, at + boxOverhead, size, nonce, none);
  bytes.copyWithin(at, at + boxOverhead + size, at + 2 * boxOverhead + size);
}

/** Opens a box into other memory, `size` bytes of it: the plain bytes are the first `size - boxOverhead` there. */
export function openInto(
  opener: Opener,
  nonce: Uint8Array,
  bytes: Uint8Array,
  at: number,
  size: number,
  into: Uint8Array,
): boolean {
  into.set(bytes.subarray(at + boxOverhead, at + size));
  into.set(bytes.subarray(at, at + boxOverhead), size - boxOverhead);
  return opener.open(into, 0, size, nonce, none);
}

/** Where the counter stands in such a nonce. */
export const counterAtNonce = 16;
export const counterSize = 8;

/** A nonce of a short-term key: 16 ASCII bytes, then the counter. */
export function counterNonce(prefix: string): Uint8Array {
  const nonce = new Uint8Array(24);
  for (let i = 0; i < prefix.length; i++) nonce[i] = prefix.charCodeAt(i);
  return nonce;
}

/** A nonce of a long-term or minute key: 8 ASCII bytes, then 16 that are said beside the box. */
export function longNonce(prefix: string, compressed: Uint8Array): Uint8Array {
  const nonce = counterNonce(prefix);
  nonce.set(compressed, 8);
  return nonce;
}

/** Sixteen bytes of a long-term key's nonce. By chance: two key pairs share a box only within one connection. */
export const compressedNonce = (entropy: Entropy): Uint8Array => entropy.fill(new Uint8Array(16));

/** A first counter: by chance below 2^48, as the pages have clients do it. */
export function firstCounter(entropy: Entropy): number {
  const bytes = entropy.fill(new Uint8Array(6));
  let counter = 0;
  for (const byte of bytes) counter = counter * 256 + byte;
  return counter;
}
