import { openDeviceTunnel } from "../../adapters/tunnel/index.js";
import { toBase64 } from "../../bytes/index.js";
import type { Failure } from "../../contract/index.js";
import type { TunnelNotice } from "../../tunnels/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, UsageError } from "../exit.js";
import { host } from "../host.js";
import { bracketed, listenAddress, namedFile, secretOptions, tellWarnings } from "../tunnel-options.js";
import { liveLine, serveMetrics, type TunnelCommandValues, untilInterrupted } from "./tunnel.js";

/** `tunnel --tun`: a device for all programs, taken down when it is interrupted. */
export async function tunnelDevice(
  values: TunnelCommandValues,
  device: string,
  { terminal, signal }: CommandContext,
): Promise<ExitName> {
  for (const [option, isGiven] of Object.entries({
    "--socks": values.socks !== undefined,
    "-L": values.local.length > 0,
    "-R": values.remote.length > 0,
    "-W": values.stdio !== undefined,
  })) {
    if (isGiven) throw new UsageError(`${option} goes through a stack of our own, and --tun leaves that to the system`);
  }
  const metrics = values.metrics === undefined ? undefined : listenAddress(values.metrics, "--metrics");
  const file = namedFile(values, "tunnel");
  const gone = new AbortController();
  let failure: Failure | undefined;
  await using office = await openDeviceTunnel(host(), file, {
    device,
    ...secretOptions(values),
    ...(values.pcapng !== undefined && { pcapng: values.pcapng }),
    on: (notice) => {
      const about = aboutNotice(notice);
      terminal.event(notice.kind, about.data);
      terminal.note(about.text);
    },
    ended: (reason) => {
      failure = reason;
      gone.abort();
    },
  });
  tellWarnings(office.warnings, file, terminal);
  const { addresses } = office.status();
  terminal.event("open", { tunnel: device, publicKey: office.publicKey, addresses });
  terminal.note(
    `${device} is open: ${addresses.join(", ")} from ${bracketed(office.local.address)}:${office.local.port}`,
  );
  const { nameServers, nameServersBy } = office;
  if (nameServers.length > 0) {
    terminal.event("name-servers", { servers: nameServers, ...(nameServersBy && { by: nameServersBy }) });
    terminal.note(
      nameServersBy === undefined
        ? `names are not asked of ${nameServers.join(", ")}: neither systemd-resolved nor resolvconf is here`
        : `names are asked of ${nameServers.join(", ")}, by ${nameServersBy}`,
    );
  }
  const served = metrics && (await serveMetrics(() => office.status(), metrics));
  if (served !== undefined) {
    terminal.event("listening", { what: "metrics", address: served.address });
    terminal.note(`metrics on ${served.address}`);
  }
  office.handshake();
  await untilInterrupted(AbortSignal.any([signal, gone.signal]), () => terminal.progress(liveLine(office.status())));
  served?.close();
  terminal.event("status", { ...office.status() });
  if (failure !== undefined) throw failure;
  signal.throwIfAborted();
  return "ok";
}

const about = {
  session: "handshake done with",
  moved: "on the move:",
  retrying: "no answer yet from",
  unanswered: "no answer from",
  expired: "keys expired of",
} as const;

function aboutNotice(notice: TunnelNotice): { readonly text: string; readonly data: Readonly<Record<string, string>> } {
  if (notice.kind === "notice") return { text: notice.text, data: { text: notice.text } };
  if (notice.kind === "failed") return { text: notice.failure.message, data: { message: notice.failure.message } };
  const peer = toBase64(notice.publicKey);
  return { text: `${about[notice.kind]} ${peer}`, data: { peer } };
}
