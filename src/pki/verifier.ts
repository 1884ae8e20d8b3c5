import type { CryptoProvider, Instant, PublicKey } from "../contract/index.js";
import { type AnchorInput, AnchorStore } from "./anchor.js";
import { type Certificate, parseCertificate, subjectKey } from "./certificate.js";
import { parseRevocationList, type RevocationList } from "./crl.js";
import type { KeyUsage } from "./extensions.js";
import { PkiFailure } from "./failure.js";
import { KnownCertificates } from "./known.js";
import { limits } from "./limits.js";
import { type IsPublicSuffix, likelyPublicSuffix, matches, type ReferenceId, referenceText } from "./names.js";
import { checkOcsp } from "./ocsp.js";
import { PathSearch, type SearchCost, type SearchOptions, type ValidPath } from "./path.js";
import { toBase64 } from "./pem.js";
import type { PolicyInputs } from "./policy.js";
import {
  type AlgorithmPolicy,
  checkKey,
  checkProfile,
  type ProfileName,
  type Purpose,
  usualAlgorithms,
} from "./profile.js";
import { RevocationLists } from "./revocation.js";
import { checkPurpose, checkValidity } from "./validate.js";

export interface VerifierOptions {
  readonly provider: CryptoProvider;
  /** Trusted roots, in DER; one that cannot be read is left out and named in `rejectedAnchors`. Default: none. */
  readonly anchors?: readonly AnchorInput[];
  /** Certificates that peers may have forgotten to send, in DER. */
  readonly intermediates?: readonly Uint8Array[];
  /** Default: webpki. */
  readonly profile?: ProfileName;
  /** Default: RSA of 2048 bits, P-256, P-384, P-521, Edwards curves, ML-DSA, SHA-2. */
  readonly algorithms?: Partial<AlgorithmPolicy>;
  /** Revocation lists, in DER. What is no list at all is left out and named in `rejectedLists`. */
  readonly crls?: readonly Uint8Array[];
  /**
   * - `available` (default): a certificate whose issuer has a list here must have an answer from it, and a stapled
   *   response is believed; without either, nothing is held against a certificate.
   * - `required`: every certificate below the anchor needs an answer.
   * - `off`: nothing is looked at.
   */
  readonly revocation?: "available" | "required" | "off";
  /** Does a certificate that asks for a stapled response (RFC 7633) need one? Default: enforce. */
  readonly mustStaple?: "enforce" | "ignore";
  /** Default: enforce. Some trust a key rather than the dates around it. */
  readonly anchorExpiry?: "enforce" | "ignore";
  /** RFC 5280 §6.1.1(c)-(g). Default: any policy. */
  readonly policies?: PolicyInputs;
  /** Authorities between anchor and end entity, self-issued ones not counted. Default: as many as a path may have. */
  readonly intermediatesMax?: number;
  /** Pins as RFC 7469 writes them (base64 of SHA-256 of a SubjectPublicKeyInfo): a valid path must hold one of these keys. */
  readonly pins?: readonly string[];
  /**
   * Pins of end-entity keys that are trusted in themselves: a certificate or raw public key (RFC 7250) with one of them
   * needs no path, no name and no date.
   */
  readonly trustedKeys?: readonly string[];
  /** The public suffix list, if the host has it. */
  readonly isPublicSuffix?: IsPublicSuffix;
}

export interface VerifyAsk {
  /** As the peer sent it, in DER: end entity first, the rest in any order. */
  readonly chain: readonly Uint8Array[];
  /** Any of these will do. An empty list checks no name: for servers that look at the client's names themselves. */
  readonly referenceIds: readonly ReferenceId[];
  readonly purpose: Purpose;
  readonly at: Instant;
  /** The stapled OCSP response for the end entity, in DER. */
  readonly stapledOcsp?: Uint8Array | undefined;
  /** Usages that the end entity's key must have, if its certificate limits them. */
  readonly keyUsages?: readonly KeyUsage[];
}

export type Verdict =
  | {
      readonly trusted: true;
      /** From the end entity to the anchor; a pinned certificate or key stands alone. */
      readonly chain: readonly Certificate[];
      readonly certificate: Certificate | undefined;
      readonly publicKey: PublicKey;
      readonly by: "path" | "pin";
      readonly cost: SearchCost;
    }
  | {
      readonly trusted: false;
      readonly failure: PkiFailure;
      /** Every way that was tried, the most telling first; `failure` is the first. */
      readonly failures: readonly PkiFailure[];
      readonly cost: SearchCost;
    };

export interface Verifier {
  readonly profile: ProfileName;
  /** All anchors that can be read; asking for them reads them all. */
  readonly anchors: readonly Certificate[];
  readonly rejectedAnchors: readonly PkiFailure[];
  readonly rejectedLists: readonly PkiFailure[];
  /** Never throws on what a peer sent. */
  verify(ask: VerifyAsk): Verdict;
  /** A raw public key (RFC 7250): trusted if it is one of `trustedKeys`. */
  verifyRawPublicKey(spki: Uint8Array): Verdict;
}

/** A verifier is made once and used for every connection: anchors and lists are read here. */
export function createVerifier(options: VerifierOptions): Verifier {
  return new PathVerifier(options);
}

/** The pin of a key, RFC 7469 §2.4. */
export const pinOf = (provider: CryptoProvider, spki: Uint8Array): string =>
  toBase64(provider.hash("SHA-256").digest(spki));

const noCost: SearchCost = { candidates: 0, signatureChecks: 0, paths: 0, nameComparisons: 0 };

class PathVerifier implements Verifier {
  readonly profile: ProfileName;
  readonly rejectedLists: readonly PkiFailure[];
  readonly #options: VerifierOptions;
  readonly #algorithms: AlgorithmPolicy;
  readonly #anchors: AnchorStore;
  readonly #intermediates: readonly Certificate[];
  readonly #lists: RevocationLists;
  readonly #trustedKeys: ReadonlySet<string>;
  readonly #pins: ReadonlySet<string> | undefined;
  readonly #known: KnownCertificates;

  constructor(options: VerifierOptions) {
    const { provider, profile = "webpki", anchors = [], intermediates = [], crls = [] } = options;
    this.#options = options;
    this.#known = new KnownCertificates(provider);
    this.profile = profile;
    this.#algorithms = { ...usualAlgorithms, ...options.algorithms };
    const context = { provider, profile, algorithms: this.#algorithms };
    this.#anchors = new AnchorStore(anchors, context);
    this.#intermediates = intermediates.map((der) => parseCertificate(der)).filter(isCertificate);
    const lists = crls.map(parseRevocationList);
    this.#lists = new RevocationLists(lists.filter((list): list is RevocationList => !(list instanceof PkiFailure)));
    this.rejectedLists = lists.filter((list): list is PkiFailure => list instanceof PkiFailure);
    this.#trustedKeys = new Set(options.trustedKeys ?? []);
    this.#pins = options.pins && new Set(options.pins);
  }

  get anchors(): readonly Certificate[] {
    return this.#anchors.all().map(({ certificate }) => certificate);
  }

  get rejectedAnchors(): readonly PkiFailure[] {
    return this.#anchors.rejected();
  }

  verify(ask: VerifyAsk): Verdict {
    const [first, ...others] = ask.chain;
    if (!first) return refused(new PkiFailure("no-certificate", "the peer sent no certificate"));
    if (ask.chain.length > limits.chainCertificatesMax) {
      return refused(new PkiFailure("too-many-certificates", `${ask.chain.length} certificates`));
    }
    const endEntity = this.#known.parse(first);
    if (endEntity instanceof PkiFailure) return refused(endEntity.of(0, ""));
    const key = this.#known.keyOf(endEntity);
    const refuse = (failure: PkiFailure): Verdict => refused(failure.of(0, endEntity.text));
    if (!key)
      return refuse(new PkiFailure("unsupported-key", "a key that we do not support", { at: "subjectPublicKeyInfo" }));
    if (this.#isTrustedKey(endEntity.spki)) return trusted([endEntity], endEntity, key, "pin", noCost);

    // an end entity that is an anchor itself is trusted by name: nobody asks whether it may be an authority as well
    const isAnchor = this.#anchors.has(endEntity);
    const failure = this.#checkEndEntity(endEntity, key, ask, isAnchor);
    if (failure) return refuse(failure);
    if (isAnchor) {
      const unpinned = this.#checkPins([endEntity]);
      return unpinned ? refuse(unpinned) : trusted([endEntity], endEntity, key, "path", noCost);
    }
    // what cannot be read is no part of a path, but it may be why there is none
    const sent: Certificate[] = [];
    const unread = new Map<string, PkiFailure>();
    for (const der of others) {
      const read = this.#known.parse(der);
      if (isCertificate(read)) sent.push(read);
      else unread.set(subjectKey(der) ?? "", read);
    }
    const search = new PathSearch([...sent, ...this.#intermediates], unread, this.#searchOptions(ask));
    const found = search.find(endEntity);
    if (found) {
      this.#known.keep(found.path);
      return trusted([...found.path, found.anchor.certificate], endEntity, key, "path", search.cost);
    }
    const failures = search.failures.length > 0 ? search.failures : [unreached(endEntity)];
    return { trusted: false, failure: failures[0]!, failures, cost: search.cost };
  }

  verifyRawPublicKey(spki: Uint8Array): Verdict {
    const key = this.#options.provider.publicKey(spki);
    if (!key)
      return refused(new PkiFailure("unsupported-key", "a key that we do not support", { at: "subjectPublicKeyInfo" }));
    if (this.#isTrustedKey(spki)) return trusted([], undefined, key, "pin", noCost);
    return refused(
      new PkiFailure("unknown-raw-public-key", "a public key that we do not know", {
        hint: `to trust it, add the pin ${pinOf(this.#options.provider, spki)} to trustedKeys`,
      }),
    );
  }

  /** What can be said of the end entity before any path is looked for. */
  #checkEndEntity(certificate: Certificate, key: PublicKey, ask: VerifyAsk, isAnchor: boolean): PkiFailure | undefined {
    const { isPublicSuffix = likelyPublicSuffix } = this.#options;
    const failure =
      checkProfile(isAnchor ? "path" : this.profile, certificate, "end-entity", ask.purpose) ??
      checkKey(this.#algorithms, key) ??
      checkValidity(certificate, ask.at) ??
      checkPurpose(certificate, ask.purpose);
    if (failure) return failure;
    const { keyUsage, subjectAltName = [], tlsFeature } = certificate.extensions;
    const missing = keyUsage && ask.keyUsages?.find((usage) => !keyUsage.has(usage));
    if (missing) return new PkiFailure("wrong-usage", `its key is not for ${missing}`, { at: "keyUsage" });
    const { referenceIds } = ask;
    if (referenceIds.length > 0 && !referenceIds.some((each) => matches(each, subjectAltName, isPublicSuffix))) {
      return new PkiFailure("name-mismatch", `not for ${referenceIds.map(referenceText).join(", ")}`, {
        at: "subjectAltName",
        hint: namesHint(certificate),
      });
    }
    const wantsStaple = tlsFeature?.includes(statusRequest) && this.#options.mustStaple !== "ignore";
    return wantsStaple && !ask.stapledOcsp
      ? new PkiFailure("staple-required", "a stapled OCSP response is required and there is none", { at: "tlsFeature" })
      : undefined;
  }

  #searchOptions(ask: VerifyAsk): SearchOptions {
    const { policies = {}, intermediatesMax = limits.pathCertificatesMax, anchorExpiry = "enforce" } = this.#options;
    return {
      known: this.#known,
      profile: this.profile,
      algorithms: this.#algorithms,
      anchors: this.#anchors,
      at: ask.at,
      purpose: ask.purpose,
      policies,
      intermediatesMax,
      anchorExpiry,
      judge: (found) => this.#checkRevocation(found, ask) ?? this.#checkPins([...found.path, found.anchor.certificate]),
    };
  }

  #checkRevocation({ path, anchor }: ValidPath, { at, stapledOcsp }: VerifyAsk): PkiFailure | undefined {
    const { provider, revocation = "available" } = this.#options;
    if (revocation === "off") return undefined;
    const context = { provider, profile: this.profile, algorithms: this.#algorithms, at };
    for (const [depth, certificate] of path.entries()) {
      const issuer = path[depth + 1] ?? anchor.certificate;
      const key = depth + 1 === path.length ? anchor.publicKey : this.#known.keyOf(issuer)!;
      const staple = depth === 0 && stapledOcsp ? checkOcsp(stapledOcsp, certificate, issuer, key, context) : "none";
      if (staple instanceof PkiFailure) return staple.of(depth, certificate.text);
      const listed = this.#lists.check(certificate, issuer, key, context);
      if (listed instanceof PkiFailure && (listed.reason === "revoked" || staple !== "good")) {
        return listed.of(depth, certificate.text);
      }
      const wantsStaple = depth === 0 && certificate.extensions.tlsFeature?.includes(statusRequest);
      if (wantsStaple && staple === "none" && this.#options.mustStaple !== "ignore") {
        return new PkiFailure("staple-required", "the stapled OCSP response does not answer for the certificate").of(
          depth,
          certificate.text,
        );
      }
      if (revocation === "required" && staple === "none" && listed === "none") {
        return new PkiFailure("revocation-unknown", "neither a revocation list nor an OCSP response").of(
          depth,
          certificate.text,
        );
      }
    }
    return undefined;
  }

  #checkPins(chain: readonly Certificate[]): PkiFailure | undefined {
    const pins = this.#pins;
    if (!pins || chain.some(({ spki }) => pins.has(pinOf(this.#options.provider, spki)))) return undefined;
    return new PkiFailure("not-pinned", "no key of the path is pinned", { at: "subjectPublicKeyInfo" }).of(
      0,
      chain[0]!.text,
    );
  }

  #isTrustedKey(spki: Uint8Array): boolean {
    return this.#trustedKeys.size > 0 && this.#trustedKeys.has(pinOf(this.#options.provider, spki));
  }
}

/** TLS extension status_request, which is what must-staple asks for. */
const statusRequest = 5;

const isCertificate = (parsed: Certificate | PkiFailure): parsed is Certificate => !(parsed instanceof PkiFailure);

const refused = (failure: PkiFailure): Verdict => ({ trusted: false, failure, failures: [failure], cost: noCost });

const trusted = (
  chain: readonly Certificate[],
  certificate: Certificate | undefined,
  publicKey: PublicKey,
  by: "path" | "pin",
  cost: SearchCost,
): Verdict => ({ trusted: true, chain, certificate, publicKey, by, cost });

const unreached = (certificate: Certificate): PkiFailure =>
  new PkiFailure("unknown-issuer", "no path leads to a trust anchor", { at: "issuer" }).of(0, certificate.text);

function namesHint({ extensions, text }: Certificate): string {
  const names = (extensions.subjectAltName ?? []).flatMap((name) => ("text" in name ? [name.text] : []));
  if (names.length === 0) return `it names no host${text ? ` (its subject, ${text}, does not count)` : ""}`;
  return `it is for ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`;
}
