import type { PrivateKey } from "../../src/contract/index.js";
import { seededEntropy } from "../../src/crypto/index.js";
import type { MakableKey } from "../../src/pki/index.js";
import { makePrivateKey } from "../../src/pki/index.js";
import { provider } from "../support/provider.js";

export { provider };

/** The moment at which everything here is valid. */
export const at = Date.UTC(2026, 5, 1);
const day = 86_400_000;
export const validity = { notBefore: at - 30 * day, notAfter: at + 60 * day } as const;

/** Keys and serial numbers that are the same in every run. */
export function world(seed: string) {
  const entropy = seededEntropy(seed);
  return {
    provider,
    entropy,
    ...validity,
    newKey(kind: MakableKey = "P-256"): PrivateKey {
      const pkcs8 = makePrivateKey(kind, entropy);
      const key = provider.privateKey(pkcs8.expose());
      pkcs8.wipe();
      if (!key) throw new Error(`the provider does not take a ${kind} key`);
      return key;
    },
  };
}
