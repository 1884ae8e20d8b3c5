import type { AssociationPair, EspAlgorithms, TrafficSelector } from "../../esp/index.js";
import type { IkeReason } from "../failure.js";
import { notify } from "../wire/find.js";
import { Notify } from "../wire/numbers.js";
import type { Payload } from "../wire/payloads.js";
import type { TransformChoice } from "../wire/proposal.js";

/** What both agreed on for a child. */
export interface Terms {
  readonly algorithms: EspAlgorithms;
  /** Of its own key exchange. */
  readonly group: number | undefined;
  readonly spiOut: number;
  /** Of the proposal, and what was chosen of it. */
  readonly number: number;
  readonly transforms: readonly TransformChoice[];
  readonly local: readonly TrafficSelector[];
  readonly remote: readonly TrafficSelector[];
  readonly mode: AssociationPair["mode"];
}

export interface Failed {
  readonly failed: Extract<IkeReason, "no-proposal-chosen" | "ts-unacceptable">;
  readonly at: string;
}

const told = { "no-proposal-chosen": Notify.NO_PROPOSAL_CHOSEN, "ts-unacceptable": Notify.TS_UNACCEPTABLE } as const;

/** How a peer is told. */
export const tellFailed = ({ failed }: Failed): Payload => notify(told[failed]);
