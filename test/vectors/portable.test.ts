import { portableCrypto } from "../../src/hosts/node/crypto-portable/index.js";
import { rfcVectors } from "./rfc.js";
import { wycheproof } from "./wycheproof.js";

rfcVectors(portableCrypto);
wycheproof(portableCrypto);
