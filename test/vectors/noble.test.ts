import { nobleCrypto } from "../../src/crypto/noble/index.js";
import { rfcVectors } from "./rfc.js";
import { wycheproof } from "./wycheproof.js";

rfcVectors(nobleCrypto);
wycheproof(nobleCrypto);
