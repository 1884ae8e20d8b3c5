import type { Connection } from "./connection.js";
import type { ActionOptions } from "./events.js";
import { misuse } from "./failure.js";
import type { MakeFramer } from "./framer.js";
import type { Listener, ListenerOptions, ServeOptions } from "./listener.js";
import type { Preconnection } from "./preconnection.js";
import { disabled, type SecurityInit, type SecurityMode, type SecurityParameters, secure } from "./security.js";
import type { TransportServices } from "./system.js";
import { TransportProperties } from "./transport-properties.js";
import { readUrl, type Target } from "./url.js";

/** Security in one breath with the rest: every field of `secure`, and the transport's properties if you care. */
export interface UrlOptions extends SecurityInit {
  /** Beside what the scheme says. */
  readonly transport?: TransportProperties;
  readonly framers?: readonly MakeFramer[];
}

export interface DialOptions extends UrlOptions, ActionOptions {}

/** `await dial("tls://example.com:443", { alpn: ["h2"] })`: a Connection that is Ready. */
export function dial(system: TransportServices, url: string | URL, options: DialOptions = {}): Promise<Connection> {
  const { signal, timeout } = options;
  try {
    return preconnectionFor(system, url, options).connect({ signal, timeout });
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The Preconnection that a URL and options stand for, for those who want more of it than a Connection. */
export function preconnectionFor(
  system: TransportServices,
  url: string | URL,
  options: UrlOptions = {},
): Preconnection<SecurityMode> {
  const target = readUrl(url);
  if (target.port === undefined) throw misuse(`${String(url)} has no port`, "URL");
  return system.preconnection<SecurityMode>({
    remote: { host: target.host, port: target.port, ...(target.row.protocol && { protocol: target.row.protocol }) },
    ...common(target, options),
  });
}

/** What serves a URL: its Listener, and the end of all. */
export interface Server extends AsyncDisposable {
  readonly listener: Listener;
  /** Resolves when the Listener has stopped and every handler is done; rejects if it could not go on. */
  readonly done: Promise<void>;
  /** The port that was opened, of use where the URL said 0. */
  readonly port: number;
  /** Stops accepting, closes what is served, and resolves when every handler is done. */
  close(): Promise<void>;
}

export type Handler = (connection: Connection, signal: AbortSignal) => Promise<void> | void;

/** `await serve("tls://0.0.0.0:8443", handler, { identity })`. A host of `*` listens on every address. */
export async function serve(
  system: TransportServices,
  url: string | URL,
  handler: Handler,
  options: UrlOptions & ServeOptions & ListenerOptions = {},
): Promise<Server> {
  const { concurrency, signal, backlog } = options;
  const target = readUrl(url);
  const { host, port = 0 } = target;
  const pre = system.preconnection<SecurityMode>({
    local: {
      port,
      ...(host !== "*" && { host }),
      ...(target.row.protocol !== undefined && { protocol: target.row.protocol }),
    },
    ...common(target, options),
  });
  const listener = await pre.listen({ ...(backlog !== undefined && { backlog }) });
  const stop = new AbortController();
  const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const done = listener.serve(handler, { signal: both, ...(concurrency !== undefined && { concurrency }) });
  // Whoever does not look at `done` shall not die of it.
  done.catch(() => {});
  const close = async () => {
    stop.abort();
    await done;
  };
  return { listener, done, port: listener.localEndpoints[0]!.port, close, [Symbol.asyncDispose]: close };
}

function common(
  { row }: Target,
  options: UrlOptions,
): { transport: TransportProperties; security: SecurityParameters; framers?: readonly MakeFramer[] } {
  const { transport = new TransportProperties(), framers, ...rest } = options;
  return {
    transport: row.transport.with(transport.set),
    security: row.allowed.length === 0 ? disabled() : secure({ ...raced(row), ...securityOf(rest) }),
    ...(framers !== undefined && { framers }),
  };
}

const raced = ({ allowed, equivalent }: Target["row"]): SecurityInit => ({
  allowed,
  ...(equivalent && { equivalent }),
});

/** The fields of `secure` alone: what an action takes is not its business. */
function securityOf(options: SecurityInit): SecurityInit {
  const {
    signal: _,
    timeout: __,
    concurrency: ___,
    backlog: ____,
    ...init
  } = options as SecurityInit & ActionOptions & ServeOptions & ListenerOptions;
  return init;
}
