import type { CryptoProvider, PublicKey } from "../contract/index.js";
import { type Certificate, parseCertificate } from "./certificate.js";
import type { NameConstraints } from "./extensions.js";
import { PkiFailure } from "./failure.js";
import { type AlgorithmPolicy, checkKey, checkProfile, type ProfileName, type Purpose } from "./profile.js";

/** What is trusted: a certificate in DER, and what its holder limits it to besides what it says of itself. */
export type AnchorInput = Uint8Array | AnchorOptions;

export interface AnchorOptions {
  readonly certificate: Uint8Array;
  /** DNS names below these, and no others. */
  readonly permittedDomains?: readonly string[];
  readonly excludedDomains?: readonly string[];
  /** Purposes for which it is trusted. Default: every one. */
  readonly purposes?: readonly Purpose[];
}

/** A trust anchor, RFC 5280 §6.1.1(d): read once, used for every path. */
export interface Anchor {
  readonly certificate: Certificate;
  readonly publicKey: PublicKey;
  readonly constraints: NameConstraints | undefined;
  readonly purposes: readonly Purpose[] | undefined;
  /** Why it fits no path, by the profile; paths that reach it fail with this. */
  readonly failure: PkiFailure | undefined;
}

export interface AnchorContext {
  readonly provider: CryptoProvider;
  readonly profile: ProfileName;
  readonly algorithms: AlgorithmPolicy;
}

export function readAnchor(input: AnchorInput, { provider, profile, algorithms }: AnchorContext): Anchor | PkiFailure {
  const options: AnchorOptions = input instanceof Uint8Array ? { certificate: input } : input;
  const certificate = parseCertificate(options.certificate, "tolerant");
  if (certificate instanceof PkiFailure) return certificate;
  const publicKey = provider.publicKey(certificate.spki);
  if (!publicKey) {
    return new PkiFailure("unsupported-key", "a trust anchor with a key that we do not support", {
      subject: certificate.text,
      at: "subjectPublicKeyInfo",
    });
  }
  const { permittedDomains = [], excludedDomains = [] } = options;
  const domains = (texts: readonly string[]) => texts.map((text) => ({ form: "dNSName" as const, text }));
  return {
    certificate,
    publicKey,
    constraints:
      permittedDomains.length + excludedDomains.length > 0
        ? { permitted: domains(permittedDomains), excluded: domains(excludedDomains) }
        : undefined,
    purposes: options.purposes,
    failure: checkProfile(profile, certificate, "anchor", "any") ?? checkKey(algorithms, publicKey),
  };
}
