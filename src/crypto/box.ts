import type { Aead, AeadName, CryptoProvider, Entropy, Opener, Sealer } from "../contract/crypto.js";
import { Secret } from "../contract/secret.js";

const zeros = new Uint8Array(16);

/**
 * NaCl's `crypto_box_beforenm`: the key under which XSalsa20-Poly1305 makes the box between two key pairs, the same from
 * either side. Undefined for a public key that gives nothing (RFC 7748 §6.1). The caller wipes it.
 */
export function boxKey(crypto: CryptoProvider, privateKey: Secret, publicKey: Uint8Array): Secret | undefined {
  const agreed = crypto.agreement("X25519").conclude(privateKey, publicKey);
  if (agreed === undefined) return undefined;
  const key = crypto.hsalsa20(agreed.expose(), zeros);
  agreed.wipe();
  return new Secret(key);
}

/** A key pair, long-term or short-term: X25519. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Secret;
}

export const boxKeySize = 32;
/** Bytes that a box adds: the tag, which NaCl writes in front. */
export const boxOverhead = 16;

const none = new Uint8Array(0);

/** NaCl's boxes as protocols use them: key pairs, keys between two of them, and boxes with the tag in front. */
export class Boxes {
  readonly crypto: CryptoProvider;
  readonly #aead: Aead;

  /** @param aead what a box is sealed with: NaCl's, or another with nonces of 24 bytes */
  constructor(crypto: CryptoProvider, aead: AeadName = "XSalsa20-Poly1305") {
    this.crypto = crypto;
    this.#aead = crypto.aead(aead);
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

/**
 * Opens a box where it lies: the plain bytes are the first `size - boxOverhead` at `at`. If it does not open, nothing there may be
 * used any more.
 */
export function openInPlace(opener: Opener, nonce: Uint8Array, bytes: Uint8Array, at: number, size: number): boolean {
  if (size < boxOverhead) return false;
  for (let i = 0; i < boxOverhead; i++) tag[i] = bytes[at + i]!;
  bytes.copyWithin(at, at + boxOverhead, at + size);
  bytes.set(tag, at + size - boxOverhead);
  return opener.open(bytes, at, size, nonce, none);
}

const tag = new Uint8Array(boxOverhead);
