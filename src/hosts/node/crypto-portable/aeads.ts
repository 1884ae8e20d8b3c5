import {
  type CipherCCMTypes,
  type CipherChaCha20Poly1305Types,
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  getCiphers,
  type KeyObject,
} from "node:crypto";
import type { Aead, AeadName, Opener, Sealer } from "../../../contract/crypto.js";
import { aeads as sizes } from "../../../crypto/algorithms.js";
import { checkAlive, checkRange, checkSize } from "../../../crypto/checks.js";

type OpensslName = CipherGCMTypes | CipherCCMTypes | CipherChaCha20Poly1305Types;

const opensslNames: { readonly [N in AeadName]?: OpensslName } = {
  "AES-128-GCM": "aes-128-gcm",
  "AES-192-GCM": "aes-192-gcm",
  "AES-128-GCM-12": "aes-128-gcm",
  "AES-256-GCM": "aes-256-gcm",
  "AES-128-CCM": "aes-128-ccm",
  "AES-256-CCM": "aes-256-ccm",
  "AES-128-CCM-8": "aes-128-ccm",
  "AES-256-CCM-8": "aes-256-ccm",
  "ChaCha20-Poly1305": "chacha20-poly1305",
};

/** One of OpenSSL's authenticated ciphers; undefined where the platform lacks it. */
export function aead(name: AeadName): Aead | undefined {
  const id = opensslNames[name];
  if (id === undefined || !getCiphers().includes(id)) return undefined;
  return {
    name,
    ...sizes[name],
    sealer: (key) => new NodeSealer(name, id, key),
    opener: (key) => new NodeOpener(name, id, key),
  };
}

// Node's types tell CCM, GCM and ChaCha20-Poly1305 apart by literal names; at run time one call serves all three.
const typed = (id: OpensslName): CipherCCMTypes => id as CipherCCMTypes;

class NodeSealer implements Sealer {
  readonly #id: CipherCCMTypes;
  readonly #nonceSize: number;
  readonly #tagSize: number;
  #key: KeyObject | undefined;

  constructor(name: AeadName, id: OpensslName, key: Uint8Array) {
    const { keySize, nonceSize, tagSize } = sizes[name];
    checkSize(key, keySize, `${name} key`);
    this.#id = typed(id);
    this.#nonceSize = nonceSize;
    this.#tagSize = tagSize;
    this.#key = createSecretKey(key);
  }

  seal(bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array): void {
    checkAlive(this.#key);
    checkRange(bytes, at, size, this.#tagSize);
    checkSize(nonce, this.#nonceSize, "nonce");
    const cipher = createCipheriv(this.#id, this.#key, nonce, { authTagLength: this.#tagSize });
    cipher.setAAD(associated, { plaintextLength: size });
    bytes.set(cipher.update(bytes.subarray(at, at + size)), at);
    cipher.final();
    bytes.set(cipher.getAuthTag(), at + size);
  }

  destroy(): void {
    this.#key = undefined;
  }
}

class NodeOpener implements Opener {
  readonly #id: CipherCCMTypes;
  readonly #nonceSize: number;
  readonly #tagSize: number;
  #key: KeyObject | undefined;

  constructor(name: AeadName, id: OpensslName, key: Uint8Array) {
    const { keySize, nonceSize, tagSize } = sizes[name];
    checkSize(key, keySize, `${name} key`);
    this.#id = typed(id);
    this.#nonceSize = nonceSize;
    this.#tagSize = tagSize;
    this.#key = createSecretKey(key);
  }

  open(bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array): boolean {
    checkAlive(this.#key);
    checkRange(bytes, at, size, 0);
    checkSize(nonce, this.#nonceSize, "nonce");
    const plainSize = size - this.#tagSize;
    if (plainSize < 0) return false;
    const decipher = createDecipheriv(this.#id, this.#key, nonce, { authTagLength: this.#tagSize });
    decipher.setAuthTag(bytes.subarray(at + plainSize, at + size));
    decipher.setAAD(associated, { plaintextLength: plainSize });
    try {
      // CCM throws here already, the others in `final`: only then is the plaintext let out.
      const opened = decipher.update(bytes.subarray(at, at + plainSize));
      decipher.final();
      bytes.set(opened, at);
      return true;
    } catch {
      return false;
    }
  }

  destroy(): void {
    this.#key = undefined;
  }
}
