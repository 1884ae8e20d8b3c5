import assert from "node:assert/strict";
import { test } from "node:test";
import { type InterfaceName, interfaceNames, type Profile, tableOne, unsupported } from "../../src/contract/index.js";
import {
  asHtml,
  asMarkdown,
  asText,
  type Cell,
  type ProtocolProbes,
  type SurveyOptions,
  survey,
  surveyed,
} from "../../src/survey/index.js";

const profile: Profile = {
  protocol: "CurveCP",
  section: "3.3.3",
  group: "transport",
  interfaces: tableOne.CurveCP,
  beyond: { SAV: "a cookie proves the address" },
  needs: ["datagram"],
  offers: "byte-stream",
};

const probes = (changed: Partial<ProtocolProbes> = {}): ProtocolProbes => ({
  profile,
  cells: {
    IPK: async () => "seen",
    IV: async () => "seen",
    ME: async () => "seen",
    SAV: async () => "seen",
  },
  ask: async (cell) => {
    throw unsupported("CurveCP", cell);
  },
  shows: [],
  ...changed,
});

async function cellsOf(options: SurveyOptions): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for await (const cell of survey(options)) cells.push(cell);
  return cells;
}

const one = async (cell: InterfaceName, changed: Partial<ProtocolProbes> = {}): Promise<Cell> => {
  const wanted = (protocol: string, name: InterfaceName) => protocol === "CurveCP" && name === cell;
  const [found, ...rest] = await cellsOf({ probes: [probes(changed)], wanted });
  assert.equal(rest.length, 0);
  return found!;
};

test("every protocol has thirteen cells, and those of an unbuilt protocol are missing, blanks too", async () => {
  const cells = await cellsOf({ probes: [] });
  assert.equal(cells.length, 13 * 13);
  assert.deepEqual(new Set(cells.map(({ protocol }) => protocol)), new Set(surveyed));
  assert.ok(cells.every(({ status }) => status === "missing"));
});

test("a cell of the table is demonstrated, one beyond it beyond, a refused blank absent", async () => {
  assert.equal((await one("IPK")).status, "demonstrated");
  assert.equal((await one("SAV")).status, "beyond");
  assert.equal((await one("KU")).status, "absent");
});

test("a cell whose effect is not seen has failed, and says why", async () => {
  const cells = { IPK: () => Promise.reject(new Error("not seen: the key")) };
  const { status, evidence } = await one("IPK", { cells });
  assert.deepEqual([status, evidence], ["failed", "not seen: the key"]);
});

test("a cell that the table fills and nothing proves has failed", async () => {
  assert.equal((await one("ME", { cells: {} })).status, "failed");
});

test("a blank has failed if it is not refused, or refused for another cell or reason", async () => {
  assert.equal((await one("KU", { ask: async () => "here you are" })).status, "failed");
  assert.equal((await one("KU", { ask: async () => Promise.reject(unsupported("CurveCP", "KE")) })).status, "failed");
  assert.equal((await one("KU", { ask: async () => Promise.reject(new TypeError("?")) })).status, "failed");
});

test("a survey that is interrupted stops instead of calling the rest failed", async () => {
  const stop = new AbortController();
  const cells = { IPK: () => new Promise<string>(() => stop.abort(new Error("enough"))) };
  await assert.rejects(cellsOf({ probes: [probes({ cells })], signal: stop.signal }), /enough/);
});

test("text, Markdown and HTML draw one row for each protocol that was asked, and escape the evidence", async () => {
  const cells = await cellsOf({
    probes: [probes({ cells: { ...probes().cells, IPK: async () => "a | b <c>" } })],
  });
  const report = { protocols: surveyed, cells };
  const text = asText(report);
  assert.match(text, /^CurveCP {4}x {4}· {4}· {4}· {4}· {4}· {4}x {4}\+ {4}· {4}· {4}· {4}· {4}x$/m);
  const markdown = asMarkdown(report);
  assert.match(markdown, /^\| CurveCP \| x \| · \|/m);
  assert.ok(markdown.includes("a \\| b <c>"));
  const html = asHtml(report);
  assert.ok(html.includes("a | b &lt;c&gt;") && !html.includes("<c>"));
  assert.equal(html.match(/<tr>/g)!.length, 1 + surveyed.length);
  const row = asText({ protocols: surveyed, cells: cells.filter(({ protocol }) => protocol === "CurveCP") });
  assert.equal(row.split("\n").filter((line) => line !== "").length, 3);
  assert.ok(interfaceNames.every((name) => row.includes(name)));
});
