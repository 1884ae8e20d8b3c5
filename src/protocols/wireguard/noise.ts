import { concat, utf8 } from "../../bytes/index.js";
import {
  type Aead,
  type Agreement,
  type CryptoProvider,
  type Entropy,
  type Hash,
  Secret,
} from "../../contract/index.js";

const construction = utf8("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s");
const identifier = utf8("WireGuard v1 zx2c4 Jason@zx2c4.com");
const nothing = new Uint8Array(0);
const zeroNonce = new Uint8Array(12);
const one = Uint8Array.of(1);
const two = Uint8Array.of(2);
const three = Uint8Array.of(3);

/** The primitives of the construction, looked up once. */
export class Suite {
  readonly hash: Hash;
  readonly aead: Aead;
  readonly cookieAead: Aead;
  readonly dh: Agreement;
  readonly crypto: CryptoProvider;
  /** Chaining key and hash of every handshake before the responder's key is mixed in. */
  readonly initialChainKey: Uint8Array;
  readonly initialHash: Uint8Array;

  constructor(crypto: CryptoProvider) {
    this.crypto = crypto;
    this.hash = crypto.hash("BLAKE2s-256");
    this.aead = crypto.aead("ChaCha20-Poly1305");
    this.cookieAead = crypto.aead("XChaCha20-Poly1305");
    this.dh = crypto.agreement("X25519");
    this.initialChainKey = this.hash.digest(construction);
    this.initialHash = this.hash.digest(this.initialChainKey, identifier);
  }

  keyPair(privateKey: Uint8Array): KeyPair {
    // A seed of exactly the private key's size is the private key.
    const keys = this.dh.initiate({
      fill: (into) => {
        into.set(privateKey);
        return into;
      },
    });
    return { publicKey: keys.share, privateKey: keys.privateKey };
  }

  newKeyPair(entropy: Entropy): KeyPair {
    const keys = this.dh.initiate(entropy);
    return { publicKey: keys.share, privateKey: keys.privateKey };
  }
}

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Secret;
}

/** The pair of directions that a finished handshake leaves. */
export interface TransportKeys {
  readonly send: Secret;
  readonly receive: Secret;
}

/** Chaining key and transcript hash of one handshake (Noise §5.2, whitepaper §5.4.2). */
export class SymmetricState {
  readonly #suite: Suite;
  #chainKey: Uint8Array;
  #hash: Uint8Array;
  /** The key of the next `seal` or `open`; each mixes a new one first. */
  #key: Uint8Array = nothing;

  constructor(suite: Suite, responderPublicKey: Uint8Array) {
    this.#suite = suite;
    this.#chainKey = suite.initialChainKey.slice();
    this.#hash = suite.hash.digest(suite.initialHash, responderPublicKey);
  }

  /** A copy to try a message on, so that a false one leaves no trace. */
  clone(): SymmetricState {
    const copy = new SymmetricState(this.#suite, nothing);
    copy.#chainKey = this.#chainKey.slice();
    copy.#hash = this.#hash.slice();
    return copy;
  }

  mixHash(bytes: Uint8Array): void {
    this.#hash = this.#suite.hash.digest(this.#hash, bytes);
  }

  /** Mixes a public ephemeral key into both. */
  mixEphemeral(publicKey: Uint8Array): void {
    this.#kdf(publicKey, 1);
    this.mixHash(publicKey);
  }

  /** Mixes a Diffie-Hellman result and takes the key for the next field. False if the peer's key was degenerate. */
  mixAgreement(own: Secret, peer: Uint8Array): boolean {
    const shared = this.#suite.dh.conclude(own, peer);
    if (shared === undefined) return false;
    this.mixShared(shared);
    shared.wipe();
    return true;
  }

  /** Mixes a Diffie-Hellman result that is at hand. */
  mixShared(shared: Secret): void {
    this.#replaceKey(this.#kdf(shared.expose(), 2));
  }

  mixPreSharedKey(key: Secret | undefined): void {
    const input = key?.expose() ?? new Uint8Array(32);
    const chain = this.#suite.hash.hmac(this.#chainKey);
    const extracted = this.#suite.hash.hmac(chain.compute(input));
    const t1 = extracted.compute(one);
    const t2 = extracted.compute(t1, two);
    const t3 = extracted.compute(t2, three);
    chain.destroy();
    extracted.destroy();
    this.#chainKey.fill(0);
    this.#chainKey = t1;
    this.mixHash(t2);
    this.#replaceKey(t3);
  }

  /** Seals under the current key and mixes the sealed bytes. */
  seal(plain: Uint8Array): Uint8Array {
    const sealed = concat(plain, new Uint8Array(this.#suite.aead.tagSize));
    const sealer = this.#suite.aead.sealer(this.#key);
    sealer.seal(sealed, 0, plain.length, zeroNonce, this.#hash);
    sealer.destroy();
    this.mixHash(sealed);
    return sealed;
  }

  open(sealed: Uint8Array): Uint8Array | undefined {
    const plain = sealed.slice();
    const opener = this.#suite.aead.opener(this.#key);
    const good = opener.open(plain, 0, plain.length, zeroNonce, this.#hash);
    opener.destroy();
    if (!good) return undefined;
    this.mixHash(sealed);
    return plain.subarray(0, sealed.length - this.#suite.aead.tagSize);
  }

  /** The transport keys; the state is wiped. */
  split(initiator: boolean): TransportKeys {
    const second = this.#kdf(nothing, 2);
    const first = this.#chainKey.slice();
    this.wipe();
    const [send, receive] = initiator ? [first, second] : [second, first];
    return { send: new Secret(send), receive: new Secret(receive) };
  }

  wipe(): void {
    this.#chainKey.fill(0);
    this.#hash.fill(0);
    this.#key.fill(0);
  }

  #replaceKey(key: Uint8Array): void {
    this.#key.fill(0);
    this.#key = key;
  }

  /** KDF1 or KDF2: the new chaining key stays, the second output is answered (empty for one output). */
  #kdf(input: Uint8Array, outputs: 1 | 2): Uint8Array {
    const chain = this.#suite.hash.hmac(this.#chainKey);
    const extracted = this.#suite.hash.hmac(chain.compute(input));
    const t1 = extracted.compute(one);
    const t2 = outputs === 2 ? extracted.compute(t1, two) : nothing;
    chain.destroy();
    extracted.destroy();
    this.#chainKey.fill(0);
    this.#chainKey = t1;
    return t2;
  }
}
