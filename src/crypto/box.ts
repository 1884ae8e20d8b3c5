import type { CryptoProvider } from "../contract/crypto.js";
import { Secret } from "../contract/secret.js";

const zeros = new Uint8Array(16);

/**
 * NaCl's `crypto_box_beforenm`: the key under which XSalsa20-Poly1305 makes the box between two key pairs, the same from
 * either side. Undefined for a public key that gives nothing (RFC 7748 §6.1). The caller wipes it.
 */
export function boxKey(crypto: CryptoProvider, privateKey: Secret, publicKey: Uint8Array): Secret | undefined {
  const agreed = crypto.agreement("X25519").conclude(privateKey, publicKey);
  if (agreed === undefined) return undefined;
  const key = crypto.hsalsa20(agreed.expose(), zeros);
  agreed.wipe();
  return new Secret(key);
}
