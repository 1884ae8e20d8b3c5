import { cbc, cfb, ctr, ecb } from "@noble/ciphers/aes.js";
import { chacha20 } from "@noble/ciphers/chacha.js";
import type { Cipher, CipherName } from "../../contract/crypto.js";
import { salsa20 } from "./salsa.js";
import { nobleCipher } from "./wrap.js";

const whole = { disablePadding: true };
const aesCbc = (name: CipherName): Cipher =>
  nobleCipher(
    name,
    (key, iv, bytes) => bytes.set(cbc(key, iv, whole).encrypt(bytes)),
    (key, iv, bytes) => bytes.set(cbc(key, iv, whole).decrypt(bytes)),
  );
const aesCtr = (name: CipherName): Cipher =>
  nobleCipher(name, (key, iv, bytes) => bytes.set(ctr(key, iv).encrypt(bytes)));
const aesCfb = (name: CipherName): Cipher =>
  nobleCipher(
    name,
    (key, iv, bytes) => bytes.set(cfb(key, iv).encrypt(bytes)),
    (key, iv, bytes) => bytes.set(cfb(key, iv).decrypt(bytes)),
  );
const aesEcb = (name: CipherName): Cipher =>
  nobleCipher(
    name,
    (key, _, bytes) => bytes.set(ecb(key, whole).encrypt(bytes)),
    (key, _, bytes) => bytes.set(ecb(key, whole).decrypt(bytes)),
  );

export const cipherTable: Readonly<Record<CipherName, Cipher>> = {
  "AES-128-CBC": aesCbc("AES-128-CBC"),
  "AES-192-CBC": aesCbc("AES-192-CBC"),
  "AES-256-CBC": aesCbc("AES-256-CBC"),
  "AES-128-CTR": aesCtr("AES-128-CTR"),
  "AES-192-CTR": aesCtr("AES-192-CTR"),
  "AES-256-CTR": aesCtr("AES-256-CTR"),
  "AES-128-ECB": aesEcb("AES-128-ECB"),
  "AES-192-ECB": aesEcb("AES-192-ECB"),
  "AES-256-ECB": aesEcb("AES-256-ECB"),
  "AES-128-CFB": aesCfb("AES-128-CFB"),
  "AES-192-CFB": aesCfb("AES-192-CFB"),
  "AES-256-CFB": aesCfb("AES-256-CFB"),
  ChaCha20: nobleCipher("ChaCha20", (key, iv, bytes) => {
    const counter = new DataView(iv.buffer, iv.byteOffset).getUint32(0, true);
    chacha20(key, iv.subarray(4), bytes, bytes, counter);
  }),
  Salsa20: salsa20,
};
