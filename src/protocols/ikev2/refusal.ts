import { failure, type IkeFailure, type IkeReason } from "./failure.js";
import { all } from "./wire/find.js";
import { firstStatus, Notify, notifyName } from "./wire/numbers.js";
import type { Payload } from "./wire/payloads.js";

/** The reasons behind a peer's error notifications; all others are `refused-by-peer`. */
const reasons: Readonly<Record<number, IkeReason>> = {
  [Notify.NO_PROPOSAL_CHOSEN]: "no-proposal-chosen",
  [Notify.INVALID_KE_PAYLOAD]: "invalid-ke-payload",
  [Notify.TS_UNACCEPTABLE]: "ts-unacceptable",
  [Notify.AUTHENTICATION_FAILED]: "authentication-refused",
  [Notify.INTERNAL_ADDRESS_FAILURE]: "no-address",
  [Notify.FAILED_CP_REQUIRED]: "no-address",
};

/** What the peer's first error notification means; undefined if it sent none. */
export function refusal(payloads: readonly Payload[]): IkeFailure | undefined {
  const error = all(payloads, "N").find(({ type }) => type < firstStatus);
  if (error === undefined) return undefined;
  const name = notifyName(error.type);
  return failure(reasons[error.type] ?? "refused-by-peer", `the peer answers ${name}`, { at: name, byPeer: true });
}
