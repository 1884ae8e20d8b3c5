import { once } from "node:events";
import { statSync } from "node:fs";
import { type OpenTunnel, summarizeTunnelFile, type TunnelSummary } from "../../adapters/tunnel/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, exitFor, UsageError } from "../exit.js";
import { host } from "../host.js";
import { openNamed, type TunnelValues } from "../tunnel-options.js";

/** How long a handshake and an echo are waited for, in milliseconds. */
const patienceMs = 6_000;

/** Looks at everything that a tunnel needs, in order, and ends with the exit code of what failed first. */
export async function doctor(values: TunnelValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  const { file } = values;
  if (file === undefined) throw new UsageError("doctor needs a tunnel's file", "sealport doctor office.conf");
  let worst: ExitName = "ok";
  /** Runs one check; what it answers is told, what it throws is told and decides the exit. */
  const check = async (name: string, look: () => Promise<string> | string): Promise<boolean> => {
    signal.throwIfAborted();
    try {
      const found = await look();
      terminal.event("check", { name, ok: true, message: found });
      terminal.print(`${terminal.style("green", "ok  ")} ${name}: ${found}`);
      return true;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const hint = error instanceof Error && "hint" in error ? error.hint : undefined;
      terminal.event("check", { name, ok: false, message, ...(hint !== undefined && { hint }) });
      terminal.print(`${terminal.style("red", "fail")} ${name}: ${message}`);
      if (hint !== undefined) terminal.print(`       try: ${hint}`);
      if (worst === "ok") worst = exitFor(error);
      return false;
    }
  };
  let summary: TunnelSummary | undefined;
  await check("file", async () => {
    summary = await summarizeTunnelFile(file);
    return `${summary.protocol}, ${summary.peers} peers, ${summary.warnings.length} warnings`;
  });
  if (summary === undefined) return worst;
  const { hosts, holdsSecret, nameServers, routes } = summary;
  await check("permissions", () => {
    if ((statSync(file).mode & 0o077) !== 0 && holdsSecret) {
      return `others may read ${file}, which holds a private key: chmod 600 ${file}`;
    }
    return "its owner's alone";
  });
  await check("clock", () => `${new Date(host().now()).toISOString()}; peers refuse a clock that went back`);
  for (const name of new Set(hosts)) {
    const found = await check(`name ${name}`, async () => {
      return (await host().network.resolve(name, { signal })).join(", ");
    });
    if (!found) return worst;
  }
  let opened: OpenTunnel | undefined;
  const isUp = await check("handshake", async () => {
    opened = await openNamed(values, "doctor", terminal);
    return shakeHands(opened);
  });
  await using office = opened;
  if (!isUp || office === undefined) return worst;
  await check("MTU", () => `${office.status().mtu} bytes inside`);
  for (const server of nameServers) {
    await check(
      `name server ${server}`,
      async () => `${(await office.ping(server, { timeoutMs: patienceMs })).toFixed(1)} ms`,
    );
  }
  await check("routes", () => routes.join(", "));
  return worst;
}

async function shakeHands(office: OpenTunnel): Promise<string> {
  const start = host().now();
  const done = once(office, "handshake", { signal: AbortSignal.timeout(patienceMs) });
  // The wait below, not the tunnel, holds the process.
  const waiting = setInterval(() => {}, patienceMs);
  office.handshake();
  try {
    await done;
    return `${(host().now() - start).toFixed(1)} ms`;
  } catch {
    throw Object.assign(new Error(`no peer answered in ${patienceMs} ms`), {
      code: "ETIMEDOUT",
      hint: "a wrong key is met with silence too: compare PublicKey on both sides, the port, and the firewall for UDP",
    });
  } finally {
    clearInterval(waiting);
  }
}
