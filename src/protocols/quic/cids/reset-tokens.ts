import { utf8 } from "../../../bytes/index.js";
import type { CryptoProvider, Mac, Secret } from "../../../contract/index.js";

/** Bytes of a stateless reset token (RFC 9000 §10.3). */
export const resetTokenSize = 16;

const label = utf8("quic stateless reset");

/**
 * Stateless reset tokens of our connection ids (RFC 9000 §10.3.2): a MAC of the id under a static key, so that a server that
 * lost all else can still end a connection, and nobody else can.
 */
export class ResetTokens {
  readonly #mac: Mac;

  constructor(crypto: CryptoProvider, key: Secret) {
    this.#mac = crypto.hash("SHA-256").hmac(key.expose());
  }

  /** Memory of its own. */
  of(cid: Uint8Array): Uint8Array {
    return this.#mac.compute(label, cid).slice(0, resetTokenSize);
  }

  destroy(): void {
    this.#mac.destroy();
  }
}
