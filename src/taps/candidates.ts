/** A node of the candidate tree (RFC 9623 §4.1): what was considered, in the order of rank, and what became of it. */
export interface CandidateNode {
  readonly kind: "root" | "path" | "stack" | "endpoint";
  /** The interface or address of a path; `TLS/TCP`; `192.0.2.1:443`. */
  readonly name: string;
  /** Position among all leaves that may be tried, from 0; absent on inner nodes and on leaves that may not. */
  readonly rank?: number;
  readonly verdict: CandidateVerdict;
  readonly children: readonly CandidateNode[];
}

export type CandidateVerdict =
  /** May be tried, and has not been (yet). */
  | { readonly state: "eligible" }
  /** May not be tried: `why` names the property or the layer of policy. */
  | { readonly state: "excluded"; readonly why: string }
  | { readonly state: "trying"; readonly startedAt: number }
  | { readonly state: "failed"; readonly startedAt: number; readonly endedAt: number; readonly failure: Error }
  /** Given up because another leaf won, or because the establishment was aborted. */
  | { readonly state: "abandoned"; readonly startedAt: number; readonly endedAt: number }
  | { readonly state: "established"; readonly startedAt: number; readonly endedAt: number };
