import { once } from "node:events";
import {
  byProtocol,
  fileHandlers,
  hqProtocol,
  hqServer,
  http3Protocol,
  http3Server,
} from "../../adapters/http3/index.js";
import { addressOf, serverSecurity } from "../../adapters/quic/index.js";
import { listen as listenQuic, type QuicSession } from "../../protocols/quic/index.js";
import type { CommandContext } from "../command.js";
import { addressText, description, summary } from "../describe.js";
import { type ExitName, UsageError } from "../exit.js";
import { describedQuic, httpProtocols, httpTarget, quicOptions } from "../http.js";
import { openSessionHost } from "../session-host.js";
import type { ListenValues } from "./listen.js";

/** `listen quic://HOST:PORT --www DIR`: serves the folder's files by h3 and hq-interop. */
export async function listenHttp(values: ListenValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  if (!/^quic:/i.test(values.url!)) throw new UsageError("--www is for quic:", "sealport listen quic://*:4433 --www .");
  for (const option of ["echo", "exec"] as const) {
    if (values[option]) throw new UsageError(`--${option} and --www exclude each other`);
  }
  const target = httpTarget(values.url!.replace("://*", "://[::]"));
  await using below = await openSessionHost(values, "server", terminal);
  const { host } = below;
  const { init, quic } = quicOptions(values, host);
  const [identity] = Array.isArray(init.identity) ? init.identity : [];
  if (identity === undefined)
    throw new UsageError("listen needs --identity", "sealport keygen certificate --out server");
  const { http3, hq } = fileHandlers(values.www!);
  const asked = (session: QuicSession, method: string, path: string) => {
    const remote = addressText(session.remote);
    terminal.event("request", { remote, method, path });
    terminal.note(`${remote}: ${method} ${path}`);
  };
  const accept = byProtocol({
    [hqProtocol]: hqServer((path, session) => {
      asked(session, "GET", path);
      return hq(path, session);
    }),
    [http3Protocol]: (session) =>
      http3Server((request) => {
        asked(session, request.method, request.path);
        return http3(request);
      })(session),
  });
  const once_ = values.once ? new AbortController() : undefined;
  const local = { address: await addressOf(host.network, target.host, signal), port: portOf(values.url!) };
  const security = serverSecurity(host, httpProtocols(values), { identity, quic });
  const listener = await listenQuic(host, local, security, (session) => {
    const sink = accept(session);
    return {
      ...sink,
      confirmed: (outcome) => {
        const told = describedQuic(session, outcome);
        terminal.event("accepted", description(told, host));
        terminal.note(summary(told));
        sink.confirmed?.(outcome, session);
      },
      closed: (failure) => {
        sink.closed(failure);
        const remote = addressText(session.remote);
        if (failure !== undefined && session.outcome === undefined) {
          terminal.event("refused", { message: failure.message });
          terminal.note(`refused: ${failure.message}`);
          return;
        }
        const { bytesSent, bytesReceived } = session.statistics;
        terminal.event("closed", { remote, bytesSent, bytesReceived });
        once_?.abort();
      },
    };
  });
  const address = addressText(listener.local);
  terminal.event("listening", { address });
  terminal.note(`listening on ${address}`);
  const stop = once_ === undefined ? signal : AbortSignal.any([signal, once_.signal]);
  if (!stop.aborted) await once(stop, "abort");
  await listener.closeAll();
  signal.throwIfAborted();
  return "ok";
}

/** A port of 0 is one that is free; the URL's parser keeps it apart from none. */
function portOf(url: string): number {
  const [, digits] = /:(\d+)\/?$/.exec(url) ?? [];
  if (digits === undefined) throw new UsageError(`${url} has no port`, "quic://*:4433");
  return Number(digits);
}
