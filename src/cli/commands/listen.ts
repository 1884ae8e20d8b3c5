import { spawn } from "node:child_process";
import { once } from "node:events";
import { systemServices } from "../../adapters/system.js";
import { toHex } from "../../bytes/index.js";
import { type Connection, serve } from "../../taps/index.js";
import type { CommandContext } from "../command.js";
import { addressText, described, description, summary } from "../describe.js";
import { type ExitName, UsageError } from "../exit.js";
import { hasMessages, pipeBothWays } from "../pipe.js";
import { securityFor } from "../security.js";
import { openSessionHost } from "../session-host.js";
import type { SessionValues } from "../session-options.js";
import { isSrtp, isZrtp, target } from "../url.js";

export interface ListenValues extends SessionValues {
  readonly url: string | undefined;
  readonly echo: boolean;
  readonly exec: string | undefined;
  readonly once: boolean;
  readonly www: string | undefined;
  readonly "ask-client": "request" | "require" | undefined;
}

/** Serves each peer: gives back what it says, connects it to a command, or to stdin and stdout. */
export async function listen(values: ListenValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  if (values.url === undefined)
    throw new UsageError("listen needs a URL", "sealport listen tls://127.0.0.1:8443 --echo");
  if (values.echo && values.exec !== undefined) throw new UsageError("--echo and --exec exclude each other");
  if (isSrtp(values.url)) {
    if (values.exec !== undefined) throw new UsageError("srtp: has packets for stdin and stdout, not --exec");
    return (await import("./srtp.js")).listenSrtp(values, { terminal, signal });
  }
  if (isZrtp(values.url)) {
    if (values.exec !== undefined) throw new UsageError("zrtp: has packets for stdin and stdout, not --exec");
    return (await import("./zrtp.js")).listenZrtp(values, { terminal, signal });
  }
  if (values.url.startsWith("wireguard:")) {
    return (await import("./listen-wireguard.js")).listenWireGuard(values, { terminal, signal });
  }
  if (/^openvpn(\+tcp)?:/.test(values.url)) {
    return (await import("./listen-openvpn.js")).listenOpenVpn(values, { terminal, signal });
  }
  if (values.www !== undefined) return (await import("./listen-http.js")).listenHttp(values, { terminal, signal });
  const at = target(values.url);
  await using below = await openSessionHost(values, "server", terminal);
  const { host } = below;
  const system = systemServices({ host });
  const security = await securityFor(at, values, host, "server");
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const { exec } = values;
  const talk = async (connection: Connection): Promise<void> => {
    if (values.echo) await echo(connection);
    else if (exec !== undefined) await execute(connection, exec);
    else await pipeBothWays(connection, process.stdin, terminal, signal);
  };
  const server = await serve(
    system,
    at.url,
    async (connection) => {
      const told = described(connection);
      terminal.event("accepted", description(told, host));
      terminal.note(summary(told));
      const abort = () => connection.abort(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      try {
        await talk(connection);
        await connection.close({ timeout: 5_000 });
        const { bytesSent, bytesReceived } = connection.statistics;
        terminal.event("closed", { remote: addressText(connection.remoteEndpoint), bytesSent, bytesReceived });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        terminal.event("failed", { remote: addressText(connection.remoteEndpoint), message });
        terminal.note(`failed: ${message}`);
      } finally {
        signal.removeEventListener("abort", abort);
        if (values.once) stop.abort();
      }
    },
    {
      ...security,
      signal: both,
      ...(values["ask-client"] !== undefined && { clientAuthentication: values["ask-client"] }),
      // Stdin can be given to one peer only.
      ...((values.once || (!values.echo && exec === undefined)) && { concurrency: 1 }),
    },
  );
  server.listener.on("softError", (error) => {
    terminal.event("refused", { message: String(error instanceof Error ? error.message : error) });
    terminal.note(`refused: ${error instanceof Error ? error.message : error}`);
  });
  const address = addressText(server.listener.localEndpoints[0]);
  const publicKey = security.keyPair && toHex(security.keyPair.publicKey);
  terminal.event("listening", { address, publicKey });
  terminal.note(`listening on ${address}${publicKey === undefined ? "" : `, public key ${publicKey}`}`);
  await server.done.catch((error: unknown) => {
    if (!both.aborted) throw error;
  });
  signal.throwIfAborted();
  return "ok";
}

async function echo(connection: Connection): Promise<void> {
  const isOfMessages = hasMessages(connection);
  for await (const { data } of connection) await connection.send(data);
  if (!isOfMessages) await connection.send(new Uint8Array(0), { final: true });
}

/** The command's stdin is what the peer says, its stdout what the peer hears, and its end our end. */
async function execute(connection: Connection, command: string): Promise<void> {
  const child = spawn(command, { shell: true, stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.on("error", () => {});
  const feeding = (async () => {
    for await (const { data } of connection) if (!child.stdin.write(data)) await once(child.stdin, "drain");
    child.stdin.end();
  })();
  feeding.catch(() => child.kill());
  for await (const chunk of child.stdout) await connection.send(new Uint8Array(chunk as Buffer));
  await connection.send(new Uint8Array(0), { final: true });
}
