import { Failure, type FailureDetails, type Fault } from "./failure.js";

/** Makes a room's failures from its closed list of reasons, each with whose fault it is. */
export const failuresOf =
  <Reason extends string>(protocol: string, faults: Readonly<Record<Reason, Fault>>) =>
  (
    reason: Reason,
    message: string,
    more: Pick<FailureDetails<Reason>, "at" | "hint" | "cause" | "byPeer"> = {},
  ): Failure<Reason> =>
    new Failure({ protocol, fault: faults[reason], reason, message, ...more });

/** A counter for each reason, all at zero. */
export const noCounts = <Reason extends string>(reasons: readonly Reason[]): Record<Reason, number> =>
  Object.fromEntries(reasons.map((reason) => [reason, 0])) as Record<Reason, number>;
