import { allProbes, asText, type Cell, type Shown, survey, surveyed } from "../../survey/index.js";
import type { CommandContext } from "../command.js";
import type { ExitName } from "../exit.js";
import { host } from "../host.js";
import type { Style } from "../terminal.js";
import { painter } from "./survey.js";

/** Every built protocol shakes hands and moves data, one line each; then Table 1 from what just ran. */
export async function demo(_: { readonly json: boolean }, { terminal, signal }: CommandContext): Promise<ExitName> {
  const probes = await allProbes(host());
  terminal.print(terminal.style("dim", line(heads)));
  const { style } = terminal;
  let failed = false;
  for (const { profile, shows } of probes) {
    for (const show of shows) {
      terminal.progress(`${show.title} …`);
      try {
        const shown = await show.run({ signal });
        terminal.event("handshake", { protocol: profile.protocol, title: show.title, ...shown });
        terminal.print(rowOf(show.title, shown, style));
      } catch (error) {
        signal.throwIfAborted();
        failed = true;
        const message = error instanceof Error ? error.message : String(error);
        terminal.event("handshake-failed", { protocol: profile.protocol, title: show.title, message });
        terminal.print(`${show.title.padEnd(widths[0])}${style("red", `failed: ${message}`)}`);
      }
    }
  }
  const cells: Cell[] = [];
  for await (const cell of survey({ probes, signal })) {
    cells.push(cell);
    terminal.event("cell", { ...cell });
    terminal.progress(`${cell.protocol}/${cell.interface} …`);
    failed ||= cell.status === "failed";
  }
  terminal.print();
  terminal.print(asText({ protocols: surveyed, cells }, painter(style)));
  for (const cell of cells.filter(({ status }) => status === "failed")) {
    terminal.print(style("red", `${cell.protocol}/${cell.interface} failed: ${cell.evidence}`));
  }
  return failed ? "internal" : "ok";
}

const heads = ["who", "protocol", "key exchange", "cipher", "RTT", "bytes", "ms", "authenticated"] as const;
const widths = [32, 13, 16, 40, 5, 9, 8, 0] as const;
const line = (columns: readonly string[]): string =>
  columns
    .map((each, i) => each.padEnd(widths[i]!))
    .join("")
    .trimEnd();

function rowOf(title: string, shown: Shown, style: Style): string {
  const { version, keyExchange, cipher, roundTrips, bytes, ms, authenticated } = shown;
  const columns = [
    title,
    version,
    keyExchange,
    cipher,
    String(roundTrips),
    String(bytes),
    ms.toFixed(1),
    authenticated,
  ];
  return style("bold", title) + line(columns).slice(title.length);
}
