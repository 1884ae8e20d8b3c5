import { spawn } from "node:child_process";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { ProxyServer } from "../../adapters/forward/index.js";
import { toHex } from "../../bytes/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, exitCodes, UsageError } from "../exit.js";
import { host } from "../host.js";
import { openNamed, type TunnelValues } from "../tunnel-options.js";

export interface ExecValues extends TunnelValues {
  readonly program: readonly string[];
}

const hook = new URL("../../adapters/exec/hook.js", import.meta.url);

/**
 * Runs a command whose traffic goes through a tunnel, by way of a proxy on the loopback that only it has the password of.
 * Ends with the command's own exit code.
 */
export async function exec(values: ExecValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  const [command, ...args] = values.program;
  if (command === undefined) throw new UsageError("exec needs a command", "sealport exec office.conf -- curl URL");
  await using office = await openNamed(values, "exec", terminal);
  const random = host().entropy.fill(new Uint8Array(32));
  const credentials = { user: "sealport", password: toHex(random) };
  const proxy = new ProxyServer(office, { credentials, agent: office.agent() });
  const { port } = await proxy.listen(0, "127.0.0.1");
  try {
    const at = `${credentials.user}:${credentials.password}@127.0.0.1:${port}`;
    const child = spawn(command, args, { stdio: "inherit", env: { ...process.env, ...proxyEnvironment(at) } });
    const stop = () => child.kill("SIGTERM");
    signal.addEventListener("abort", stop, { once: true });
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, by) => resolve(status ?? 128 + (by === null ? 0 : constants.signals[by])));
    });
    signal.removeEventListener("abort", stop);
    terminal.event("ended", { code });
    // The numbers of the table are ours; what the command ended with passes as it is.
    process.once("exit", () => {
      process.exitCode = code;
    });
    return code === exitCodes.ok.code ? "ok" : "internal";
  } finally {
    await proxy.close();
  }
}

/** What programs know of proxies: curl and most others, and Node by the hook. */
function proxyEnvironment(at: string): Readonly<Record<string, string>> {
  const http = `http://${at}`;
  const options = [process.env["NODE_OPTIONS"], `--import ${JSON.stringify(fileURLToPath(hook))}`];
  return {
    HTTP_PROXY: http,
    HTTPS_PROXY: http,
    http_proxy: http,
    https_proxy: http,
    ALL_PROXY: `socks5h://${at}`,
    all_proxy: `socks5h://${at}`,
    NO_PROXY: "localhost,127.0.0.1,::1",
    no_proxy: "localhost,127.0.0.1,::1",
    SEALPORT_EXEC: `socks5://${at}`,
    NODE_OPTIONS: options.filter((each) => each !== undefined).join(" "),
  };
}
