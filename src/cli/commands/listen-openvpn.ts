import { openTunnel } from "../../adapters/tunnel/index.js";
import { toHex } from "../../bytes/index.js";
import type { Host } from "../../contract/index.js";
import { writePem } from "../../pki/index.js";
import { type Issuer, makeAuthority, makeCertificate, makePrivateKey } from "../../pki/make/index.js";
import type { CommandContext } from "../command.js";
import { type ExitName, UsageError } from "../exit.js";
import { openSessionHost } from "../session-host.js";
import type { ListenValues } from "./listen.js";
import { bracketed, firstAddress, serveEcho, tunnelAddress, untilAborted } from "./listen-tunnel.js";

/** How long the certificates of a run are good, and how far behind a client's clock may be, in milliseconds. */
const lifetimeMs = 30 * 86_400_000;
const skewMs = 3_600_000;

/**
 * Serves OpenVPN clients with an authority and a tls-crypt key made for this run: a client's file goes to stdout, for as many
 * clients as use it. Inside, echoes are answered, and with `--echo` TCP and UDP on port 7.
 */
export async function listenOpenVpn(values: ListenValues, { terminal, signal }: CommandContext): Promise<ExitName> {
  const url = values.url ?? "";
  const isTcp = url.startsWith("openvpn+tcp:");
  const scheme = isTcp ? "openvpn+tcp" : "openvpn";
  const { name, port } = tunnelAddress(url, scheme, "sealport listen openvpn://*:1194 --echo");
  if (values.exec !== undefined) throw new UsageError("a tunnel has no stdin and stdout for --exec", "--echo");
  await using below = await openSessionHost(values, "server", terminal);
  const { host } = below;
  const made = credentials(host);
  const [a, b] = random(host, 2);
  const inside = `10.${a}.${b}`;
  const local = name === "*" ? undefined : (await host.network.resolve(name, { signal }))[0]!;
  const proto = isTcp ? "tcp" : "udp";
  const server = [
    `server ${inside}.0 255.255.255.0`,
    `proto ${isTcp ? "tcp-server" : "udp"}`,
    `lport ${port}`,
    "keepalive 10 60",
    // One file is for as many as have it.
    "duplicate-cn",
    "remote-cert-tls client",
    ...made.server,
  ];
  await using tunnel = await openTunnel(host, lines(server), {
    name: "listen",
    ...(local !== undefined && { localAddress: local }),
  });
  const outside = name === "*" ? firstAddress(host) : name;
  const file = lines([
    "client",
    "dev tun",
    `proto ${proto}${outside.includes(":") ? "6" : ""}`,
    `remote ${outside} ${tunnel.local.port}`,
    "nobind",
    "remote-cert-tls server",
    ...made.client,
  ]);
  if (values.echo) await serveEcho(tunnel);
  for (const event of ["handshake", "expired"] as const) {
    tunnel.on(event, (data: { readonly peer: string }) => terminal.event(event, data));
  }
  tunnel.on("notice", ({ text }) => {
    terminal.event("notice", { text });
    terminal.note(text);
  });
  terminal.print(file);
  terminal.event("client", { file, address: `${inside}.1`, port: tunnel.local.port });
  terminal.note(`listening on ${bracketed(outside)}:${tunnel.local.port} by ${proto}; inside as ${inside}.1`);
  await untilAborted(signal);
  terminal.event("status", { ...tunnel.status() });
  signal.throwIfAborted();
  return "ok";
}

const random = ({ entropy }: Host, size: number): Uint8Array => entropy.fill(new Uint8Array(size));
const lines = (all: readonly string[]): string => `${all.join("\n")}\n`;
const block = (name: string, text: string): string => `<${name}>\n${text.trim()}\n</${name}>`;

/** What either side's file says of who it is and whom it trusts. */
function credentials(host: Host): { readonly server: readonly string[]; readonly client: readonly string[] } {
  const { crypto: provider, entropy } = host;
  const now = host.now();
  const valid = { provider, entropy, notBefore: now - skewMs, notAfter: now + lifetimeMs };
  const newKey = () => {
    const pkcs8 = makePrivateKey("P-256", entropy, provider);
    return { privateKey: provider.privateKey(pkcs8.expose())!, pem: writePem("PRIVATE KEY", pkcs8.expose()) };
  };
  const root = newKey().privateKey;
  const certificate = makeAuthority({ ...valid, key: root, subject: "CN=sealport listen" });
  const issuer: Issuer = { certificate, privateKey: root };
  const shared = toHex(random(host, 256)).replace(/.{32}/g, "$&\n");
  const wrapping = `-----BEGIN OpenVPN Static key V1-----\n${shared}-----END OpenVPN Static key V1-----`;
  const side = (purpose: "server" | "client"): readonly string[] => {
    const { privateKey: key, pem } = newKey();
    const own = makeCertificate({ ...valid, key, issuer, subject: `CN=${purpose}`, purposes: [purpose] });
    return [
      block("ca", writePem("CERTIFICATE", certificate.raw)),
      block("cert", writePem("CERTIFICATE", own.raw)),
      block("key", pem),
      block("tls-crypt", wrapping),
    ];
  };
  return { server: side("server"), client: side("client") };
}
