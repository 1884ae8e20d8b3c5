import { nobleCrypto } from "../../src/crypto/noble/index.js";
import { providerLaws } from "./provider.js";

providerLaws(nobleCrypto, [
  "AES-128-CCM",
  "AES-256-CCM",
  "AES-128-CCM-8",
  "AES-256-CCM-8",
  "ffdhe2048",
  "ffdhe3072",
  "ffdhe4096",
  "ffdhe6144",
  "ffdhe8192",
  "modp2048",
  "modp3072",
  "modp4096",
  "modp6144",
  "modp8192",
]);
