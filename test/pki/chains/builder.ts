import type { PrivateKey } from "../../../src/contract/index.js";
import type { Certificate, PkiReason, ProfileName, VerifierOptions, VerifyAsk } from "../../../src/pki/index.js";
import { PkiFailure, parseCertificate } from "../../../src/pki/index.js";
import {
  type CertificateOptions,
  type CertificateTemplate,
  certificateTemplate,
  type ExtensionSpec,
  type Issuer,
  type NameSpec,
  signCertificate,
} from "../../../src/pki/make/index.js";
import { at, validity, world } from "../fixtures.js";

/** A certificate with its key, made even if we would not read it. */
export interface Made extends Issuer {
  readonly der: Uint8Array;
  readonly template: CertificateTemplate;
}

export interface Bend extends Partial<Omit<CertificateOptions, "issuer">> {
  /** Changes the template before it is signed. */
  readonly bend?: (template: CertificateTemplate) => CertificateTemplate;
  /** Signs with another key than the issuer's. */
  readonly signer?: PrivateKey;
  readonly issuerName?: NameSpec;
  readonly pathLength?: number;
  readonly algorithms?: { inside?: Uint8Array; outside?: Uint8Array };
}

/** What a case may use; its keys and serial numbers depend on its name alone. */
export class Forge {
  readonly world: ReturnType<typeof world>;
  #count = 0;

  constructor(seed: string) {
    this.world = world(seed);
  }

  key(kind?: Parameters<ReturnType<typeof world>["newKey"]>[0]): PrivateKey {
    return this.world.newKey(kind);
  }

  root(bend: Bend = {}): Made {
    return this.#make(undefined, { subject: "O=Test, CN=Root", ...bend }, true);
  }

  authority(issuer: Issuer, bend: Bend = {}): Made {
    return this.#make(issuer, { subject: `O=Test, CN=Authority ${++this.#count}`, ...bend }, true);
  }

  leaf(issuer: Issuer, bend: Bend = {}): Made {
    return this.#make(issuer, { san: ["example.com"], ...bend }, false);
  }

  /** The same authority (name and key), certified by another issuer. */
  cross(of: Made, issuer: Issuer, bend: Bend = {}): Made {
    const template = (each: CertificateTemplate) => ({ ...each, subject: of.template.subject });
    return this.#make(issuer, { key: of.privateKey, subject: "", bend: template, ...bend }, true);
  }

  #make(issuer: Issuer | undefined, given: Bend, isAuthority: boolean): Made {
    const { bend, signer, pathLength, algorithms, issuerName, ...options } = given;
    const key = options.key ?? this.key();
    const { provider, entropy } = this.world;
    const drawn = certificateTemplate(
      { provider, entropy, ...validity, ...options, key, ...(issuer && { issuer }) },
      isAuthority ? { pathLength } : undefined,
    );
    const template = bend ? bend(drawn) : drawn;
    const signing = signer ?? issuer?.privateKey ?? key;
    const der = signCertificate(template, signing, options.algorithm, algorithms);
    const parsed = parseCertificate(der);
    const certificate = parsed instanceof PkiFailure ? unreadable(der, template) : parsed;
    return { der, template, certificate, privateKey: key };
  }
}

/** Enough of a certificate to issue others below one that cannot be read. */
function unreadable(der: Uint8Array, template: CertificateTemplate): Certificate {
  const plain = parseCertificate(der, "tolerant");
  if (!(plain instanceof PkiFailure)) return plain;
  return {
    raw: der,
    subject: { raw: template.subject },
    extensions: {},
    publicKeyBits: template.spki,
  } as unknown as Certificate;
}

export interface Setting {
  readonly anchors: readonly Made[];
  readonly chain: readonly (Made | Uint8Array)[];
  readonly ask?: Partial<VerifyAsk>;
  readonly options?: Partial<VerifierOptions>;
}

export type Expected = "accepted" | PkiReason | readonly PkiReason[];

export interface Case {
  readonly name: string;
  readonly make: (forge: Forge) => Setting;
  /** One for all profiles, or one for each. */
  readonly expect: Expected | Readonly<Partial<Record<ProfileName, Expected>>>;
}

export const good = (name: string, make: Case["make"]): Case => ({ name, make, expect: "accepted" });
export const bad = (name: string, reason: Exclude<Expected, "accepted">, make: Case["make"]): Case => ({
  name,
  make,
  expect: reason,
});
export const differs = (
  name: string,
  expect: Readonly<Partial<Record<ProfileName, Expected>>>,
  make: Case["make"],
): Case => ({ name, make, expect });

/** A chain of these, the root trusted and not sent. */
export const chainOf = (root: Made, ...below: readonly Made[]): Pick<Setting, "anchors" | "chain"> => ({
  anchors: [root],
  chain: [...below].reverse(),
});

export const raw = (spec: ExtensionSpec, change: Partial<ExtensionSpec>): ExtensionSpec => ({ ...spec, ...change });

export const day = 86_400_000;
export { at };
