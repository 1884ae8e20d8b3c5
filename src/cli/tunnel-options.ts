import { type OpenTunnel, openTunnel, type TunnelOptions } from "../adapters/tunnel/index.js";
import { fromBase64 } from "../bytes/index.js";
import { type Host, Secret } from "../contract/index.js";
import { ConfigError, UsageError } from "./exit.js";
import { host } from "./host.js";
import { readSource } from "./secrets.js";
import type { Terminal } from "./terminal.js";

export interface TunnelValues {
  readonly file: string | undefined;
  readonly key: string | undefined;
  readonly login?: string | undefined;
  readonly json: boolean;
}

/** Opens the tunnel that a command names; what the file says in vain is told with its line. */
export async function openNamed(
  values: Omit<TunnelValues, "json">,
  command: string,
  terminal: Terminal,
  pcapng?: string,
  on: Host = host(),
): Promise<OpenTunnel> {
  const file = namedFile(values, command);
  const office = await openTunnel(on, file, { ...secretOptions(values), ...(pcapng !== undefined && { pcapng }) });
  tellWarnings(office.warnings, file, terminal);
  return office;
}

/** Tells that a tunnel is open, and from then on what happens to it. */
export function tellOpen(office: OpenTunnel, terminal: Terminal): void {
  const about = {
    handshake: "handshake done with",
    retrying: "no answer yet from",
    unanswered: "no answer from",
    expired: "keys expired of",
  } as const;
  for (const name of ["handshake", "retrying", "unanswered", "expired"] as const) {
    office.on(name, (event: { readonly peer: string }) => {
      terminal.event(name, event);
      terminal.note(`${about[name]} ${event.peer}`);
    });
  }
  office.on("notice", ({ text }) => {
    terminal.event("notice", { text });
    terminal.note(text);
  });
  office.on("failed", ({ failure }) => {
    terminal.event("failed", failure.toJSON());
    terminal.note(failure.message);
  });
  office.on("moved", ({ peer, from, to }) => {
    terminal.event("moved", { peer, from, to });
    terminal.note(`${peer} moved to ${bracketed(to.address)}:${to.port}`);
  });
  const { addresses } = office.status();
  terminal.event("open", { tunnel: office.name, publicKey: office.publicKey, addresses });
  terminal.note(`${office.name} is open: ${addresses.join(", ")}`);
}

/** The file that a command names. */
export function namedFile({ file }: Pick<TunnelValues, "file">, command: string): string {
  if (file === undefined) throw new UsageError(`${command} needs a tunnel's file`, `sealport ${command} office.conf`);
  if (file.includes("[")) throw new UsageError("a tunnel is named by its file, since it holds a secret");
  return file;
}

export function tellWarnings(warnings: OpenTunnel["warnings"], file: string, terminal: Terminal): void {
  for (const { line, message } of warnings) {
    terminal.event("warning", { line, message });
    terminal.note(`${file}:${line}: ${message}`);
  }
}

/** What a file leaves out because it is secret. */
export function secretOptions({
  key,
  login,
}: Pick<TunnelValues, "key" | "login">): Pick<TunnelOptions, "privateKey" | "credentials"> {
  return { ...keyOptions(key), ...loginOptions(login) };
}

function loginOptions(source: string | undefined): Pick<TunnelOptions, "credentials"> {
  if (source === undefined) return {};
  const [user = "", password = ""] = new TextDecoder().decode(readSource(source, "--login", false)).split(/\r?\n/);
  if (user === "" || password === "") throw new ConfigError("--login: not a user and a password on two lines");
  return { credentials: { user, password: new Secret(new TextEncoder().encode(password)) } };
}

function keyOptions(source: string | undefined): Pick<TunnelOptions, "privateKey"> {
  if (source === undefined) return {};
  const bytes = fromBase64(new TextDecoder().decode(readSource(source, "--key", false)).trim());
  if (bytes?.length !== 32) throw new ConfigError("--key: not 32 bytes in base64");
  return { privateKey: new Secret(bytes) };
}

/** `port`, `host:port` or `[address]:port`; the loopback if no host is named. */
export function listenAddress(text: string, option: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new UsageError(`${option} ${text} is no address to listen on`, `${option} 127.0.0.1:1080`);
  }
  return { host: bracketed ?? plain ?? "127.0.0.1", port };
}

export const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

export const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.");
