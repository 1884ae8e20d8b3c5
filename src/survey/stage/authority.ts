import type { Host } from "../../contract/index.js";
import {
  type Certificate,
  createVerifier,
  makeAuthority,
  makeCertificate,
  makePrivateKey,
  writePem,
} from "../../pki/index.js";
import { type TlsIdentity, trust, type VerifyPeer } from "../../protocols/tls/index.js";

const dayMs = 86_400_000;

/** An authority that was made for this run, and that nobody else trusts. */
export interface Authority {
  /** DER of its certificate. */
  readonly certificate: Uint8Array;
  /** PEM of the same, for a program that wants a file. */
  readonly trustPem: string;
  /** An identity for the names; remembered by them, since keys are slow to make. */
  identity(...names: readonly string[]): Promise<TlsIdentity>;
  /** Full validation of a chain and its name, with this authority alone trusted. */
  readonly verify: VerifyPeer;
  /** PEM of an identity, for a program that wants files. */
  pem(...names: readonly string[]): Promise<{ readonly chain: string; readonly key: string }>;
}

interface Issued {
  readonly certificate: Certificate;
  readonly identity: TlsIdentity;
  readonly keyPem: string;
}

/** Makes an authority for an hour or so of proofs, whose signatures are the same for the same seed if it is one of Ed25519; nothing of it is ever written down, except for a peer that wants files. */
export function newAuthority(host: Host, curve: "P-256" | "Ed25519" = "P-256"): Authority {
  const { crypto, entropy } = host;
  const now = host.now();
  const common = { provider: crypto, entropy, notBefore: now - dayMs / 24, notAfter: now + dayMs };
  const newKey = () => {
    const pkcs8 = makePrivateKey(curve, entropy);
    const key = crypto.privateKey(pkcs8.expose());
    if (key === undefined) throw new Error(`the provider has no ${curve} keys`);
    return { key, pkcs8 };
  };
  const root = newKey();
  const authority = makeAuthority({ ...common, key: root.key, subject: [["CN", "Sealport survey"]] });
  const issued = new Map<string, Issued>();
  const issue = (names: readonly string[]): Issued => {
    const known = issued.get(names.join());
    if (known !== undefined) return known;
    const { key, pkcs8 } = newKey();
    const issuer = { certificate: authority, privateKey: root.key };
    const certificate = makeCertificate({ ...common, key, issuer, san: names });
    const made: Issued = {
      certificate,
      identity: {
        certificates: [certificate.raw],
        publicKey: key.publicKey,
        sign: (algorithm, message) => key.sign(algorithm, message),
      },
      keyPem: writePem("PRIVATE KEY", pkcs8.expose()),
    };
    pkcs8.wipe();
    issued.set(names.join(), made);
    return made;
  };
  return {
    certificate: authority.raw,
    trustPem: writePem("CERTIFICATE", authority.raw),
    identity: async (...names) => issue(names).identity,
    verify: trust(createVerifier({ provider: crypto, anchors: [authority.raw] })),
    pem: async (...names) => {
      const { certificate, keyPem } = issue(names);
      return { chain: writePem("CERTIFICATE", certificate.raw), key: keyPem };
    },
  };
}
