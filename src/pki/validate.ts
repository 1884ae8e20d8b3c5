import type { Instant } from "../contract/index.js";
import type { Anchor } from "./anchor.js";
import { type Certificate, isSelfIssued } from "./certificate.js";
import { PkiFailure } from "./failure.js";
import { type ComparisonBudget, ConstraintSet, malformedSubtree } from "./name-constraints.js";
import { anyExtendedKeyUsage } from "./oids.js";
import { PolicyGraph, type PolicyInputs } from "./policy.js";
import { isAuthority, maySign, type Purpose, purposeOf } from "./profile.js";

/** What every certificate of a path is judged by. */
export interface PathContext {
  readonly at: Instant;
  readonly purpose: Purpose;
  readonly policies: PolicyInputs;
  /** Authorities that may stand between the anchor and the end entity, self-issued ones not counted. */
  readonly intermediatesMax: number;
  readonly anchorExpiry: "enforce" | "ignore";
}

/**
 * RFC 5280 §6.1 for one path, from the anchor down, with the policy graph of RFC 9618; names chain and signatures have
 * been verified while the path was built, as RFC 9618 §6.1 advises. `path` begins with the end entity. An anchor's own
 * limits count like those of an authority in the path (RFC 5937).
 */
export function validatePath(
  path: readonly Certificate[],
  anchor: Anchor,
  context: PathContext,
  budget: ComparisonBudget,
): PkiFailure | undefined {
  const top = path.length;
  const root = anchor.certificate;
  const refuse = (failure: PkiFailure | undefined, depth: number): PkiFailure | undefined =>
    failure?.of(depth, depth === top ? root.text : path[depth]!.text);

  if (anchor.failure) return refuse(anchor.failure, top);
  if (context.anchorExpiry === "enforce") {
    const late = checkValidity(root, context.at);
    if (late) return refuse(late, top);
  }
  const { purposes } = anchor;
  if (purposes && !purposes.includes(context.purpose) && !purposes.includes("any")) {
    return refuse(new PkiFailure("wrong-purpose", `not trusted for ${context.purpose}`, { at: "trust anchor" }), top);
  }
  const limited = checkPurpose(root, context.purpose);
  if (limited) return refuse(limited, top);

  const names = new ConstraintSet();
  for (const constraints of [anchor.constraints, root.extensions.nameConstraints])
    if (constraints) names.add(constraints);
  const { policyConstraints, inhibitAnyPolicy, basicConstraints } = root.extensions;
  const policies = new PolicyGraph(path.length, {
    ...context.policies,
    ...(policyConstraints?.requireExplicitPolicy === 0 && { requireExplicitPolicy: true }),
    ...(policyConstraints?.inhibitPolicyMapping === 0 && { inhibitPolicyMapping: true }),
    ...(inhibitAnyPolicy === 0 && { inhibitAnyPolicy: true }),
  });
  let pathLengthLeft = Math.min(basicConstraints?.pathLength ?? Infinity, context.intermediatesMax);

  for (let depth = top - 1; depth >= 0; depth--) {
    const certificate = path[depth]!;
    const isLast = depth === 0;
    const selfIssued = isSelfIssued(certificate);
    // §6.1.3(a)(2)
    let failure = checkValidity(certificate, context.at);
    // §6.1.3(b)-(c): not of self-issued certificates, unless last
    if (!failure && (isLast || !selfIssued)) failure = names.check(certificate, budget);
    failure ??= policies.step(certificate, isLast) ?? checkPurpose(certificate, context.purpose);
    if (!failure && !isLast) failure = checkAuthority(certificate);
    if (!failure && !isLast && !selfIssued && --pathLengthLeft < 0) {
      failure = new PkiFailure("path-too-long", "more authorities in a row than one above allows", {
        at: "basicConstraints",
      });
    }
    if (failure) return refuse(failure, depth);
    const { nameConstraints, basicConstraints: own } = certificate.extensions;
    if (nameConstraints) names.add(nameConstraints);
    if (own?.pathLength !== undefined) pathLengthLeft = Math.min(pathLengthLeft, own.pathLength);
  }
  return undefined;
}

/** RFC 5280 §4.1.2.5: both ends inclusive, in whole seconds. */
export function checkValidity({ notBefore, notAfter }: Certificate, at: Instant): PkiFailure | undefined {
  const second = Math.floor(at / 1000) * 1000;
  if (second < notBefore) {
    return new PkiFailure("not-yet-valid", `valid from ${new Date(notBefore).toISOString()} on`, {
      at: "notBefore",
      hint: "is the clock right?",
    });
  }
  if (second > notAfter) {
    return new PkiFailure("expired", `valid until ${new Date(notAfter).toISOString()}`, { at: "notAfter" });
  }
  return undefined;
}

/** §6.1.4(k), (n), and constraints that must make sense before they can be applied. */
export function checkAuthority(certificate: Certificate): PkiFailure | undefined {
  if (certificate.version !== 3 || !isAuthority(certificate)) {
    return new PkiFailure("not-an-authority", "not the certificate of an authority", { at: "basicConstraints" });
  }
  if (!maySign(certificate)) {
    return new PkiFailure("no-certificate-signing", "an authority that may not sign certificates", { at: "keyUsage" });
  }
  const { nameConstraints } = certificate.extensions;
  const wrong = nameConstraints && malformedSubtree(nameConstraints);
  return wrong ? new PkiFailure("wrong-name-constraints", wrong, { at: "nameConstraints" }) : undefined;
}

/** The purposes of an authority limit those of everything below it, as every TLS library has it. */
export function checkPurpose({ extensions: { extKeyUsage } }: Certificate, purpose: Purpose): PkiFailure | undefined {
  const wanted = purposeOf(purpose);
  if (!extKeyUsage || wanted === undefined) return undefined;
  if (extKeyUsage.includes(wanted) || extKeyUsage.includes(anyExtendedKeyUsage)) return undefined;
  return new PkiFailure("wrong-purpose", `not for the purpose ${purpose}`, { at: "extKeyUsage" });
}
