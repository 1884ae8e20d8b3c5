import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hsalsa, salsa20 as nobleSalsa20, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import type { Aead, Cipher } from "../../contract/crypto.js";
import { checkSize } from "../checks.js";
import { misuse } from "../failure.js";
import { nobleAead, nobleCipher } from "./wrap.js";

/** draft-irtf-cfrg-xchacha. */
export const xchacha20Poly1305: Aead = nobleAead("XChaCha20-Poly1305", (key, nonce, associated) =>
  xchacha20poly1305(key, nonce, associated),
);

/** NaCl's secretbox, with its tag behind. It authenticates nothing but the box. */
export const xsalsa20Poly1305: Aead = nobleAead(
  "XSalsa20-Poly1305",
  (key, nonce, associated) => {
    if (associated.length > 0) throw misuse("wrong-size", "XSalsa20-Poly1305 takes no associated data");
    return xsalsa20poly1305(key, nonce);
  },
  "front",
);

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

/** A copy, so that it lies where words may. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.slice().buffer);
}
