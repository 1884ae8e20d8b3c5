import type { CryptoProvider, Entropy, Instant } from "../../contract/index.js";
import { makeCertificate, makePrivateKey } from "../../pki/index.js";
import type { TlsIdentity } from "../tls/index.js";
import { certificateLifetimeMs } from "./limits.js";

/**
 * A key and a certificate for one session, signed by itself and with nothing about us in it (RFC 8827 §6.5, RFC 8122 §5): the
 * peer knows it by its fingerprint. ECDSA with P-256 and SHA-256.
 */
export function sessionIdentity(crypto: CryptoProvider, entropy: Entropy, now: Instant): TlsIdentity {
  const key = crypto.privateKey(makePrivateKey("P-256", entropy).expose());
  if (key === undefined) throw new TypeError("the provider has no P-256");
  const { raw } = makeCertificate({
    provider: crypto,
    entropy,
    key,
    subject: [["CN", "WebRTC"]],
    notBefore: now - certificateLifetimeMs,
    notAfter: now + certificateLifetimeMs,
  });
  return { certificates: [raw], publicKey: key.publicKey, sign: (algorithm, message) => key.sign(algorithm, message) };
}
