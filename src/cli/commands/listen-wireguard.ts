import { openTunnel } from "../../adapters/tunnel/index.js";
import { toBase64 } from "../../bytes/index.js";
import type { Host } from "../../contract/index.js";
import { newKeys } from "../../protocols/wireguard/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, UsageError } from "../exit.js";
import { openSessionHost } from "../session-host.js";
import type { ListenValues } from "./listen.js";
import { bracketed, firstAddress, serveEcho, tunnelAddress, untilAborted } from "./listen-tunnel.js";

/**
 * Serves one WireGuard client with keys made for this run: its file goes to stdout, and as a QR code to stderr. Inside,
 * echoes are answered, and with `--echo` TCP and UDP on port 7.
 */
export async function listenWireGuard(values: ListenValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  const { name, port } = tunnelAddress(values.url ?? "", "wireguard", "sealport listen wireguard://*:51820 --echo");
  if (values.exec !== undefined) throw new UsageError("a tunnel has no stdin and stdout for --exec", "--echo");
  await using below = await openSessionHost(values, "server", terminal);
  const { host } = below;
  const [server, client, psk] = [newKeys(host), newKeys(host), random(host, 32)];
  const [a, b] = random(host, 2);
  const inside = `10.${a}.${b}`;
  const text = (lines: readonly string[]) => `${lines.join("\n")}\n`;
  await using tunnel = await openTunnel(
    host,
    text([
      "[Interface]",
      `PrivateKey = ${server.privateKey}`,
      `ListenPort = ${port}`,
      `Address = ${inside}.1/24`,
      "[Peer]",
      `PublicKey = ${client.publicKey}`,
      `PresharedKey = ${toBase64(psk)}`,
      `AllowedIPs = ${inside}.2/32`,
    ]),
    { name: "listen", ...(name !== "*" && { localAddress: (await host.network.resolve(name, { signal }))[0]! }) },
  );
  const outside = name === "*" ? firstAddress(host) : name;
  const file = text([
    "[Interface]",
    `PrivateKey = ${client.privateKey}`,
    `Address = ${inside}.2/24`,
    "",
    "[Peer]",
    `PublicKey = ${server.publicKey}`,
    `PresharedKey = ${toBase64(psk)}`,
    `AllowedIPs = ${inside}.0/24`,
    `Endpoint = ${bracketed(outside)}:${tunnel.local.port}`,
  ]);
  if (values.echo) await serveEcho(tunnel);
  for (const event of ["handshake", "expired"] as const) {
    tunnel.on(event, (data: { readonly peer: string }) => {
      terminal.event(event, data);
      terminal.note(`${event}: ${data.peer}`);
    });
  }
  terminal.print(file);
  terminal.event("client", { file, address: `${inside}.1`, port: tunnel.local.port });
  const { renderUnicodeCompact } = await import("uqr");
  terminal.note(renderUnicodeCompact(file));
  terminal.note(`listening on UDP port ${tunnel.local.port}; inside as ${inside}.1`);
  await untilAborted(signal);
  signal.throwIfAborted();
  return "ok";
}

const random = ({ entropy }: Host, size: number): Uint8Array => entropy.fill(new Uint8Array(size));
