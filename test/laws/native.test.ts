import { openNativeCrypto } from "../../src/hosts/node/native/crypto.js";
import { providerLaws } from "./provider.js";

providerLaws(openNativeCrypto());
