import type { CryptoProvider } from "../../contract/crypto.js";
import { provider } from "../provider.js";
import { aeadTable } from "./aeads.js";
import { agreementTable } from "./agreements.js";
import { keyedBlake2s } from "./blake2s.js";
import { cipherTable } from "./ciphers.js";
import { hash } from "./hashes.js";
import { privateKey, publicKey } from "./keys.js";
import { hsalsa20 } from "./salsa.js";

/**
 * A provider that needs no platform: plain TypeScript on the noble packages. It serves the simulator, where a seed
 * must decide every byte (its signatures are deterministic), and browsers. It has no finite-field groups, no RSA and no
 * CCM, because those packages have none.
 */
export const nobleCrypto: CryptoProvider = provider({
  name: "noble",
  hashes: {
    MD5: hash("MD5"),
    "SHA-1": hash("SHA-1"),
    "SHA-224": hash("SHA-224"),
    "SHA-256": hash("SHA-256"),
    "SHA-384": hash("SHA-384"),
    "SHA-512": hash("SHA-512"),
    "BLAKE2s-256": hash("BLAKE2s-256"),
  },
  aeads: aeadTable,
  ciphers: cipherTable,
  agreements: agreementTable,
  blake2s: keyedBlake2s,
  hsalsa20,
  publicKey,
  privateKey,
});
