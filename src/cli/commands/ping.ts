import { Failure } from "../../contract/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, UsageError } from "../exit.js";
import { openNamed, type TunnelValues } from "../tunnel-options.js";

export interface PingValues extends TunnelValues {
  readonly host: string | undefined;
  readonly count: number | undefined;
}

/** How long an echo is waited for, and the pause between two, in milliseconds. */
const echoTimeoutMs = 2_000;
const pauseMs = 500;

/** Echoes through a tunnel; ends with 5 if none was answered. */
export async function ping(values: PingValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  if (values.host === undefined) throw new UsageError("ping needs a host", "sealport ping office.conf 10.0.0.1");
  const { host, count = 4 } = values;
  await using office = await openNamed(values, "ping", terminal);
  const [address = host] = await office.resolve(host, { signal });
  const times: number[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    signal.throwIfAborted();
    try {
      const ms = await office.ping(address, { timeoutMs: echoTimeoutMs });
      times.push(ms);
      terminal.event("reply", { sequence, address, ms });
      terminal.print(`${address}: ${sequence}, ${ms.toFixed(2)} ms`);
    } catch (error) {
      if (!(error instanceof Failure) || error.reason !== "timed-out") throw error;
      terminal.event("lost", { sequence, address });
      terminal.print(`${address}: ${sequence}, no answer`);
    }
    if (sequence < count) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  const min = Math.min(...times);
  const mean = times.reduce((all, ms) => all + ms, 0) / times.length;
  terminal.event("summary", { sent: count, received: times.length, ...(times.length > 0 && { min, mean }) });
  const figures = times.length > 0 ? `; least ${min.toFixed(2)} ms, mean ${mean.toFixed(2)} ms` : "";
  terminal.print(`${times.length} of ${count} answered${figures}`);
  return times.length > 0 ? "ok" : "unreachable";
}
