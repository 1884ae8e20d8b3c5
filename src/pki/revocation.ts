import { toHex } from "../bytes/index.js";
import type { Instant, PublicKey } from "../contract/index.js";
import type { Certificate } from "./certificate.js";
import { compareNumbers, type RevocationList, type RevokedEntry, reasonRemoveFromCrl, sameScope } from "./crl.js";
import { type DistributionPoint, type ReasonFlag, reasonFlags } from "./extensions.js";
import { PkiFailure } from "./failure.js";
import type { GeneralName } from "./general-name.js";
import { type AlgorithmPolicy, isAuthority, type ProfileName } from "./profile.js";

export interface RevocationContext {
  readonly at: Instant;
  readonly profile: ProfileName;
  readonly algorithms: AlgorithmPolicy;
}

/** Lists by their issuer's name; each signature is verified once for each key. */
export class RevocationLists {
  #byIssuer = new Map<string, RevocationList[]>();
  #verified = new WeakMap<RevocationList, Map<string, boolean>>();

  constructor(lists: readonly RevocationList[]) {
    for (const list of lists) {
      const same = this.#byIssuer.get(list.issuer.key);
      if (same) same.push(list);
      else this.#byIssuer.set(list.issuer.key, [list]);
    }
  }

  /**
   * RFC 5280 §6.3.3 for one certificate: `good`, `none` if its issuer has no list here, or the failure: revoked, or no
   * answer although there are lists.
   */
  check(
    certificate: Certificate,
    issuer: Certificate,
    key: PublicKey,
    context: RevocationContext,
  ): "good" | "none" | PkiFailure {
    const lists = this.#byIssuer.get(certificate.issuer.key);
    if (!lists) return "none";
    const missing = new Set<ReasonFlag>(allReasons);
    let why: PkiFailure | undefined;
    for (const list of lists) {
      if (list.deltaOf) continue;
      const usable = this.#use(list, certificate, issuer, key, context);
      if (usable instanceof PkiFailure) {
        why ??= usable;
        continue;
      }
      const delta = lists.find((each) => this.#completes(each, list, certificate, issuer, key, context));
      const entry = lookUp(certificate, list, delta);
      if (entry instanceof PkiFailure) return entry;
      if (entry) {
        return new PkiFailure("revoked", `revoked on ${new Date(entry.revokedAt).toISOString()}`, {
          at: "revocation list",
        });
      }
      for (const reason of usable) missing.delete(reason);
    }
    if (missing.size === 0) return "good";
    return new PkiFailure("revocation-unknown", `no usable revocation list: ${why?.message ?? "reasons are missing"}`, {
      at: why?.at ?? "revocation list",
      cause: why,
    });
  }

  /** §6.3.3(b) to (g): the reasons for which the list answers, or why it does not. */
  #use(
    list: RevocationList,
    certificate: Certificate,
    issuer: Certificate,
    key: PublicKey,
    { at, profile, algorithms }: RevocationContext,
  ): ReadonlySet<ReasonFlag> | PkiFailure {
    if (list.unusable) return list.unusable;
    if (at < list.thisUpdate) return unusable("a list from the future", "thisUpdate");
    if (at > list.nextUpdate) return unusable("a list that is out of date", "nextUpdate");
    const scoped = inScope(list, certificate, profile);
    if (scoped instanceof PkiFailure) return scoped;
    const { keyUsage } = issuer.extensions;
    if (keyUsage && !keyUsage.has("cRLSign")) return unusable("an issuer that may not sign lists", "keyUsage");
    if (!list.signatureName || !algorithms.signatures.includes(list.signatureName)) {
      return unusable("a list signed with an algorithm that is not good enough", "signatureAlgorithm");
    }
    return this.#isSigned(list, issuer, key)
      ? scoped
      : unusable("a list that its issuer did not sign", "signatureValue");
  }

  #isSigned(list: RevocationList, issuer: Certificate, key: PublicKey): boolean {
    let known = this.#verified.get(list);
    if (!known) this.#verified.set(list, (known = new Map()));
    const id = toHex(issuer.spki);
    let valid = known.get(id);
    if (valid === undefined) known.set(id, (valid = key.verify(list.signatureName!, list.tbs, list.signature)));
    return valid;
  }

  /** §5.2.4: same issuer and scope, based on this list or an older one, and not older itself. */
  #completes(
    delta: RevocationList,
    base: RevocationList,
    certificate: Certificate,
    issuer: Certificate,
    key: PublicKey,
    context: RevocationContext,
  ): boolean {
    if (!delta.deltaOf || !delta.number || !base.number || !sameScope(delta, base)) return false;
    if (compareNumbers(delta.deltaOf, base.number) > 0 || compareNumbers(base.number, delta.number) > 0) return false;
    return !(this.#use(delta, certificate, issuer, key, context) instanceof PkiFailure);
  }
}

const allReasons = reasonFlags.filter((reason) => reason !== "unused");

/** §6.3.3(i), (j): the delta list speaks first. */
function lookUp(
  certificate: Certificate,
  list: RevocationList,
  delta: RevocationList | undefined,
): RevokedEntry | PkiFailure | undefined {
  const serial = toHex(certificate.serial);
  const changed = delta?.entries.get(serial);
  const entry = changed ?? list.entries.get(serial);
  if (!entry) return undefined;
  if (entry.unknownCritical) {
    return new PkiFailure(
      "revocation-unknown",
      `the entry has extension ${entry.unknownCritical}, critical and unknown to us`,
      {
        at: entry.unknownCritical,
        section: "RFC 5280 §5.3",
      },
    );
  }
  return changed?.reason === reasonRemoveFromCrl ? undefined : entry;
}

/** §6.3.3(b)(2), (d): is this certificate one that the list speaks of, and for which reasons? */
function inScope(
  list: RevocationList,
  certificate: Certificate,
  profile: ProfileName,
): ReadonlySet<ReasonFlag> | PkiFailure {
  const { scope } = list;
  if (!scope) return new Set(allReasons);
  if (scope.onlyAttributeCerts) return unusable("a list of attribute certificates", "issuingDistributionPoint");
  if (scope.onlyUserCerts && isAuthority(certificate))
    return unusable("a list of end entities", "issuingDistributionPoint");
  if (scope.onlyCaCerts && !isAuthority(certificate))
    return unusable("a list of authorities", "issuingDistributionPoint");
  let reasons: ReadonlySet<ReasonFlag> = scope.onlySomeReasons ?? new Set(allReasons);
  const { fullName } = scope.name ?? {};
  if (fullName) {
    if (profile === "webpki" && !fullName.every(isUri)) {
      return unusable("a distribution point with names that are no URIs", "issuingDistributionPoint");
    }
    const point = pointsOf(certificate).find(
      ({ name, crlIssuer }) => !crlIssuer && matching(name?.fullName ?? [], fullName, profile),
    );
    if (!point) return unusable("a list of another distribution point", "issuingDistributionPoint");
    const { reasons: ofPoint } = point;
    if (ofPoint) reasons = new Set([...reasons].filter((reason) => ofPoint.has(reason)));
  }
  return reasons;
}

/** Without the extension, the certificate's issuer is its distribution point (§6.3.3, last paragraph). */
function pointsOf({ extensions, issuer }: Certificate): readonly DistributionPoint[] {
  if (extensions.cRLDistributionPoints) return extensions.cRLDistributionPoints;
  const fullName = [{ form: "directoryName", name: issuer } as const];
  return [{ name: { fullName, relativeName: undefined }, reasons: undefined, crlIssuer: undefined }];
}

/** The Baseline Requirements, §7.1.2.11.2 and §7.2.2.1, have URIs alone, byte for byte the same. */
function matching(point: readonly GeneralName[], list: readonly GeneralName[], profile: ProfileName): boolean {
  if (profile === "webpki" && !point.every(isUri)) return false;
  return point.some((a) => list.some((b) => sameName(a, b)));
}

const isUri = ({ form }: GeneralName): boolean => form === "uniformResourceIdentifier";

function sameName(a: GeneralName, b: GeneralName): boolean {
  if (a.form === "uniformResourceIdentifier" && b.form === a.form) return a.text === b.text;
  return a.form === "directoryName" && b.form === a.form && a.name.key === b.name.key;
}

const unusable = (message: string, at: string): PkiFailure => new PkiFailure("revocation-unknown", message, { at });
