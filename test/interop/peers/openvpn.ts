import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../../support/free-port.js";
import { authority, identity } from "./certificates.js";
import { ip, owns } from "./namespaces.js";
import { Program } from "./program.js";

export interface OpenVpnServerOptions {
  /** Default udp. */
  readonly transport?: "udp" | "tcp";
  /** Options beside the usual, one or more words each. */
  readonly more?: readonly string[];
  /** Default: certificates. */
  readonly users?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** An existing namespace for its port and its device both, and its address there; then it sets its device up itself. */
  readonly within?: { readonly namespace: string; readonly address: string };
}

let count = 0;

/**
 * openvpn(8) as a server with its port on loopback and its device in a network namespace of its own: 10.79.0.1/24 and
 * fd79::1/64 there, the next addresses are its clients'. Programs of the namespace are the private network behind it.
 */
export class OpenVpnServer implements AsyncDisposable {
  readonly port: number;
  readonly transport: "udp" | "tcp";
  readonly namespace: string;
  readonly folder: string;
  readonly #program: Program;
  readonly #ownsNamespace: boolean;

  static async start({
    transport = "udp",
    more = [],
    users,
    port,
    within,
  }: OpenVpnServerOptions = {}): Promise<OpenVpnServer> {
    needOpenVpn();
    const id = `${process.pid % 100_000}v${count++}`;
    const folder = mkdtempSync(join(tmpdir(), "sealport-ovpn-"));
    const device = `ov${id}`;
    const namespace = within?.namespace ?? `svpn${id}`;
    const own = port ?? (await freePort());
    const server = identity("p256");
    const config = [
      `proto ${transport === "udp" ? "udp" : "tcp-server"}`,
      `local ${within?.address ?? "127.0.0.1"}`,
      `port ${own}`,
      `dev ${device}`,
      "dev-type tun",
      ...(within === undefined ? ["ifconfig-noexec", "route-noexec"] : []),
      "server 10.79.0.0 255.255.255.0",
      "server-ipv6 fd79::/64",
      "topology subnet",
      `ca ${authority()}`,
      `cert ${server.certificate}`,
      `key ${server.key}`,
      "dh none",
      "keepalive 2 10",
      "verb 4",
      ...more.map((line) => line.replace("FOLDER", folder)),
    ];
    if (users !== undefined) {
      const checks = Object.entries(users).map(
        ([user, word]) => `[ "$u" = '${user}' ] && [ "$p" = '${word}' ] && exit 0`,
      );
      const verify = `#!/bin/sh\n{ read -r u; read -r p; } < "$1"\n${checks.join("\n")}\nexit 1\n`;
      writeFileSync(join(folder, "verify.sh"), verify, { mode: 0o700 });
      config.push(`auth-user-pass-verify ${join(folder, "verify.sh")} via-file`, "script-security 2");
      config.push("username-as-common-name", "verify-client-cert none");
    }
    for (const [option, kind] of Object.entries(sharedKeys)) {
      if (!more.some((line) => line.startsWith(`${option} `))) continue;
      kind(folder);
    }
    writeFileSync(join(folder, "server.conf"), `${config.join("\n")}\n`, { mode: 0o600 });
    const command = ["openvpn", "--config", join(folder, "server.conf")];
    const [start, ...rest] = within === undefined ? command : ["ip", "netns", "exec", namespace, ...command];
    const program = new Program("openvpn", start!, rest);
    try {
      await program.says(/Initialization Sequence Completed/);
      if (within !== undefined) return new OpenVpnServer(program, own, transport, namespace, folder, false);
      ip("netns", "add", namespace);
      // The device moves; its socket stays where it was made.
      ip("link", "set", device, "netns", namespace);
      ip("-n", namespace, "addr", "add", "10.79.0.1/24", "dev", device);
      ip("-n", namespace, "addr", "add", "fd79::1/64", "dev", device, "nodad");
      ip("-n", namespace, "link", "set", "lo", "up");
      ip("-n", namespace, "link", "set", device, "up");
      owns(namespace, "10.79.0.1", "fd79::1");
      return new OpenVpnServer(program, own, transport, namespace, folder, true);
    } catch (error) {
      await program[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(
    program: Program,
    port: number,
    transport: "udp" | "tcp",
    namespace: string,
    folder: string,
    ownsNamespace: boolean,
  ) {
    this.#program = program;
    this.#ownsNamespace = ownsNamespace;
    this.port = port;
    this.transport = transport;
    this.namespace = namespace;
    this.folder = folder;
  }

  get said(): string {
    return this.#program.said;
  }

  get pid(): number | undefined {
    return this.#program.pid;
  }

  says(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    return this.#program.says(pattern, from);
  }

  /** A client's file for this server, with everything inline. */
  file(more = "", { transport = this.transport, port = this.port } = {}): string {
    const client = identity("client");
    return `client
dev tun
proto ${transport}
remote 127.0.0.1 ${port}
remote-cert-tls server
${block("ca", authority())}${block("cert", client.certificate)}${block("key", client.key)}${more}
`;
  }

  /** One of the keys that it shares with its clients, inline. */
  shared(option: keyof typeof sharedKeys): string {
    return block(option, join(this.folder, option === "tls-crypt-v2" ? "v2-client.key" : "shared.key"));
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.kill(signal);
  }

  /** A program of the private network behind the tunnel. */
  inside(name: string, command: string, ...args: readonly string[]): Program {
    return new Program(name, "ip", ["netns", "exec", this.namespace, command, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    if (this.#ownsNamespace) ip("netns", "del", this.namespace);
    rmSync(this.folder, { recursive: true });
  }
}

/** A server with a private network behind it: see office-program.ts. Its clients' file is `conf`. */
export async function startOpenVpnOffice(
  title: string,
  options: OpenVpnServerOptions = {},
): Promise<AsyncDisposable & { readonly peer: OpenVpnServer; readonly conf: string }> {
  const pushes = ["dhcp-option DNS 10.79.0.1", "dhcp-option DOMAIN office.test", "route 10.80.0.0 255.255.0.0"];
  const more = [...(options.more ?? []), ...pushes.map((option) => `push "${option}"`)];
  const peer = await OpenVpnServer.start({ ...options, more });
  const services = peer.inside(title, process.execPath, program, title, "10.79.0.1");
  await services.says("the office is open");
  return {
    peer,
    conf: peer.file(),
    async [Symbol.asyncDispose]() {
      await services[Symbol.asyncDispose]();
      await peer[Symbol.asyncDispose]();
    },
  };
}

const program = fileURLToPath(new URL("./office-program.js", import.meta.url));

/** openvpn(8) as a client of a server on loopback, with its device in a network namespace of its own. */
export class OpenVpnClientPeer implements AsyncDisposable {
  readonly namespace: string;
  readonly #program: Program;
  readonly #folder: string;
  #hasNamespace = false;

  /** Resolves when it is up; `lines` are options beside the usual. */
  static async start(port: number, lines: readonly string[] = [], transport: "udp" | "tcp" = "udp") {
    const peer = new OpenVpnClientPeer(port, lines, transport);
    try {
      await peer.#up();
      return peer;
    } catch (error) {
      await peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  constructor(port: number, lines: readonly string[] = [], transport: "udp" | "tcp" = "udp") {
    needOpenVpn();
    const id = `${process.pid % 100_000}v${count++}`;
    this.namespace = `svpn${id}`;
    this.#folder = mkdtempSync(join(tmpdir(), "sealport-ovpn-"));
    const client = identity("client");
    const config = [
      "client",
      `dev ov${id}`,
      "dev-type tun",
      `proto ${transport}`,
      `remote 127.0.0.1 ${port}`,
      "nobind",
      "ifconfig-noexec",
      "route-noexec",
      `ca ${authority()}`,
      ...(lines.includes("auth-user-pass") ? [] : [`cert ${client.certificate}`, `key ${client.key}`]),
      "remote-cert-tls server",
      "verb 4",
      ...lines.filter((line) => line !== "auth-user-pass").map((line) => line.replace("FOLDER", this.#folder)),
    ];
    writeFileSync(join(this.#folder, "client.conf"), `${config.join("\n")}\n`, { mode: 0o600 });
    this.#program = new Program("openvpn", "openvpn", ["--config", join(this.#folder, "client.conf")]);
  }

  async #up(): Promise<void> {
    await this.#program.says(/Initialization Sequence Completed/);
    const [, address] = await this.#program.says(/PUSH_REPLY\S*.*?,ifconfig (\S+?) /);
    const [, six] = await this.#program.says(/PUSH_REPLY.*?,ifconfig-ipv6 (\S+?) /);
    const device = `ov${this.namespace.slice(4)}`;
    ip("netns", "add", this.namespace);
    this.#hasNamespace = true;
    ip("link", "set", device, "netns", this.namespace);
    ip("-n", this.namespace, "addr", "add", `${address}/24`, "dev", device);
    ip("-n", this.namespace, "addr", "add", six!, "dev", device, "nodad");
    ip("-n", this.namespace, "link", "set", device, "up");
    owns(this.namespace, address!, six!.replace(/\/.*/, ""));
  }

  get said(): string {
    return this.#program.said;
  }

  says(pattern: RegExp, from = 0): Promise<RegExpMatchArray> {
    return this.#program.says(pattern, from);
  }

  ends(): Promise<string> {
    return this.#program.ends();
  }

  signal(signal: NodeJS.Signals): void {
    this.#program.kill(signal);
  }

  inside(name: string, command: string, ...args: readonly string[]): Program {
    return new Program(name, "ip", ["netns", "exec", this.namespace, command, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program[Symbol.asyncDispose]();
    if (this.#hasNamespace) ip("netns", "del", this.namespace);
    rmSync(this.#folder, { recursive: true });
  }
}

/** What a server's options name, made by openvpn(8) itself: `shared.key`, or `v2.key` and a client's `v2-client.key`. */
const sharedKeys = {
  "tls-auth": staticKey,
  "tls-crypt": staticKey,
  "tls-crypt-v2": (folder: string) => {
    const [own, client] = [join(folder, "v2.key"), join(folder, "v2-client.key")];
    openvpn("--genkey", "tls-crypt-v2-server", own);
    openvpn("--tls-crypt-v2", own, "--genkey", "tls-crypt-v2-client", client);
  },
} as const;

function staticKey(folder: string): void {
  openvpn("--genkey", "secret", join(folder, "shared.key"));
}

export function openvpn(...args: readonly string[]): string {
  return execFileSync("openvpn", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const block = (name: string, path: string): string => `<${name}>\n${readFileSync(path, "utf8").trim()}\n</${name}>\n`;

export function needOpenVpn(): void {
  try {
    execFileSync("sh", ["-c", "command -v openvpn"], { stdio: "ignore" });
  } catch {
    throw new Error("openvpn is not here; scripts/peers/install.sh openvpn installs it");
  }
}

interface Pings {
  ping(address: string, options: { readonly timeoutMs: number }): Promise<number>;
}

/** Milliseconds to an echo's answer. Nothing on the way may lose it, however busy the machine is. */
export const echo = (end: Pings, address: string): Promise<number> => end.ping(address, { timeoutMs: 30_000 });
