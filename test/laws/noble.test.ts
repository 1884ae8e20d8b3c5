import { nobleCrypto } from "../../src/crypto/noble/index.js";
import { providerLaws } from "./provider.js";

providerLaws(nobleCrypto, ["ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192"]);
