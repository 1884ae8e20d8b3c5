import { poly1305 } from "@noble/ciphers/_poly1305.js";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hsalsa, salsa20 as nobleSalsa20 } from "@noble/ciphers/salsa.js";
import type { Aead, Cipher, Opener, Sealer } from "../../contract/crypto.js";
import { equalInConstantTime } from "../../contract/secret.js";
import { aeads } from "../algorithms.js";
import { checkAlive, checkRange, checkSize } from "../checks.js";
import { misuse } from "../failure.js";
import { nobleAead, nobleCipher } from "./wrap.js";

/** draft-irtf-cfrg-xchacha. */
export const xchacha20Poly1305: Aead = nobleAead("XChaCha20-Poly1305", (key, nonce, associated) =>
  xchacha20poly1305(key, nonce, associated),
);

const secretboxName = "XSalsa20-Poly1305";
const { keySize, nonceSize, tagSize } = aeads[secretboxName];
/** Of the nonce, what goes into the subkey. */
const prefixSize = 16;
/** Bytes of key stream that become the key of Poly1305. */
const macKeySize = 32;

/**
 * NaCl's secretbox out of noble's Salsa20 and Poly1305, with its tag behind. It authenticates nothing but the box. The subkey that
 * HSalsa20 makes of the nonce's first sixteen bytes is kept, for protocols whose nonces differ in the last eight alone.
 */
function keyedSecretbox(given: Uint8Array): Sealer & Opener {
  checkSize(given, keySize, `${secretboxName} key`);
  let key: Uint8Array | undefined = new Uint8Array(given);
  let subkey: Uint8Array | undefined;
  const prefix = new Uint8Array(prefixSize);
  const isKept = (nonce: Uint8Array): boolean => {
    for (let i = 0; i < prefixSize; i++) if (nonce[i] !== prefix[i]) return false;
    return subkey !== undefined;
  };
  /** The key stream over zeros and the text, in memory that is used again: first the key of Poly1305, then the other text. */
  const stream = (bytes: Uint8Array, at: number, size: number, nonce: Uint8Array, associated: Uint8Array) => {
    checkAlive(key);
    checkSize(nonce, nonceSize, "nonce");
    if (associated.length > 0) throw misuse("wrong-size", `${secretboxName} takes no associated data`);
    if (!isKept(nonce)) {
      prefix.set(nonce.subarray(0, prefixSize));
      subkey = hsalsa20(key, prefix);
    }
    if (work.length < macKeySize + size) work = new Uint8Array(macKeySize + size);
    const view = work.subarray(0, macKeySize + size);
    view.fill(0, 0, macKeySize);
    view.set(bytes.subarray(at, at + size), macKeySize);
    nobleSalsa20(subkey!, nonce.subarray(prefixSize), view, view);
    return view;
  };
  return {
    seal(bytes, at, size, nonce, associated) {
      checkRange(bytes, at, size, tagSize);
      const view = stream(bytes, at, size, nonce, associated);
      bytes.set(view.subarray(macKeySize), at);
      bytes.set(poly1305(view.subarray(macKeySize), view.subarray(0, macKeySize)), at + size);
      view.fill(0, 0, macKeySize);
    },
    open(bytes, at, size, nonce, associated) {
      checkRange(bytes, at, size, 0);
      if (size < tagSize) {
        checkAlive(key);
        return false;
      }
      const text = size - tagSize;
      const view = stream(bytes, at, text, nonce, associated);
      const tag = poly1305(bytes.subarray(at, at + text), view.subarray(0, macKeySize));
      const isRight = equalInConstantTime(tag, bytes.subarray(at + text, at + size));
      if (isRight) bytes.set(view.subarray(macKeySize), at);
      view.fill(0);
      return isRight;
    },
    destroy() {
      key?.fill(0);
      subkey?.fill(0);
      key = subkey = undefined;
    },
  };
}

/** Of one call at a time. */
let work = new Uint8Array(2_048);

export const xsalsa20Poly1305: Aead = {
  name: secretboxName,
  keySize,
  nonceSize,
  tagSize,
  sealer: keyedSecretbox,
  opener: keyedSecretbox,
};

/** The stream cipher of NaCl, 20 rounds, from counter zero. */
export const salsa20: Cipher = nobleCipher("Salsa20", (key, iv, bytes) => {
  nobleSalsa20(key, iv, bytes, bytes);
});

/** "expand 32-byte k", Salsa20's constant, as noble takes it: in the machine's own words. */
const sigma = wordsOf(Uint8Array.from("expand 32-byte k", (letter) => letter.charCodeAt(0)));

/** NaCl's HSalsa20. */
export function hsalsa20(key: Uint8Array, input: Uint8Array): Uint8Array {
  checkSize(key, 32, "HSalsa20 key");
  checkSize(input, 16, "HSalsa20 input");
  const words = wordsOf(key);
  const out = new Uint32Array(8);
  hsalsa(sigma, words, wordsOf(input), out);
  words.fill(0);
  return new Uint8Array(out.buffer);
}

/** A copy, so that it lies where words may. Not by `slice`, which on a Buffer is none. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(new Uint8Array(bytes).buffer);
}
