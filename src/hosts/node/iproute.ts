import { networkFailure } from "../../contract/index.js";
import { run } from "./programs.js";

/** Runs lines of `ip` (iproute2) in one batch. Rejects with what it said. */
export async function ipBatch(family: 4 | 6, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const { code, said } = await ip([`-${family}`, "-batch", "-"], lines);
  if (code !== 0) throw networkFailure("network-failed", `ip: ${said.trim().split("\n")[0] || code}`);
}

/** The same, going on behind what fails: for what may be gone already. */
export async function ipUndo(family: 4 | 6, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await ip([`-${family}`, "-force", "-batch", "-"], lines);
}

/** What `ip -json` lists, numbers for names; nothing if it fails, as it does for a table that nobody has filled. */
export async function ipList(
  family: 4 | 6,
  ...args: readonly string[]
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { code, out } = await ip(["-N", "-json", `-${family}`, ...args]);
  if (code !== 0) return [];
  try {
    const listed: unknown = JSON.parse(out || "[]");
    return Array.isArray(listed) ? listed : [];
  } catch {
    return [];
  }
}

async function ip(args: readonly string[], lines: readonly string[] = []) {
  const ended = await run("ip", args, lines.map((line) => `${line}\n`).join(""));
  if (ended === undefined) throw networkFailure("not-supported", "ip of iproute2 is not here");
  return ended;
}
