import { Failure, type FailureDetails, type Fault } from "./failure.js";

/** Whose fault a reason is where nothing else is known of it, and the number by which the peer is told, where there is one. */
export type ReasonRow = Fault | { readonly fault: Fault; readonly code: number | undefined };

/** Makes a room's failures from its closed list of reasons. */
export const failuresOf =
  <Reason extends string>(protocol: string, rows: Readonly<Record<Reason, ReasonRow>>) =>
  (
    reason: Reason,
    message: string,
    more: Partial<Pick<FailureDetails<Reason>, "at" | "hint" | "cause" | "byPeer" | "code" | "fault">> = {},
  ): Failure<Reason> => {
    const row = rows[reason];
    const { fault, code } = typeof row === "string" ? { fault: row, code: undefined } : row;
    return new Failure({ protocol, fault, reason, message, ...(code !== undefined && { code }), ...more });
  };

/** A counter for each reason, all at zero. */
export const noCounts = <Reason extends string>(reasons: readonly Reason[]): Record<Reason, number> =>
  Object.fromEntries(reasons.map((reason) => [reason, 0])) as Record<Reason, number>;
