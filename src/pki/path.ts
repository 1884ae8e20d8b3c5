import { equal, toHex } from "../bytes/index.js";
import type { PublicKey } from "../contract/index.js";
import type { Anchor, AnchorStore } from "./anchor.js";
import { type Certificate, isSelfIssued } from "./certificate.js";
import { PkiFailure } from "./failure.js";
import type { KnownCertificates } from "./known.js";
import { limits } from "./limits.js";
import { type AlgorithmPolicy, checkKey, checkProfile, checkSignatureName, type ProfileName } from "./profile.js";
import { checkAuthority, checkPurpose, checkValidity, type PathContext, validatePath } from "./validate.js";

/** A valid path: the end entity first, the anchor not among the certificates. */
export interface ValidPath {
  readonly path: readonly Certificate[];
  readonly anchor: Anchor;
}

/** What a search cost, in the units of `limits`. */
export interface SearchCost {
  readonly candidates: number;
  readonly signatureChecks: number;
  readonly paths: number;
  readonly nameComparisons: number;
}

export interface SearchOptions extends PathContext {
  readonly known: KnownCertificates;
  readonly profile: ProfileName;
  readonly algorithms: AlgorithmPolicy;
  readonly anchors: AnchorStore;
  /** Judges a path that is valid so far: revocation, pins. */
  readonly judge: (found: ValidPath) => PkiFailure | undefined;
}

/**
 * Finds a path from an end entity to an anchor (RFC 4158): depth first from the end entity, anchors before intermediates,
 * and of each those first whose key identifier, validity and place in the peer's list speak for them. Identifiers are
 * hints: none excludes a candidate. A key is not visited twice on one path, which ends cycles; candidates,
 * signatures, paths and name comparisons are counted over the whole search, which ends everything else. A signature
 * is verified once however many paths share it.
 */
export class PathSearch {
  #options: SearchOptions;
  #pool: ReadonlyMap<string, readonly Certificate[]>;
  #unread: ReadonlyMap<string, PkiFailure>;
  #failures: PkiFailure[] = [];
  #signatures = new Map<string, boolean>();
  #ids = new Map<Certificate, number>();
  #judged = new Map<Certificate, PkiFailure | undefined>();
  #candidates = 0;
  #signatureChecks = 0;
  #paths = 0;
  readonly #budget = { nameComparisonsLeft: limits.nameComparisonsMax };

  /** `unread` has the certificates that came and cannot be read, by the keys of their subjects. */
  constructor(intermediates: readonly Certificate[], unread: ReadonlyMap<string, PkiFailure>, options: SearchOptions) {
    this.#options = options;
    this.#unread = unread;
    this.#pool = bySubject(intermediates);
  }

  get cost(): SearchCost {
    return {
      candidates: this.#candidates,
      signatureChecks: this.#signatureChecks,
      paths: this.#paths,
      nameComparisons: limits.nameComparisonsMax - Math.max(0, this.#budget.nameComparisonsLeft),
    };
  }

  /** Failures in the order in which ways were tried; the most telling first. */
  get failures(): readonly PkiFailure[] {
    return this.#failures;
  }

  find(endEntity: Certificate): ValidPath | undefined {
    return this.#extend([endEntity]);
  }

  /** All ways on from the topmost certificate of this path. */
  #extend(path: readonly Certificate[]): ValidPath | undefined {
    const top = path.at(-1)!;
    const anchors = this.#options.anchors.get(top.issuer.key);
    for (const anchor of ranked(anchors, ({ certificate }) => this.#rank(certificate, top))) {
      const found = this.#finish(path, anchor);
      if (found || this.#exhausted) return found;
    }
    if (path.length >= limits.pathCertificatesMax) {
      this.#note(
        new PkiFailure("path-too-long", `more than ${limits.pathCertificatesMax} certificates`),
        path.length,
        top,
      );
      return undefined;
    }
    const candidates = this.#pool.get(top.issuer.key) ?? [];
    for (const candidate of ranked(candidates, (each) => this.#rank(each, top))) {
      if (path.some((each) => sameKeyHolder(each, candidate))) continue;
      if (!this.#countCandidate()) return undefined;
      const failure =
        this.#judgeIntermediate(candidate) ?? this.#checkSignature(top, candidate, this.#keyOf(candidate));
      if (failure) {
        this.#note(failure, path.length, candidate);
        if (this.#exhausted) return undefined;
        continue;
      }
      const found = this.#extend([...path, candidate]);
      if (found || this.#exhausted) return found;
    }
    if (anchors.length === 0 && candidates.length === 0) {
      const unread = this.#options.anchors.unreadable(top.issuer.key) ?? this.#unread.get(top.issuer.key);
      if (unread) this.#failures.push(unread.of(path.length, unread.subject ?? ""));
      this.#note(
        new PkiFailure(
          "unknown-issuer",
          `no issuer known: ${path.length === 1 ? "the certificate" : "the chain"} ends here`,
          {
            at: "issuer",
            hint: isSelfIssued(top)
              ? "the certificate is self-signed and not trusted: add it to the anchors, or pin its key"
              : "is the issuer's root among the anchors, and did the peer send its intermediate certificates?",
          },
        ),
        path.length - 1,
        top,
      );
    }
    return undefined;
  }

  /** The path has reached an anchor. */
  #finish(path: readonly Certificate[], anchor: Anchor): ValidPath | undefined {
    if (!this.#countCandidate()) return undefined;
    const top = path.at(-1)!;
    const unsigned = this.#checkSignature(top, anchor.certificate, anchor.publicKey);
    if (unsigned) {
      this.#note(unsigned, path.length - 1, top);
      return undefined;
    }
    if (++this.#paths > limits.pathsMax) {
      this.#stop(`more than ${limits.pathsMax} paths`);
      return undefined;
    }
    const found = { path, anchor };
    const failure = validatePath(path, anchor, this.#options, this.#budget) ?? this.#options.judge(found);
    if (!failure) return found;
    // a whole path that fails says more than a candidate that does not fit
    if (this.#failures.length < limits.failuresMax) this.#failures.splice(this.#wholePaths++, 0, failure);
    return undefined;
  }

  #wholePaths = 0;
  #exhausted = false;

  #stop(message: string): void {
    this.#exhausted = true;
    this.#failures.unshift(
      new PkiFailure("limit-reached", `${message}, and none of them valid so far`, { at: "path" }),
    );
  }

  #note(failure: PkiFailure, depth: number, certificate: Certificate): void {
    if (this.#failures.length < limits.failuresMax) this.#failures.push(failure.of(depth, certificate.text));
  }

  #countCandidate(): boolean {
    if (this.#exhausted) return false;
    if (++this.#candidates <= limits.candidatesMax) return true;
    this.#stop(`more than ${limits.candidatesMax} candidates`);
    return false;
  }

  /** What can be said of an intermediate wherever it stands; each is judged once. */
  #judgeIntermediate(certificate: Certificate): PkiFailure | undefined {
    if (this.#judged.has(certificate)) return this.#judged.get(certificate);
    const { at, purpose, profile, algorithms } = this.#options;
    const key = this.#keyOf(certificate);
    const failure =
      checkAuthority(certificate) ??
      checkValidity(certificate, at) ??
      checkPurpose(certificate, purpose) ??
      checkProfile(profile, certificate, "intermediate", purpose) ??
      (key ? checkKey(algorithms, key) : unsupportedKey());
    this.#judged.set(certificate, failure);
    return failure;
  }

  /** RFC 5280 §6.1.3(a)(1). */
  #checkSignature(child: Certificate, issuer: Certificate, key: PublicKey | undefined): PkiFailure | undefined {
    const forbidden = checkSignatureName(this.#options.algorithms, child);
    if (forbidden) return forbidden;
    if (!key) return unsupportedKey();
    const id = `${this.#idOf(child)} ${toHex(issuer.spki)}`;
    let valid = this.#signatures.get(id);
    if (valid === undefined) {
      if (++this.#signatureChecks > limits.signatureChecksMax) {
        this.#stop(`more than ${limits.signatureChecksMax} signatures`);
        return new PkiFailure("limit-reached", "too many signatures to verify", { at: "signatureValue" });
      }
      valid = this.#options.known.isSignedBy(child, key);
      this.#signatures.set(id, valid);
    }
    return valid
      ? undefined
      : new PkiFailure("bad-signature", `not signed by ${issuer.text}`, { at: "signatureValue" });
  }

  #keyOf(certificate: Certificate): PublicKey | undefined {
    return this.#options.known.keyOf(certificate);
  }

  #idOf(certificate: Certificate): number {
    let id = this.#ids.get(certificate);
    if (id === undefined) this.#ids.set(certificate, (id = this.#ids.size));
    return id;
  }

  /** Lower is better (RFC 4158 §3.5). */
  #rank(issuer: Certificate, child: Certificate): number {
    const wanted = child.extensions.authorityKeyIdentifier?.keyIdentifier;
    const has = issuer.extensions.subjectKeyIdentifier;
    const identified = wanted && has ? (equal(wanted, has) ? 0 : 4) : 2;
    return identified + (checkValidity(issuer, this.#options.at) ? 1 : 0) + (isSelfIssued(issuer) ? 0.5 : 0);
  }
}

/** RFC 4158 §5.2: the same name with the same key would make a loop. */
const sameKeyHolder = (a: Certificate, b: Certificate): boolean =>
  a.subject.key === b.subject.key && equal(a.spki, b.spki);

function bySubject(certificates: readonly Certificate[]): ReadonlyMap<string, readonly Certificate[]> {
  const seen = new Set<string>();
  const map = new Map<string, Certificate[]>();
  for (const certificate of certificates) {
    const id = toHex(certificate.raw);
    if (seen.has(id)) continue;
    seen.add(id);
    const { key } = certificate.subject;
    const same = map.get(key);
    if (same) same.push(certificate);
    else map.set(key, [certificate]);
  }
  return map;
}

function ranked<T>(items: readonly T[], rank: (item: T) => number): readonly T[] {
  if (items.length < 2) return items;
  return items
    .map((item) => ({ item, rank: rank(item) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}

const unsupportedKey = (): PkiFailure =>
  new PkiFailure("unsupported-key", "a key that we do not support", { at: "subjectPublicKeyInfo" });
