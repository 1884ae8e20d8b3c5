import type { OpenTunnel } from "../../adapters/tunnel/index.js";
import type { Host } from "../../contract/index.js";
import { UsageError } from "../exit.js";

/** RFC 862. */
const echoPort = 7;

/** Gives back what comes to port 7 inside, by TCP and UDP. */
export async function serveEcho(tunnel: OpenTunnel): Promise<void> {
  await tunnel.listen(echoPort, (socket) => void socket.on("error", () => {}).pipe(socket));
  const datagrams = await tunnel.datagram({ port: echoPort });
  datagrams.on("error", () => {});
  datagrams.on("message", (bytes, from) => datagrams.send(bytes, from.port, from.address));
}

/** The wait for a signal, not what is idle inside, holds the process. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  const waiting = setInterval(() => {}, 60_000);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  clearInterval(waiting);
}

/** Host, or `*`, and port of a URL with this scheme. */
export function tunnelAddress(url: string, scheme: string, example: string): { name: string; port: number } {
  const [head, tail] = [`${scheme}://`, url.slice(scheme.length + 3)];
  const [, six, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/@[\]]+)):(\d{1,5})\/?$/.exec(tail) ?? [];
  const name = six ?? plain;
  if (url.startsWith(head) && name !== undefined && Number(digits) <= 65_535) return { name, port: Number(digits) };
  throw new UsageError(`${url} is no ${scheme}://HOST:PORT`, example);
}

export const bracketed = (name: string): string => (name.includes(":") ? `[${name}]` : name);

/** Where others may find this machine: its first address beyond the loopback, IPv4 before IPv6; inside a tunnel, where one is named. */
export function firstAddress({ network }: Host): string {
  const all = network.interfaces().filter(({ type }) => type !== "loopback");
  const outside = all.filter(({ type }) => type !== "tunnel");
  const found = (outside.length > 0 ? outside : all)
    .flatMap(({ addresses }) => addresses.map(({ address }) => address))
    .filter((address) => !address.startsWith("fe80:"));
  return found.find((address) => !address.includes(":")) ?? found[0] ?? "127.0.0.1";
}
