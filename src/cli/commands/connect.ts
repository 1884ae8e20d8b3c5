import { systemServices } from "../../adapters/system.js";
import type { SessionStore } from "../../protocols/tls/index.js";
import { preconnectionFor } from "../../taps/index.js";
import type { CommandContext } from "../command.js";
import { described, description, summary } from "../describe.js";
import { type ExitName, UsageError } from "../exit.js";
import { isHttp } from "../http-url.js";
import { pipeBothWays } from "../pipe.js";
import { readSource } from "../secrets.js";
import { securityFor } from "../security.js";
import { openSessionHost } from "../session-host.js";
import type { SessionValues } from "../session-options.js";
import { isSrtp, isZrtp, target } from "../url.js";

export interface ConnectValues extends SessionValues {
  readonly url: string | undefined;
  readonly session: string | undefined;
  readonly "early-data": string | undefined;
  readonly post: string | undefined;
}

const timeoutMs = 30_000;

/** Stdin goes to the peer and what it says to stdout, each direction ending by itself. */
export async function connect(values: ConnectValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  if (values.url === undefined) throw new UsageError("connect needs a URL", "sealport connect tls://example.com:443");
  if (isSrtp(values.url)) return (await import("./srtp.js")).connectSrtp(values, { terminal, signal });
  if (isZrtp(values.url)) return (await import("./zrtp.js")).connectZrtp(values, { terminal, signal });
  if (isHttp(values.url)) return (await import("./connect-http.js")).connectHttp(values, { terminal, signal });
  if (values.post !== undefined) throw new UsageError("--post needs a URL with a path", "quic://HOST:PORT/PATH");
  const to = target(values.url);
  await using below = await openSessionHost(values, "client", terminal);
  const { host } = below;
  const system = systemServices({ host });
  const security = await securityFor(to, values, host, "client");
  if (values["trust-anyone"]) terminal.note("the peer is not authenticated: --trust-anyone");
  const cache = values.session === undefined ? undefined : await sessionsIn(values.session);
  const early =
    values["early-data"] === undefined ? undefined : readSource(values["early-data"], "--early-data", false);
  const pre = preconnectionFor(system, to.url, { ...security, ...(cache !== undefined && { sessionCache: cache }) });
  const bound = { signal, timeout: values.timeout ?? timeoutMs };
  const started = host.now();
  const connection =
    early === undefined ? pre.initiate(bound) : pre.initiateWithSend(early, { ...bound, safelyReplayable: true });
  await connection.ready;
  const ms = Math.round((host.now() - started) * 10) / 10;
  const told = described(connection);
  terminal.event("connected", { ...description(told, host), ms });
  terminal.note(`${summary(told)} (${ms} ms)`);
  const moved = await pipeBothWays(connection, process.stdin, terminal, signal, quietMs);
  await connection.close({ timeout: closeMsMax });
  terminal.event("closed", { ...moved });
  return "ok";
}

/** A Connection of Messages is over when nothing has come for so long behind the end of the input, in milliseconds. */
const quietMs = 500;

/** How long a Close may take before it is left at that, in milliseconds. */
const closeMsMax = 5_000;

const sessionsIn = async (path: string): Promise<SessionStore> =>
  (await import("../../adapters/file-sessions.js")).FileSessionStore.open(path);
