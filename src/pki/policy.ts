import { type Certificate, isSelfIssued } from "./certificate.js";
import { PkiFailure } from "./failure.js";
import { limits } from "./limits.js";
import { anyPolicy } from "./oids.js";

/** Inputs (c) to (g) of RFC 5280 §6.1.1. */
export interface PolicyInputs {
  /** Policies of which one must hold, `user-initial-policy-set`. Default: any. */
  readonly acceptable?: readonly string[];
  readonly requireExplicitPolicy?: boolean;
  readonly inhibitPolicyMapping?: boolean;
  readonly inhibitAnyPolicy?: boolean;
}

interface Node {
  /** Policies of the next certificate that would satisfy this one. */
  expected: readonly string[];
  /** Does a way lead from here to the root that the user accepts? */
  readonly accepted: boolean;
}

/**
 * The valid policy graph of RFC 9618 §3: one node a policy and depth, so that it grows with the policies and not with
 * the ways between them. Whether a way to the root is acceptable to the user (§6.1.5(g)) is carried down with each node,
 * so only the deepest row has to be kept. Childless nodes then need no deleting: the graph is NULL when that row is empty.
 */
export class PolicyGraph {
  /** By valid_policy; undefined is the NULL graph. */
  #row: Map<string, Node> | undefined;
  #acceptable: ReadonlySet<string> | undefined;
  #explicitPolicy: number;
  #policyMapping: number;
  #inhibitAnyPolicy: number;

  /** `count` is the number of certificates in the path, the anchor not among them. */
  constructor(count: number, inputs: PolicyInputs = {}) {
    this.#row = new Map([[anyPolicy, { expected: [anyPolicy], accepted: true }]]);
    const { acceptable } = inputs;
    this.#acceptable = acceptable && !acceptable.includes(anyPolicy) ? new Set(acceptable) : undefined;
    this.#explicitPolicy = inputs.requireExplicitPolicy ? 0 : count + 1;
    this.#policyMapping = inputs.inhibitPolicyMapping ? 0 : count + 1;
    this.#inhibitAnyPolicy = inputs.inhibitAnyPolicy ? 0 : count + 1;
  }

  /** Steps (d) to (f) of §6.1.3, then the preparation of §6.1.4 or the wrap-up of §6.1.5. */
  step(certificate: Certificate, isLast: boolean): PkiFailure | undefined {
    const failure = this.#process(certificate, isLast);
    if (failure) return failure;
    return isLast ? this.#wrapUp(certificate) : this.#prepare(certificate);
  }

  #process(certificate: Certificate, isLast: boolean): PkiFailure | undefined {
    const policies = certificate.extensions.certificatePolicies;
    const above = this.#row;
    this.#row = policies && above ? this.#nextRow(above, policies, !isLast && isSelfIssued(certificate)) : undefined;
    if (this.#row && this.#row.size > limits.policyNodesPerDepthMax) {
      return new PkiFailure("limit-reached", "more certificate policies than we follow", { at: "certificatePolicies" });
    }
    if (this.#row?.size === 0) this.#row = undefined;
    return this.#explicitPolicy > 0 || this.#row ? undefined : noPolicy();
  }

  /** §6.1.3(d), RFC 9618 §5.2. */
  #nextRow(above: ReadonlyMap<string, Node>, policies: readonly string[], selfIssued: boolean): Map<string, Node> {
    const parents = new Map<string, boolean>();
    for (const { expected, accepted } of above.values()) {
      for (const policy of expected) parents.set(policy, (parents.get(policy) ?? false) || accepted);
    }
    const row = new Map<string, Node>();
    for (const policy of policies) {
      if (policy === anyPolicy) continue;
      const accepted = parents.get(policy) ?? (above.has(anyPolicy) ? this.#accepts(policy) : undefined);
      if (accepted !== undefined) row.set(policy, { expected: [policy], accepted });
    }
    if (policies.includes(anyPolicy) && (this.#inhibitAnyPolicy > 0 || selfIssued)) {
      for (const [policy, accepted] of parents) {
        if (!row.has(policy)) row.set(policy, { expected: [policy], accepted });
      }
    }
    return row;
  }

  /** §6.1.4(a), (b), (h) to (j). */
  #prepare(certificate: Certificate): PkiFailure | undefined {
    const { policyMappings, policyConstraints, inhibitAnyPolicy } = certificate.extensions;
    if (policyMappings) {
      if (
        policyMappings.some(
          ({ issuerDomain, subjectDomain }) => issuerDomain === anyPolicy || subjectDomain === anyPolicy,
        )
      ) {
        return new PkiFailure("wrong-policy-mapping", "anyPolicy is mapped", { at: "policyMappings" });
      }
      this.#map(policyMappings);
    }
    if (!isSelfIssued(certificate)) {
      this.#explicitPolicy = Math.max(0, this.#explicitPolicy - 1);
      this.#policyMapping = Math.max(0, this.#policyMapping - 1);
      this.#inhibitAnyPolicy = Math.max(0, this.#inhibitAnyPolicy - 1);
    }
    this.#explicitPolicy = Math.min(this.#explicitPolicy, policyConstraints?.requireExplicitPolicy ?? Infinity);
    this.#policyMapping = Math.min(this.#policyMapping, policyConstraints?.inhibitPolicyMapping ?? Infinity);
    this.#inhibitAnyPolicy = Math.min(this.#inhibitAnyPolicy, inhibitAnyPolicy ?? Infinity);
    return undefined;
  }

  #map(mappings: readonly { readonly issuerDomain: string; readonly subjectDomain: string }[]): void {
    const row = this.#row;
    if (!row) return;
    const targets = new Map<string, string[]>();
    for (const { issuerDomain, subjectDomain } of mappings) {
      const known = targets.get(issuerDomain);
      if (known) known.push(subjectDomain);
      else targets.set(issuerDomain, [subjectDomain]);
    }
    for (const [policy, expected] of targets) {
      const node = row.get(policy);
      if (this.#policyMapping === 0) row.delete(policy);
      else if (node) node.expected = expected;
      // a sibling of the anyPolicy node, under the anyPolicy node above
      else if (row.has(anyPolicy)) row.set(policy, { expected, accepted: this.#accepts(policy) });
    }
    if (row.size === 0) this.#row = undefined;
  }

  /** §6.1.5(a), (b), (g). */
  #wrapUp(certificate: Certificate): PkiFailure | undefined {
    const { policyConstraints } = certificate.extensions;
    if (this.#explicitPolicy > 0) this.#explicitPolicy--;
    if (policyConstraints?.requireExplicitPolicy === 0) this.#explicitPolicy = 0;
    const accepted = [...(this.#row?.values() ?? [])].some((node) => node.accepted);
    return this.#explicitPolicy > 0 || accepted ? undefined : noPolicy();
  }

  #accepts(policy: string): boolean {
    return !this.#acceptable || this.#acceptable.has(policy);
  }
}

const noPolicy = (): PkiFailure =>
  new PkiFailure("no-acceptable-policy", "a certificate policy is required, and none of the path is acceptable", {
    at: "certificatePolicies",
  });
