import { once } from "node:events";
import { FileSessionStore } from "../../adapters/file-sessions.js";
import { type IncomingBody, Origin } from "../../adapters/http3/index.js";
import { addressOf } from "../../adapters/quic/index.js";
import type { CommandContext } from "../command.js";
import { description, summary } from "../describe.js";
import { type ExitName, UsageError } from "../exit.js";
import { describedQuic, httpClientOptions, httpTarget } from "../http.js";
import { readSource } from "../secrets.js";
import { openSessionHost } from "../session-host.js";
import type { Terminal } from "../terminal.js";
import type { ConnectValues } from "./connect.js";

/** `connect quic://HOST:PORT/PATH`: asks for the path by h3 or hq-interop, and writes what comes to stdout. */
export async function connectHttp(values: ConnectValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  const target = httpTarget(values.url!);
  if (values["early-data"] !== undefined) throw new UsageError("--early-data is for streams: leave out the path");
  const post = values.post === undefined ? undefined : readSource(values.post, "--post", false);
  await using below = await openSessionHost(values, "client", terminal);
  const { host } = below;
  const store = values.session === undefined ? undefined : await FileSessionStore.open(values.session);
  if (values["trust-anyone"]) terminal.note("the peer is not authenticated: --trust-anyone");
  const options = httpClientOptions(values, host, target, store);
  const started = host.now();
  const address = await addressOf(host.network, target.host, signal);
  const origin = new Origin(host, { address, port: target.port }, target.authority, options);
  const { session } = origin;
  const stop = () => session.abort();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const asked = origin.ask(target.path ?? "/", post, signal);
    asked.catch(() => undefined);
    const outcome = await session.confirmed;
    const ms = Math.round((host.now() - started) * 10) / 10;
    const told = describedQuic(session, outcome);
    terminal.event("connected", { ...description(told, host), ms });
    terminal.note(`${summary(told)} (${ms} ms)`);
    const { status, headers, body } = await asked;
    if (status !== undefined) {
      terminal.event("response", { status, headers: headers && Object.fromEntries(headers) });
      terminal.note(`status ${status}`);
    }
    await write(body, terminal);
    const { bytesSent, bytesReceived } = session.statistics;
    await origin.close();
    terminal.event("closed", { bytesSent, bytesReceived });
    return "ok";
  } finally {
    signal.removeEventListener("abort", stop);
    session.close();
  }
}

async function write(body: IncomingBody, terminal: Terminal): Promise<void> {
  for await (const piece of body) {
    if (terminal.json) terminal.event("data", { base64: Buffer.from(piece).toString("base64") });
    else if (!process.stdout.write(piece)) await once(process.stdout, "drain");
  }
}
