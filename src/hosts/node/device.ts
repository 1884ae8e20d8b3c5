import { spawn } from "node:child_process";
import { networkFailure } from "../../contract/index.js";
import { segmentedSizeMax, segmentsMax } from "./limits.js";

export interface DeviceConfig {
  readonly name: string;
  readonly mtu: number;
  /** Ours, as `address/length`. */
  readonly addresses: readonly string[];
  /** What leads into the device, as `address/length`; a length of zero is the default route. */
  readonly routes: readonly string[];
  /** The tunnel's own UDP port, whose packets must not go into the device even if it is the default route. */
  readonly port: number;
  /** Bytes that the tunnel adds to each packet. */
  readonly overhead: number;
  /** Default `main`; default routes have a table of their own unless one is named. `off` for no routes. */
  readonly table?: "off" | number | undefined;
}

/**
 * Gives a device its MTU, addresses and routes by `ip` (iproute2), and takes it up. Answers what takes back the rules;
 * everything else goes with the device. Rejects with what `ip` said.
 *
 * A default route stands in a table of its own, behind two rules: whatever the main table knows better than by its own
 * default route goes there, and so does everything from or to the tunnel's port.
 */
export async function configureDevice(config: DeviceConfig): Promise<() => Promise<void>> {
  const { name, mtu, addresses, table, port, overhead } = config;
  // One super-packet of the kernel is then one batch to send.
  const segments = Math.max(1, Math.min(segmentsMax, Math.floor(segmentedSizeMax / (mtu + overhead))));
  await ip(4, [`link set dev ${name} mtu ${mtu} gso_max_segs ${segments} up`]);
  const undo: (readonly [4 | 6, readonly string[]])[] = [];
  for (const family of [4, 6] as const) {
    const own = (text: string): boolean => text.includes(":") === (family === 6);
    const lines = addresses.filter(own).map((each) => `addr add ${each} dev ${name}${family === 6 ? " nodad" : ""}`);
    const routes = table === "off" ? [] : config.routes.filter(own);
    const isDefault = (route: string): boolean => route.endsWith("/0");
    const ownTable = typeof table === "number" ? table : ownTableBase + port;
    for (const route of routes) {
      const where = typeof table === "number" || isDefault(route) ? ` table ${ownTable}` : "";
      lines.push(`route replace ${route} dev ${name}${where}`);
    }
    if (routes.some(isDefault) && table === undefined) {
      const rules = [
        `pref ${rulePreference} ipproto udp sport ${port} lookup main`,
        `pref ${rulePreference} ipproto udp dport ${port} lookup main`,
        `pref ${rulePreference + 1} lookup main suppress_prefixlength 0`,
        `pref ${rulePreference + 2} lookup ${ownTable}`,
      ];
      lines.push(...rules.map((rule) => `rule add ${rule}`));
      undo.push([family, rules.map((rule) => `rule del ${rule}`)]);
    }
    await ip(family, lines);
  }
  return async () => {
    for (const [family, lines] of undo) await ip(family, lines);
  };
}

/** Runs the lines in one `ip -batch`. */
async function ip(family: 4 | 6, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const child = spawn("ip", [`-${family}`, "-batch", "-"], { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.on("error", () => {});
  child.stdin.end(`${lines.join("\n")}\n`);
  const code = await new Promise<number | Error>((resolve) => {
    child.once("error", resolve).once("close", (status) => resolve(status ?? -1));
  });
  if (code instanceof Error) throw networkFailure("not-supported", `ip of iproute2 cannot be run: ${code.message}`);
  if (code !== 0) throw networkFailure("network-failed", `ip: ${said.trim().split("\n")[0] ?? code}`);
}

/** Tables and preferences of rules that others hardly use: behind what people write, before the main table's 32766. */
const ownTableBase = 100_000;
const rulePreference = 31_000;
