import { type MLKEM, ml_kem512, ml_kem768, ml_kem1024 } from "@noble/post-quantum/ml-kem.js";
import type { Agreement, AgreementName } from "../../contract/crypto.js";
import { Secret } from "../../contract/secret.js";
import { agreements as sizes } from "../algorithms.js";

export type MlKemName = Extract<AgreementName, `ML-KEM-${string}`>;

const sets: Readonly<Record<MlKemName, { kem: MLKEM; privateKeySize: number }>> = {
  "ML-KEM-512": { kem: ml_kem512, privateKeySize: 1632 },
  "ML-KEM-768": { kem: ml_kem768, privateKeySize: 2400 },
  "ML-KEM-1024": { kem: ml_kem1024, privateKeySize: 3168 },
};

/** ML-KEM (FIPS 203). The seeds d and z, and the responder's m, are drawn from the entropy; private keys are expanded. */
export function mlKem(name: MlKemName): Agreement {
  const { kem, privateKeySize } = sets[name];
  const { initiatorShareSize, responderShareSize } = sizes[name];
  return {
    name,
    ...sizes[name],
    privateKeySize,
    initiate(entropy) {
      const seed = entropy.fill(new Uint8Array(64));
      const { publicKey, secretKey } = kem.keygen(seed);
      seed.fill(0);
      return { share: publicKey, privateKey: new Secret(secretKey) };
    },
    respond(share, entropy) {
      if (share.length !== initiatorShareSize) return undefined;
      const m = entropy.fill(new Uint8Array(32));
      try {
        const { cipherText, sharedSecret } = kem.encapsulate(share, m);
        return { share: cipherText, secret: new Secret(sharedSecret) };
      } catch {
        return undefined; // The modulus check of FIPS 203 §7.2.
      } finally {
        m.fill(0);
      }
    },
    conclude(privateKey, share) {
      if (share.length !== responderShareSize || privateKey.size !== privateKeySize) return undefined;
      const key = privateKey.expose();
      try {
        return new Secret(kem.decapsulate(share, key));
      } catch {
        return undefined; // A private key whose hash does not fit, FIPS 203 §7.3.
      }
    },
  };
}
