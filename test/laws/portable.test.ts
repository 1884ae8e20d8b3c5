import { portableCrypto } from "../../src/hosts/node/crypto-portable/index.js";
import { providerLaws } from "./provider.js";

providerLaws(portableCrypto);
