import { type InterfaceName, interfaceNames, type ProtocolName } from "../../contract/index.js";
import {
  allProbes,
  asHtml,
  asMarkdown,
  asText,
  type Cell,
  type CellStatus,
  survey as prove,
  type SurveyReport,
  surveyed,
} from "../../survey/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, UsageError } from "../exit.js";
import { host } from "../host.js";
import { didYouMean } from "../suggest.js";
import type { Style, Tone } from "../terminal.js";

export interface SurveyValues {
  readonly json: boolean;
  readonly md: boolean;
  readonly html: boolean;
  readonly only: readonly string[];
}

export async function survey(values: SurveyValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  if ([values.json, values.md, values.html].filter(Boolean).length > 1) {
    throw new UsageError("--json, --md and --html exclude each other");
  }
  const wanted = selection(values.only);
  const cells: Cell[] = [];
  for await (const cell of prove({ probes: await allProbes(host()), wanted, signal })) {
    cells.push(cell);
    if (cell.status !== "missing") terminal.progress(`${cell.protocol}/${cell.interface} ${cell.status}`);
  }
  const report: SurveyReport = { protocols: surveyed, cells };
  if (values.json) terminal.document(report);
  else if (values.md) terminal.print(asMarkdown(report));
  else if (values.html) terminal.print(asHtml(report));
  else {
    terminal.print(asText(report, painter(terminal.style)));
    for (const cell of cells.filter(({ status }) => status !== "missing" && status !== "absent")) {
      terminal.print(evidenceLine(cell, terminal.style));
    }
  }
  return cells.some(({ status }) => status === "failed") ? "internal" : "ok";
}

const tones: Readonly<Record<CellStatus, Tone>> = {
  demonstrated: "green",
  beyond: "cyan",
  absent: "dim",
  missing: "dim",
  failed: "red",
};

export const painter =
  (style: Style) =>
  (status: CellStatus, mark: string): string =>
    style(tones[status], mark);

function evidenceLine(cell: Cell, style: Style): string {
  const name = `${cell.protocol}/${cell.interface}`.padEnd(15);
  return `${style(tones[cell.status], name)} ${cell.evidence} ${style("dim", `(${cell.ms} ms)`)}`;
}

/** Turns `TLS`, `KU` and `TLS/KU` into a predicate; what is neither a protocol nor an interface is a usage error. */
function selection(only: readonly string[]): (protocol: ProtocolName, cell: InterfaceName) => boolean {
  const parts = only.flatMap((each) => each.split(",")).map((each) => each.split("/"));
  for (const part of parts.flat()) {
    const names = [...surveyed, ...interfaceNames];
    if (names.some((name) => same(name, part))) continue;
    throw new UsageError(`--only: ${part} is neither a protocol nor an interface`, didYouMean(part, names));
  }
  if (parts.length === 0) return () => true;
  return (protocol, cell) => parts.some((part) => part.every((name) => same(name, protocol) || same(name, cell)));
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
