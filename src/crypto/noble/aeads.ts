import { ctr, gcm } from "@noble/ciphers/aes.js";
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import type { Aead, AeadName } from "../../contract/crypto.js";
import { equalInConstantTime } from "../../contract/secret.js";
import { xchacha20Poly1305, xsalsa20Poly1305 } from "./salsa.js";
import { nobleAead, type StartMessage } from "./wrap.js";

/** GCM with a tag that is cut (SP 800-38D §5.2.1.2). What is opened is sealed again, since only that gives the tag. */
function cutGcm(tagSize: number): StartMessage {
  return (key, nonce, associated) => {
    const sealed = (plain: Uint8Array): Uint8Array => gcm(key, nonce, associated).encrypt(plain);
    return {
      encrypt: (plain) => sealed(plain).subarray(0, plain.length + tagSize),
      decrypt(cut) {
        const size = cut.length - tagSize;
        const counter = new Uint8Array(16);
        counter.set(nonce);
        // SP 800-38D §7.2: the block after the one that hides the tag.
        counter[15] = 2;
        const plain = ctr(key, counter).decrypt(cut.subarray(0, size));
        const tag = sealed(plain).subarray(size, size + tagSize);
        return equalInConstantTime(tag, cut.subarray(size)) ? plain : undefined;
      },
    };
  };
}

export const aeadTable: Readonly<Partial<Record<AeadName, Aead>>> = {
  "AES-128-GCM": nobleAead("AES-128-GCM", gcm),
  "AES-192-GCM": nobleAead("AES-192-GCM", gcm),
  "AES-128-GCM-12": nobleAead("AES-128-GCM-12", cutGcm(12)),
  "AES-256-GCM": nobleAead("AES-256-GCM", gcm),
  "ChaCha20-Poly1305": nobleAead("ChaCha20-Poly1305", chacha20poly1305),
  "XChaCha20-Poly1305": xchacha20Poly1305,
  "XSalsa20-Poly1305": xsalsa20Poly1305,
};
