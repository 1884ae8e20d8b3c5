import type { CryptoProvider, HashName } from "../../../contract/index.js";
import { isPkiFailure, parseCertificate } from "../../../pki/index.js";

/**
 * tls-server-end-point, RFC 5929 §4.1: the certificate's hash, with the hash of its own signature, but nothing weaker than
 * SHA-256. Undefined where that signature has no hash of its own, as with EdDSA.
 */
export function serverEndPoint(crypto: CryptoProvider, certificate: Uint8Array): Uint8Array | undefined {
  const parsed = parseCertificate(certificate);
  if (isPkiFailure(parsed)) return undefined;
  const hash = parsed.signatureName?.match(/-(MD5|SHA-\d+)$/)?.[1];
  if (hash === undefined) return undefined;
  const strong = hash === "MD5" || hash === "SHA-1" ? "SHA-256" : (hash as HashName);
  return crypto.hash(strong).digest(certificate);
}
