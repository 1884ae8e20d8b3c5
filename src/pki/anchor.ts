import { equal } from "../bytes/index.js";
import type { CryptoProvider, PublicKey } from "../contract/index.js";
import { type Certificate, parseCertificate, subjectKey } from "./certificate.js";
import type { NameConstraints } from "./extensions.js";
import { PkiFailure } from "./failure.js";
import { oldRoots } from "./old-roots.js";
import { toBase64 } from "./pem.js";
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

/**
 * All anchors of a verifier, found by the name of their subject. A system trusts some hundred and fifty, and a connection
 * needs one: of each only the subject is read at first, the rest and its key when a path reaches it.
 */
export class AnchorStore {
  readonly #context: AnchorContext;
  readonly #entries: Entry[] = [];
  readonly #bySubject = new Map<string, Entry[]>();

  constructor(inputs: readonly AnchorInput[], context: AnchorContext) {
    this.#context = context;
    for (const input of inputs) {
      const options = input instanceof Uint8Array ? { certificate: input } : input;
      const entry: Entry = { options, read: undefined };
      this.#entries.push(entry);
      const key = subjectKey(options.certificate);
      if (key === undefined) continue;
      const same = this.#bySubject.get(key);
      if (same) same.push(entry);
      else this.#bySubject.set(key, [entry]);
    }
  }

  /** Anchors whose subject has this key. */
  get(subject: string): readonly Anchor[] {
    const entries = this.#bySubject.get(subject) ?? [];
    return entries.map((entry) => this.#read(entry)).filter(isAnchor);
  }

  /** Why an anchor whose subject has this key cannot be used. */
  unreadable(subject: string): PkiFailure | undefined {
    const entries = this.#bySubject.get(subject) ?? [];
    return entries.map((entry) => this.#read(entry)).find(isFailure);
  }

  has(certificate: Certificate): boolean {
    const entries = this.#bySubject.get(certificate.subject.key) ?? [];
    return entries.some(({ options }) => equal(options.certificate, certificate.raw));
  }

  all(): readonly Anchor[] {
    return this.#entries.map((entry) => this.#read(entry)).filter(isAnchor);
  }

  rejected(): readonly PkiFailure[] {
    return this.#entries.map((entry) => this.#read(entry)).filter(isFailure);
  }

  #read(entry: Entry): Anchor | PkiFailure {
    return (entry.read ??= readAnchor(entry.options, this.#context));
  }
}

interface Entry {
  readonly options: AnchorOptions;
  read: Anchor | PkiFailure | undefined;
}

const isAnchor = (read: Anchor | PkiFailure): read is Anchor => !isFailure(read);
const isFailure = (read: Anchor | PkiFailure): read is PkiFailure => read instanceof PkiFailure;

function readAnchor(options: AnchorOptions, { provider, profile, algorithms }: AnchorContext): Anchor | PkiFailure {
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
  const broken = checkProfile(profile, certificate, "anchor", "any");
  const forgiven = broken && oldRoots.has(toBase64(provider.hash("SHA-256").digest(certificate.spki)));
  return {
    certificate,
    publicKey,
    constraints:
      permittedDomains.length + excludedDomains.length > 0
        ? { permitted: domains(permittedDomains), excluded: domains(excludedDomains) }
        : undefined,
    purposes: options.purposes,
    failure: (forgiven ? undefined : broken) ?? checkKey(algorithms, publicKey),
  };
}
