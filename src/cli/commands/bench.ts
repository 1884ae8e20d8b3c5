import { readdirSync } from "node:fs";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import type { BenchModule, BenchRow } from "../bench-row.js";
import type { CommandContext } from "../command.js";
import { ConfigError, type ExitName, UsageError } from "../exit.js";
import { didYouMean } from "../suggest.js";

export interface BenchValues {
  readonly name: string | undefined;
  readonly json: boolean;
  readonly list: boolean;
}

/** Runs the modules of bench/, one after the other, so that they do not disturb each other. */
export async function bench(values: BenchValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  const found = benchmarks();
  if (values.list) {
    if (values.json) terminal.document({ benchmarks: [...found.keys()] });
    for (const name of found.keys()) terminal.print(name);
    return "ok";
  }
  if (values.name !== undefined && !found.has(values.name)) {
    throw new UsageError(`no benchmark ${values.name}`, didYouMean(values.name, found.keys()));
  }
  const rows: BenchRow[] = [];
  for (const [name, url] of found) {
    if (values.name !== undefined && values.name !== name) continue;
    signal.throwIfAborted();
    terminal.progress(`${name} …`);
    const module: unknown = await import(url.href);
    if (!isBench(module)) throw new ConfigError(`bench/${name} does not export run()`);
    const measured = await module.run();
    rows.push(...measured);
    for (const row of measured) terminal.print(lineOf(row));
  }
  if (values.json) terminal.document({ rows });
  return "ok";
}

/** The benchmarks of a source tree; the published package has none. */
function benchmarks(): ReadonlyMap<string, URL> {
  const folder = new URL("../../../bench/", import.meta.url);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".js"));
  } catch {
    throw new ConfigError("no benchmarks here", "they are in the repository, not in the published package");
  }
  return new Map(
    names.sort().map((name) => [basename(name, ".js"), pathToFileURL(new URL(name, folder).pathname)] as const),
  );
}

const isBench = (module: unknown): module is BenchModule =>
  typeof module === "object" && module !== null && "run" in module && typeof module.run === "function";

function lineOf(row: BenchRow): string {
  const figure = (value: number) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3));
  return `${row.what}: ${figure(row.ours)} ${row.unit}; ${row.peerName}: ${figure(row.peer)}; ratio ${row.ratio.toFixed(2)}`;
}
