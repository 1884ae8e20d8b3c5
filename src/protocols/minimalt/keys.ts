import { toHex, utf8 } from "../../bytes/index.js";
import {
  type AeadName,
  type CryptoProvider,
  type Entropy,
  type HashName,
  type Opener,
  type PrivateKey,
  type Sealer,
  Secret,
} from "../../contract/index.js";
import { Boxes, type KeyPair } from "../../crypto/index.js";
import { authenticatorSize, puzzleNonceSize } from "./wire/rpc.js";

/**
 * What a server's record says that its boxes are made with (ALG). The paper has NaCl's and says that any other may take its place
 * (§4.2): a second row shows it.
 */
const suiteRows = [
  { code: 1, name: "X25519-XSalsa20-Poly1305", aead: "XSalsa20-Poly1305", hash: "SHA-256" },
  { code: 2, name: "X25519-XChaCha20-Poly1305", aead: "XChaCha20-Poly1305", hash: "SHA-256" },
] as const satisfies readonly { code: number; name: string; aead: AeadName; hash: HashName }[];

export type Suite = (typeof suiteRows)[number];
export type SuiteName = Suite["name"];
export const suites: readonly Suite[] = suiteRows;
export const suiteNames: readonly SuiteName[] = suites.map(({ name }) => name);
export const suiteDefault: SuiteName = "X25519-XSalsa20-Poly1305";
export const suiteByName = (name: SuiteName): Suite | undefined => suites.find((each) => each.name === name);
export const suiteByCode = (code: number): Suite | undefined => suites.find((each) => each.code === code);

/**
 * A host's long-term keys: S signs its records (Ed25519), and the box key opens what comes before a record is known and what users
 * prove themselves by (X25519). The paper has one key for both (§3.4, §5.8), which NaCl's two kinds of key do not allow.
 */
export interface HostIdentity {
  readonly signing: PrivateKey;
  /** The same key's public half, 32 bytes: S. */
  readonly publicKey: Uint8Array;
  readonly box: KeyPair;
}

const pkcs8Prefix = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const spkiPrefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/** An Ed25519 key out of its 32-byte seed (RFC 8410 §7). */
export function signingKey(crypto: CryptoProvider, seed: Uint8Array): PrivateKey {
  const key = crypto.privateKey(Uint8Array.from([...pkcs8Prefix, ...seed]));
  if (key === undefined) throw new TypeError("the provider takes no Ed25519 key");
  return key;
}

/** Is it a signature of the holder of S? Never throws. */
export function isSignedBy(
  crypto: CryptoProvider,
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  return crypto.publicKey(Uint8Array.from([...spkiPrefix, ...key]))?.verify("Ed25519", message, signature) ?? false;
}

/** A host's keys out of 64 bytes: the seed of S, then the secret half of the box key. */
export function hostIdentity(crypto: CryptoProvider, secret: Uint8Array): HostIdentity {
  const signing = signingKey(crypto, secret.subarray(0, 32));
  const box = new Boxes(crypto).keyPair(secret.subarray(32, 64));
  return { signing, publicKey: signing.publicKey.spki.slice(-32), box };
}

export const hostSecretSize = 64;

/** The shared key of a tunnel and what follows from it, both ways alike; `wipe` it. */
export class TunnelKey {
  readonly #secret: Secret;
  readonly #crypto: CryptoProvider;
  readonly suite: Suite;
  readonly sealer: Sealer;
  readonly opener: Opener;

  constructor(crypto: CryptoProvider, suite: Suite, secret: Secret) {
    this.#crypto = crypto;
    this.suite = suite;
    this.#secret = secret;
    const aead = crypto.aead(suite.aead);
    this.sealer = aead.sealer(secret.expose());
    this.opener = aead.opener(secret.expose());
  }

  /**
   * The first key of a tunnel: NaCl's box key of C' and S'. With a key that both sides have imported (PSKI), its hash with that one:
   * who lacks it opens nothing.
   */
  static first(crypto: CryptoProvider, suite: Suite, boxKey: Secret, imported: Uint8Array | undefined): TunnelKey {
    if (imported === undefined) return new TunnelKey(crypto, suite, boxKey);
    const mixed = crypto.hash(suite.hash).digest(boxKey.expose(), imported);
    boxKey.wipe();
    return new TunnelKey(crypto, suite, new Secret(mixed));
  }

  /** k2 = Hash(k1) (§5.5). */
  next(): TunnelKey {
    const { suite } = this;
    return new TunnelKey(this.#crypto, suite, new Secret(this.#crypto.hash(suite.hash).digest(this.#secret.expose())));
  }

  /** The hash of a first key with a label: numbers to begin with, and the secret of exports. */
  derive(label: string): Uint8Array {
    return this.#crypto.hash(this.suite.hash).digest(this.#secret.expose(), utf8(label));
  }

  wipe(): void {
    this.#secret.wipe();
    this.sealer.destroy();
    this.opener.destroy();
  }
}

/** A user's authenticator x for a server: n, then the box of the server's key S from U to it (§5.8). */
export function authenticate(
  boxes: Boxes,
  entropy: Entropy,
  user: KeyPair,
  server: Uint8Array,
): Uint8Array | undefined {
  const key = boxes.key(user.privateKey, server);
  if (key === undefined) return undefined;
  const nonce = entropy.fill(new Uint8Array(puzzleNonceSize));
  const x = new Uint8Array(authenticatorSize);
  x.set(nonce);
  x.set(boxes.seal(key, nonce, server), nonce.length);
  key.wipe();
  return x;
}

/** Does x prove that the holder of U speaks to us? */
export function isAuthentic(boxes: Boxes, server: KeyPair, user: Uint8Array, x: Uint8Array): boolean {
  const key = boxes.key(server.privateKey, user);
  if (key === undefined) return false;
  const size = x.length - puzzleNonceSize;
  const plain = boxes.open(key, x.slice(0, puzzleNonceSize), x, puzzleNonceSize, size);
  key.wipe();
  // Public, and authentic: nothing is learned from how long this takes.
  return plain !== undefined && toHex(plain) === toHex(server.publicKey);
}
