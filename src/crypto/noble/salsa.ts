import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { salsa20 as nobleSalsa20, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import type { Aead, Cipher } from "../../contract/crypto.js";
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
