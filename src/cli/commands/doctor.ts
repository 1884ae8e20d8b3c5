import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import type { OpenTunnel } from "../../adapters/tunnel/index.js";
import { formatAddress } from "../../bytes/index.js";
import { parseWgQuick } from "../../protocols/wireguard/index.js";
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
  const understood = await check("file", () => {
    const { peers, warnings } = parseWgQuick(readFileSync(file, "utf8"));
    return `${peers.length} peers, ${warnings.length} warnings`;
  });
  if (!understood) return worst;
  const parsed = parseWgQuick(readFileSync(file, "utf8"));
  await check("permissions", () => {
    if ((statSync(file).mode & 0o077) !== 0 && parsed.interface.privateKey !== undefined) {
      return `others may read ${file}, which holds a private key: chmod 600 ${file}`;
    }
    return "its owner's alone";
  });
  await check("clock", () => `${new Date(host().now()).toISOString()}; peers refuse a clock that went back`);
  for (const { endpoint } of parsed.peers) {
    if (endpoint === undefined) continue;
    const found = await check(`name ${endpoint.host}`, async () => {
      return (await host().network.resolve(endpoint.host, { signal })).join(", ");
    });
    if (!found) return worst;
  }
  await using office = await openNamed(values, "doctor", terminal);
  const isUp = await check("handshake", () => shakeHands(office));
  if (!isUp) return worst;
  await check("MTU", () => `${office.status().mtu} bytes inside`);
  for (const server of parsed.interface.dns) {
    await check(
      `name server ${server}`,
      async () => `${(await office.ping(server, { timeoutMs: patienceMs })).toFixed(1)} ms`,
    );
  }
  const routes = parsed.peers.flatMap(({ allowedIps }) => allowedIps);
  await check("routes", () => routes.map(({ address, length }) => `${formatAddress(address)}/${length}`).join(", "));
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
