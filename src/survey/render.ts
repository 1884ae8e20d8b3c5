import {
  type InterfaceName,
  interfaceMeanings,
  interfaceNames,
  type ProtocolName,
  rowlessProtocols,
} from "../contract/index.js";
import type { Cell, CellStatus, SurveyReport } from "./report.js";

/** How a status is drawn in a table, and said in its legend. */
export const drawn: Readonly<Record<CellStatus, { readonly mark: string; readonly meaning: string }>> = {
  demonstrated: { mark: "x", meaning: "in Table 1, demonstrated now" },
  beyond: { mark: "+", meaning: "beyond Table 1, demonstrated now" },
  absent: { mark: "·", meaning: "a blank, refused when asked for" },
  missing: { mark: "?", meaning: "protocol not built" },
  failed: { mark: "!", meaning: "failed" },
};

/** Draws the table as text. `paint` may colour a mark by its status. */
export function asText(
  report: SurveyReport,
  paint: (status: CellStatus, mark: string) => string = (_, mark) => mark,
): string {
  const at = index(report);
  const left = Math.max(...report.protocols.map((each) => each.length)) + 2;
  const head = " ".repeat(left) + interfaceNames.map((name) => name.padEnd(5)).join("");
  const rows = asked(report).map((protocol) => {
    const cells = interfaceNames.map((name) => {
      const cell = at(protocol, name);
      return cell === undefined ? "     " : `${paint(cell.status, drawn[cell.status].mark)}    `;
    });
    return protocol.padEnd(left) + cells.join("").trimEnd();
  });
  return [head.trimEnd(), ...rows, "", legend(report)].join("\n");
}

/** Draws the table as Markdown, with the evidence of each proven cell below it. */
export function asMarkdown(report: SurveyReport): string {
  const at = index(report);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const evidence = report.cells.filter(({ status }) => status !== "missing");
  return [
    line(["", ...interfaceNames]),
    line(["---", ...interfaceNames.map(() => ":-:")]),
    ...asked(report).map((protocol) => line([protocol, ...interfaceNames.map((name) => markOf(at(protocol, name)))])),
    "",
    legend(report),
    "",
    ...(evidence.length === 0 ? [] : [line(["cell", "status", "evidence", "ms"]), line(["---", "---", "---", "--:"])]),
    ...evidence.map((cell) =>
      line([
        `${cell.protocol}/${cell.interface}`,
        cell.status,
        cell.evidence.replace(/[\\|]/g, "\\$&").replace(/\s+/g, " "),
        String(cell.ms),
      ]),
    ),
  ].join("\n");
}

/** Draws the table as one page without scripts or outside resources; the evidence is each cell's title. */
export function asHtml(report: SurveyReport): string {
  const at = index(report);
  const cell = (protocol: ProtocolName, name: InterfaceName) => {
    const found = at(protocol, name);
    return found === undefined
      ? "<td></td>"
      : `<td class="${found.status}" title="${escaped(`${found.status}: ${found.evidence}`)}">${drawn[found.status].mark}</td>`;
  };
  const colours =
    "td.demonstrated{background:#cfc}td.beyond{background:#cdf}td.failed{background:#fbb}td.missing{color:#999}";
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>RFC 8922, Table 1</title>`,
    `<style>body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .6em;text-align:center}th:first-child{text-align:left}${colours}</style>`,
    "<table><caption>Interfaces of the secure transports, RFC 8922 Table 1, proven now</caption>",
    `<tr><th></th>${interfaceNames.map((name) => `<th title="${escaped(interfaceMeanings[name].title)}">${name}</th>`).join("")}</tr>`,
    ...asked(report).map(
      (protocol) => `<tr><th>${protocol}</th>${interfaceNames.map((name) => cell(protocol, name)).join("")}</tr>`,
    ),
    `</table><p>${escaped(legend(report))}</p></html>`,
  ].join("\n");
}

/** The rows in which something was asked. */
const asked = ({ protocols, cells }: SurveyReport): readonly ProtocolName[] =>
  protocols.filter((protocol) => cells.some((cell) => cell.protocol === protocol));

/** How many cells came to each status, with the marks; and which rows the table itself does not have. */
function legend(report: SurveyReport): string {
  const counts = Object.entries(drawn).map(([status, { mark, meaning }]) => {
    const count = report.cells.filter((cell) => cell.status === status).length;
    return count === 0 ? "" : `${mark} ${meaning} (${count})`;
  });
  const rowless = rowlessProtocols.filter((name) => asked(report).includes(name));
  const note =
    rowless.length === 0 ? "" : `. ${rowless.join(" and ")}: described by the survey, without a row in its table`;
  return counts.filter((each) => each !== "").join("; ") + note;
}

function index(report: SurveyReport): (protocol: ProtocolName, name: InterfaceName) => Cell | undefined {
  const cells = new Map(report.cells.map((cell) => [`${cell.protocol}/${cell.interface}`, cell]));
  return (protocol, name) => cells.get(`${protocol}/${name}`);
}

const markOf = (cell: Cell | undefined): string => (cell === undefined ? "" : drawn[cell.status].mark);

const escaped = (words: string): string =>
  words.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]!);
