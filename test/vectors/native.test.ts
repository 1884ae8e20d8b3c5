import { openNativeCrypto } from "../../src/hosts/node/native/crypto.js";
import { rfcVectors } from "./rfc.js";
import { wycheproof } from "./wycheproof.js";

const native = openNativeCrypto();
rfcVectors(native);
wycheproof(native);
