import {
  authorityOf,
  type Credentials,
  type ForwardSpec,
  forwardLocal,
  forwardRemote,
  ProxyServer,
  parseForward,
} from "../../adapters/forward/index.js";
import { metricsServer, type TunnelStatus } from "../../adapters/tunnel/index.js";
import type { CommandContext } from "../command.js";
import { ConfigError, type ExitName, UsageError } from "../exit.js";
import { host } from "../host.js";
import { pipeBothWays } from "../pipe.js";
import { readSource } from "../secrets.js";
import { bracketed, isLoopback, listenAddress, openNamed, type TunnelValues, tellOpen } from "../tunnel-options.js";

export interface TunnelCommandValues extends TunnelValues {
  readonly socks: string | undefined;
  readonly "socks-auth": string | undefined;
  readonly local: readonly string[];
  readonly remote: readonly string[];
  readonly stdio: string | undefined;
  readonly metrics: string | undefined;
  readonly tun: string | undefined;
  readonly pcapng: string | undefined;
}

/** How often the live line is drawn, in milliseconds. */
const liveLineMs = 1_000;

/** Opens a tunnel and what leads into it, and keeps both until it is interrupted. */
export async function tunnel(values: TunnelCommandValues, context: CommandContext): Promise<ExitName> {
  if (values.tun !== undefined) return (await import("./tunnel-device.js")).tunnelDevice(values, values.tun, context);
  const { terminal, signal } = context;
  const wanted = readWishes(values);
  await using office = await openNamed(values, "tunnel", terminal, values.pcapng);
  const ends: (() => unknown)[] = [];
  await using _ = {
    [Symbol.asyncDispose]: async () => {
      for (const end of ends.reverse()) await end();
    },
  };
  tellOpen(office, terminal);
  const started = (what: string, address: string) => {
    terminal.event("listening", { what, address });
    terminal.note(`${what} on ${address}`);
  };
  if (wanted.socks !== undefined) {
    const proxy = new ProxyServer(office, { agent: office.agent(), ...wanted.credentials });
    const { address, port } = await proxy.listen(wanted.socks.port, wanted.socks.host);
    ends.push(() => proxy.close());
    started("SOCKS5 and HTTP proxy", `${bracketed(address)}:${port}`);
  }
  for (const spec of wanted.local) {
    const forward = await forwardLocal(office, spec);
    ends.push(() => forward.close());
    started(`forward to ${target(spec)}`, `${bracketed(spec.bind ?? "127.0.0.1")}:${forward.port}`);
  }
  for (const spec of wanted.remote) {
    const forward = await forwardRemote(office, spec);
    ends.push(() => forward.close());
    started(`forward to ${target(spec)}`, `port ${forward.port} inside`);
  }
  if (wanted.metrics !== undefined) {
    const { address, close } = await serveMetrics(() => office.status(), wanted.metrics);
    ends.push(close);
    started("metrics", address);
  }
  if (wanted.stdio !== undefined) {
    const { host: name, port } = wanted.stdio;
    const connection = await office.dial(`tcp://${bracketed(name)}:${port}`, { signal });
    await pipeBothWays(connection, process.stdin, terminal, signal);
    await connection.close();
    return "ok";
  }
  office.handshake();
  await untilInterrupted(signal, () => terminal.progress(liveLine(office.status())));
  terminal.event("status", { ...office.status() });
  signal.throwIfAborted();
  return "ok";
}

/** Everything that the command line says, before anything is opened. */
function readWishes(values: TunnelCommandValues) {
  const socks = values.socks === undefined ? undefined : listenAddress(values.socks, "--socks");
  const auth = values["socks-auth"];
  const credentials = auth === undefined ? undefined : credentialsFrom(auth);
  if (socks !== undefined && credentials === undefined && !isLoopback(socks.host)) {
    throw new UsageError(
      `--socks ${values.socks} would let everybody in`,
      "add --socks-auth SOURCE, or listen on 127.0.0.1",
    );
  }
  const stdio = values.stdio === undefined ? undefined : authorityOf(values.stdio);
  if (values.stdio !== undefined && stdio === undefined) throw new UsageError(`-W ${values.stdio} is not host:port`);
  if (values.stdio !== undefined && values.json) throw new UsageError("-W and --json both want stdout");
  return {
    socks,
    ...(credentials && { credentials: { credentials } }),
    local: values.local.map((text) => specFrom(text, "-L")),
    remote: values.remote.map((text) => specFrom(text, "-R")),
    stdio,
    metrics: values.metrics === undefined ? undefined : listenAddress(values.metrics, "--metrics"),
  };
}

function specFrom(text: string, option: string): ForwardSpec {
  const spec = parseForward(text);
  if (spec === undefined) {
    throw new UsageError(
      `${option} ${text} is no forward`,
      `${option} 8080:intranet.office:80, or with /udp behind it`,
    );
  }
  return spec;
}

function credentialsFrom(source: string): Credentials {
  const text = new TextDecoder().decode(readSource(source, "--socks-auth", false)).trim();
  const colon = text.indexOf(":");
  if (colon < 1) throw new ConfigError("--socks-auth: not user:password");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Serves a tunnel's numbers over HTTP. */
export async function serveMetrics(
  status: () => TunnelStatus,
  { port, host: name }: { readonly port: number; readonly host: string },
): Promise<{ readonly address: string; readonly close: () => void }> {
  const server = metricsServer(status, () => host().now());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, name, resolve);
  });
  const bound = server.address() as { readonly address: string; readonly port: number };
  return {
    address: `http://${bracketed(bound.address)}:${bound.port}/metrics`,
    close: () => void server.close().closeAllConnections(),
  };
}

/** Resolves when the signal comes; draws a live line until then. */
export async function untilInterrupted(signal: AbortSignal, draw: () => void): Promise<void> {
  const live = setInterval(draw, liveLineMs);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  clearInterval(live);
}

export function liveLine({ isUp, lastHandshakeAt, peers, connections }: TunnelStatus): string {
  const sum = (pick: (peer: (typeof peers)[number]) => number) => peers.reduce((all, peer) => all + pick(peer), 0);
  const age =
    lastHandshakeAt === undefined ? "none yet" : `${Math.round((host().now() - lastHandshakeAt) / 1_000)} s ago`;
  const sent = sum(({ bytesSent }) => bytesSent);
  const received = sum(({ bytesReceived }) => bytesReceived);
  return `${isUp ? "up" : "down"} · handshake ${age} · ${connections} open · ${received} bytes in · ${sent} out`;
}

const target = ({ to, isUdp }: ForwardSpec): string => `${bracketed(to.host)}:${to.port}${isUdp ? "/udp" : ""}`;
