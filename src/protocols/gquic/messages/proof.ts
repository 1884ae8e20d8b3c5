import { concat, utf8 } from "../../../bytes/index.js";
import type { CryptoProvider, PublicKey, SignatureName } from "../../../contract/index.js";
import { le } from "./message.js";

const label = utf8("QUIC CHLO and server config signature\0");

/** What PROF signs: the client hello that it answers, by its hash, and the server's config. */
export function proofInput(crypto: CryptoProvider, hello: Uint8Array, config: Uint8Array): Uint8Array {
  const digest = crypto.hash("SHA-256").digest(hello);
  return concat(label, le(digest.length, 4), digest, config);
}

/** How a key signs it; undefined for keys that the protocol has no signature for. */
export function proofAlgorithm({ type, curve }: PublicKey): SignatureName | undefined {
  if (type === "RSA") return "RSA-PSS-SHA-256";
  return type === "EC" && curve === "P-256" ? "ECDSA-P-256-SHA-256" : undefined;
}
