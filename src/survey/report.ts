import type { InterfaceName, ProtocolName } from "../contract/index.js";

/**
 * What a cell of Table 1 came to:
 * - `demonstrated`: the table fills it, and its effect was seen now
 * - `absent`: the table leaves it blank, and asking for it was refused now
 * - `beyond`: the table leaves it blank, we fill it, and its effect was seen now
 * - `missing`: the protocol is not built, so nothing was asked
 * - `failed`: it was asked for, and what was seen is not what must be seen
 */
export type CellStatus = "demonstrated" | "absent" | "beyond" | "missing" | "failed";

export interface Cell {
  readonly protocol: ProtocolName;
  readonly interface: InterfaceName;
  readonly status: CellStatus;
  /** What was seen, in a sentence. */
  readonly evidence: string;
  /** How long it took, in milliseconds. */
  readonly ms: number;
}

/** The JSON of `sealport survey --json`, exactly. */
export interface SurveyReport {
  readonly protocols: readonly ProtocolName[];
  readonly cells: readonly Cell[];
}
