import { portableCrypto } from "../../src/hosts/node/crypto-portable/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { makeAuthority, makeCertificate, makePrivateKey, writePem } from "../../src/pki/index.js";
import { type PemIdentity, serverName } from "./implementation.js";

/** A server's identity, and who to trust for it. */
export interface Credentials {
  readonly identity: PemIdentity;
  readonly trust: string;
}

/** Made anew for each run. */
export function issue(): Credentials {
  const { crypto, entropy, now } = nodeHost({ crypto: portableCrypto });
  const at = now();
  const common = { provider: crypto, entropy, notBefore: at - 3_600_000, notAfter: at + 86_400_000 };
  const make = () => {
    const pkcs8 = makePrivateKey("P-256", entropy, crypto);
    return { pkcs8, key: crypto.privateKey(pkcs8.expose())! };
  };
  const root = make();
  const authority = makeAuthority({ ...common, key: root.key, subject: [["CN", "Bench"]] });
  const leaf = make();
  const issuer = { certificate: authority, privateKey: root.key };
  const certificate = makeCertificate({ ...common, key: leaf.key, issuer, san: [serverName] });
  return {
    trust: writePem("CERTIFICATE", authority.raw),
    identity: { chain: writePem("CERTIFICATE", certificate.raw), key: writePem("PRIVATE KEY", leaf.pkcs8.expose()) },
  };
}
