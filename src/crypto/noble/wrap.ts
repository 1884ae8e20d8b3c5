import { copyOf } from "../../bytes/index.js";
import type { Aead, AeadName, Cipher, CipherName, KeyedCipher, Opener, Sealer } from "../../contract/crypto.js";
import { aeads, ciphers } from "../algorithms.js";
import { checkAlive, checkBlocks, checkRange, checkSize } from "../checks.js";

/** A cipher of noble's with its nonce set: once for one message. */
interface OneMessage {
  encrypt(plain: Uint8Array): Uint8Array;
  /** Throws or answers undefined for what is not authentic. */
  decrypt(sealed: Uint8Array): Uint8Array | undefined;
}
export type StartMessage = (key: Uint8Array, nonce: Uint8Array, associated: Uint8Array) => OneMessage;

/** Noble's one-message ciphers in the contract's shape. */
export function nobleAead(name: AeadName, start: StartMessage): Aead {
  const { keySize, nonceSize, tagSize } = aeads[name];
  const keyed = (given: Uint8Array): Sealer & Opener => {
    checkSize(given, keySize, `${name} key`);
    let key: Uint8Array | undefined = copyOf(given);
    return {
      seal(bytes, at, size, nonce, associated) {
        checkAlive(key);
        checkRange(bytes, at, size, tagSize);
        checkSize(nonce, nonceSize, "nonce");
        bytes.set(start(key, nonce, associated).encrypt(bytes.slice(at, at + size)), at);
      },
      open(bytes, at, size, nonce, associated) {
        checkAlive(key);
        checkRange(bytes, at, size, 0);
        checkSize(nonce, nonceSize, "nonce");
        if (size < tagSize) return false;
        const message = start(key, nonce, associated);
        try {
          const plain = message.decrypt(bytes.slice(at, at + size));
          if (plain) bytes.set(plain, at);
          return plain !== undefined;
        } catch {
          return false;
        }
      },
      destroy() {
        key?.fill(0);
        key = undefined;
      },
    };
  };
  return { name, keySize, nonceSize, tagSize, sealer: keyed, opener: keyed };
}

type Apply = (key: Uint8Array, iv: Uint8Array, bytes: Uint8Array) => void;

/** A cipher that transforms a view in place. */
export function nobleCipher(name: CipherName, encrypt: Apply, decrypt: Apply = encrypt): Cipher {
  const { keySize, ivSize, blockSize } = ciphers[name];
  const keyed = (given: Uint8Array, apply: Apply): KeyedCipher => {
    checkSize(given, keySize, `${name} key`);
    let key: Uint8Array | undefined = copyOf(given);
    return {
      apply(bytes, at, size, iv) {
        checkAlive(key);
        checkRange(bytes, at, size, 0);
        checkSize(iv, ivSize, "initialization vector");
        checkBlocks(size, blockSize);
        if (size > 0) apply(key, iv, bytes.subarray(at, at + size));
      },
      destroy() {
        key?.fill(0);
        key = undefined;
      },
    };
  };
  return {
    name,
    keySize,
    ivSize,
    blockSize,
    encryptor: (key) => keyed(key, encrypt),
    decryptor: (key) => keyed(key, decrypt),
  };
}
