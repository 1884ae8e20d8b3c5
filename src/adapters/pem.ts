import type { CryptoProvider, Identity } from "../contract/index.js";
import { chooseCrypto } from "../hosts/node/crypto.js";
// Not by the room's door: who reads a file does not check certificates.
import { isPkiFailure, PkiFailure } from "../pki/failure.js";
import { readCertificates } from "../pki/pem.js";
import { readPrivateKey } from "../pki/private-key.js";

export interface PemIdentityInit {
  /** PEM or DER of the chain, end entity first. The key may be in the same text. */
  readonly chain: string | Uint8Array;
  /** PEM or DER of the private key; default: the key in `chain`. */
  readonly key?: string | Uint8Array;
  /** Of an encrypted key (PBES2). */
  readonly password?: string | Uint8Array;
  /** What signs. Default: the provider that the Node host chose. */
  readonly provider?: CryptoProvider;
}

/** An Identity from the files that other tools write. Throws a `PkiFailure` that says what is wrong with them. */
export function identityFromPem({
  chain,
  key = chain,
  password,
  provider = chooseCrypto().provider,
}: PemIdentityInit): Identity {
  const certificates = certificatesFromPem(chain);
  const pkcs8 = readPrivateKey(key, { provider, ...(password !== undefined && { password }) });
  if (isPkiFailure(pkcs8)) throw pkcs8;
  const privateKey = provider.privateKey(pkcs8.expose());
  pkcs8.wipe();
  if (privateKey === undefined)
    throw new PkiFailure("unsupported-key", "a private key of a kind that is not supported");
  return {
    certificates,
    publicKey: privateKey.publicKey,
    sign: (algorithm, message) => privateKey.sign(algorithm, message),
  };
}

/** The certificates of a PEM text (or one in DER), for `trust`. Throws a `PkiFailure` if there are none. */
export function certificatesFromPem(text: string | Uint8Array): readonly Uint8Array[] {
  const found = readCertificates(text);
  if (isPkiFailure(found)) throw found;
  if (found.length === 0) throw new PkiFailure("malformed-pem", "the text holds no certificate", { at: "PEM" });
  return found;
}
