import { gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import type { Aead, AeadName } from "../../contract/crypto.js";
import { xchacha20Poly1305, xsalsa20Poly1305 } from "./salsa.js";
import { nobleAead } from "./wrap.js";

export const aeadTable: Readonly<Partial<Record<AeadName, Aead>>> = {
  "AES-128-GCM": nobleAead("AES-128-GCM", gcm),
  "AES-192-GCM": nobleAead("AES-192-GCM", gcm),
  "AES-256-GCM": nobleAead("AES-256-GCM", gcm),
  "ChaCha20-Poly1305": nobleAead("ChaCha20-Poly1305", chacha20poly1305),
  "XChaCha20-Poly1305": xchacha20Poly1305,
  "XSalsa20-Poly1305": xsalsa20Poly1305,
};
