import { allProbes, asText, type Cell, survey, surveyed } from "../../survey/index.js";
import type { CommandContext } from "../command.js";
import type { ExitName } from "../exit.js";
import { host } from "../host.js";
import { painter } from "./survey.js";

/** Every built protocol shakes hands and moves data, one line each; then Table 1 from what just ran. */
export async function demo(_: { readonly json: boolean }, { terminal, signal }: CommandContext): Promise<ExitName> {
  const probes = await allProbes(host());
  const { style } = terminal;
  let failed = false;
  for (const { profile, shows } of probes) {
    for (const show of shows) {
      terminal.progress(`${show.title} …`);
      try {
        const shown = await show.run({ signal });
        terminal.event("handshake", { protocol: profile.protocol, title: show.title, ...shown });
        const { version, keyExchange, cipher, roundTrips, bytes, ms, authenticated } = shown;
        terminal.print(
          `${style("bold", show.title.padEnd(34))} ${version}  ${keyExchange}  ${cipher}  ${roundTrips} RTT  ${bytes} bytes  ${ms.toFixed(1)} ms  ${authenticated}`,
        );
      } catch (error) {
        signal.throwIfAborted();
        failed = true;
        const message = error instanceof Error ? error.message : String(error);
        terminal.event("handshake-failed", { protocol: profile.protocol, title: show.title, message });
        terminal.print(`${style("red", show.title.padEnd(34))} failed: ${message}`);
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
