import { toBase64 } from "../../bytes/index.js";
import type { CryptoProvider, Entropy } from "../../contract/index.js";
import { Suite } from "./noise.js";

/** A static key pair as files have it: 32 bytes each, in base64. */
export interface WireGuardKeys {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** The public key, 32 bytes, of a private one, which stays the caller's. */
export function publicKeyOf(crypto: CryptoProvider, privateKey: Uint8Array): Uint8Array {
  const pair = new Suite(crypto).keyPair(privateKey);
  pair.privateKey.wipe();
  return pair.publicKey;
}

/** A new key pair, drawn from the host's entropy. */
export function newKeys(host: { readonly crypto: CryptoProvider; readonly entropy: Entropy }): WireGuardKeys {
  const { privateKey, publicKey } = new Suite(host.crypto).newKeyPair(host.entropy);
  const keys = { privateKey: toBase64(privateKey.expose()), publicKey: toBase64(publicKey) };
  privateKey.wipe();
  return keys;
}
