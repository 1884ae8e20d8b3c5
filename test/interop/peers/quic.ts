import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-port.js";
import { compiled } from "./c-peer.js";
import { authority, identity, scratch } from "./certificates.js";
import { type Command, onTrixie, peer, python, trixieRoot } from "./find.js";
import { Program } from "./program.js";

/** The implementations of QUIC with a server that we did not write and talk to; curl and Chromium have clients only. */
export type QuicServerName =
  | "ngtcp2 0.12"
  | "ngtcp2 1.11"
  | "aioquic 1.2"
  | "OpenSSL 3.5"
  | "nginx 1.26"
  | "Caddy 2.6"
  | "haproxy 3.0";

/** A stranger's server. */
export interface QuicServer extends AsyncDisposable {
  readonly port: number;
  readonly program: Program;
}

export interface QuicServerSetup {
  /** Folder of the files that it serves. */
  readonly www?: string;
  /** Application protocols; those that speak one only have it anyway. Default: echo. */
  readonly alpn?: string;
  /** Prove every address with a Retry. */
  readonly retry?: boolean;
  readonly host?: string;
  /** Arguments of the program's own. */
  readonly args?: readonly string[];
}

/** The strangers that serve. */
export const quicServers: Readonly<Record<QuicServerName, (setup: QuicServerSetup) => Promise<QuicServer>>> = {
  "ngtcp2 0.12": (setup) => ngtcp2Server("ngtcp2 0.12 server", setup),
  "ngtcp2 1.11": (setup) => ngtcp2Server("ngtcp2 1.11 server", setup),
  "aioquic 1.2": async ({ www, alpn = "echo", retry, host, args = [] }) => {
    const { certificate, key } = identity("p256");
    const given = ["--certificate", certificate, "--key", key, "--alpn", alpn, ...args];
    if (www !== undefined) given.push("--root", www);
    if (retry) given.push("--retry");
    if (host !== undefined) given.push("--host", host);
    const port = await freePort(host);
    const program = start(python("quic.py"), ["server", String(port), ...given]);
    await program.says("LISTENING");
    return serving(program, port);
  },
  "OpenSSL 3.5": async ({ alpn = "echo", retry }) => {
    const { certificate, key } = identity("p256");
    const port = await freePort();
    const program = start(opensslQuic(), ["server", String(port), certificate, key, alpn, ...(retry ? [] : ["-V"])]);
    await program.says("LISTENING");
    return serving(program, port);
  },
  "nginx 1.26": async ({ www = scratch(), retry }) => {
    const folder = scratch();
    const port = await freePort();
    const { certificate, key } = identity("p256");
    const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (each) => `${each}_temp_path ${folder}/${each};`,
    );
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off; master_process off; pid ${folder}/pid; error_log stderr info; user root;
events { worker_connections 256; }
http { access_log off; ${paths.join(" ")}
  server { listen 127.0.0.1:${port} quic; http3_hq on; quic_retry ${retry ? "on" : "off"}; http3_max_concurrent_streams 1024;
    keepalive_requests 100000;
    ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3; root ${www}; } }
`,
    );
    const program = start(peer("nginx 1.26"), ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"]);
    await bound(port, program);
    return serving(program, port);
  },
  "Caddy 2.6": async ({ www = scratch() }) => {
    const folder = scratch();
    const port = await freePort();
    const { certificate, key } = identity("p256");
    writeFileSync(
      join(folder, "Caddyfile"),
      `{
  auto_https off
  admin off
  storage file_system ${folder}
}
https://localhost:${port} {
  bind 127.0.0.1
  tls ${certificate} ${key}
  root * ${www}
  file_server
}
`,
    );
    const args = ["run", "--config", join(folder, "Caddyfile"), "--adapter", "caddyfile"];
    const program = start(peer("Caddy 2.6"), args, { HOME: folder });
    await bound(port, program);
    return serving(program, port);
  },
  "haproxy 3.0": async () => {
    const folder = scratch();
    const port = await freePort();
    const { certificate, key } = identity("p256");
    const pem = join(folder, "both.pem");
    writeFileSync(pem, readFileSync(certificate, "utf8") + readFileSync(key, "utf8"), { mode: 0o600 });
    writeFileSync(
      join(folder, "haproxy.cfg"),
      `global
  maxconn 100
  limited-quic
defaults
  mode http
  timeout client 20s
  timeout server 20s
  timeout connect 5s
frontend f
  bind quic4@127.0.0.1:${port} ssl crt ${pem} alpn h3
  http-request return status 200 content-type text/plain string hello-haproxy
`,
    );
    const program = start(peer("haproxy 3.0"), ["-f", join(folder, "haproxy.cfg"), "-db"]);
    await bound(port, program);
    return serving(program, port);
  },
};

async function ngtcp2Server(
  name: "ngtcp2 0.12 server" | "ngtcp2 1.11 server",
  { www = scratch(), retry, host = "127.0.0.1", args = [] }: QuicServerSetup,
): Promise<QuicServer> {
  const port = await freePort(host);
  const { certificate, key } = identity("p256");
  const given = ["--quiet", "-d", www, ...(retry ? ["-V"] : []), ...args, host, String(port), key, certificate];
  const program = start(peer(name), given);
  await bound(port, program);
  return serving(program, port);
}

export interface Ngtcp2Fetch {
  readonly paths?: readonly string[];
  /** Folder for what is fetched. */
  readonly downloads?: string;
  /** File that is posted to each path. */
  readonly data?: string;
  /** Files of the session, written at first, used then; the two versions cannot read each other's. */
  readonly session?: string;
  readonly host?: string;
  readonly args?: readonly string[];
}

/** gtlsclient: it speaks h3, ends when all its streams are closed, and then with 0. */
export function ngtcp2Client(version: "0.12" | "1.11", port: number, fetch: Ngtcp2Fetch = {}): Program {
  const { paths = ["/index.html"], downloads, data, session, host = "127.0.0.1", args = [] } = fetch;
  const given = ["--exit-on-all-streams-close", "--timeout=10s", "--no-quic-dump", "--no-http-dump", ...args];
  if (downloads !== undefined) given.push(`--download=${downloads}`);
  if (data !== undefined) given.push("-d", data, "-m", "POST");
  if (session !== undefined) {
    given.push(`--session-file=${session}`, `--tp-file=${session}.parameters`);
    if (version === "1.11") given.push("--wait-for-ticket");
  }
  const urls = paths.map((path) => `https://localhost${path}`);
  return start(peer(`ngtcp2 ${version} client`), [...given, host, String(port), ...urls]);
}

/** The client of aioquic; it ends with OK and 0. `args` are those of python/quic.py. */
export function aioquicClient(port: number, alpn: string, ...args: readonly string[]): Program {
  return start(python("quic.py"), ["client", String(port), "--ca", authority(), "--alpn", alpn, ...args]);
}

/** OpenSSL's client for a server that echoes: it says SAME for each stream. */
export function opensslQuicClient(port: number, alpn: string, size: number, ...args: readonly string[]): Program {
  return start(opensslQuic(), ["client", String(port), authority(), alpn, String(size), ...args]);
}

/** s_client -quic, which says what it agreed on and ends with its input. */
export function opensslSClient(port: number, alpn: string, ...args: readonly string[]): Program {
  const given = ["s_client", "-quic", "-connect", `127.0.0.1:${port}`, "-servername", "localhost"];
  return start(peer("OpenSSL 3.5"), [...given, "-alpn", alpn, "-CAfile", authority(), "-verify_return_error", ...args]);
}

/** curl by HTTP/3 alone; what it fetched is its output unless `args` say otherwise. */
export function curlClient(url: string, ...args: readonly string[]): Program {
  const given = ["--silent", "--show-error", "--max-time", "60", "--http3-only", "--cacert", authority()];
  return start(peer("curl 8.14"), [...given, ...args, url]);
}

/** A headless Chromium that loads a page by HTTP/3 alone and prints it as it is after its scripts have run. */
export function chromiumClient(port: number, path: string): Program {
  const { certificate } = identity("p256");
  const options = { encoding: "buffer" as const, stdio: ["pipe", "pipe", "ignore"] as ["pipe", "pipe", "ignore"] };
  const pem = execFileSync("openssl", ["x509", "-in", certificate, "-pubkey", "-noout"], options);
  const der = execFileSync("openssl", ["pkey", "-pubin", "-outform", "der"], { ...options, input: pem });
  const hash = execFileSync("openssl", ["dgst", "-sha256", "-binary"], { ...options, input: der }).toString("base64");
  const given = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    `--user-data-dir=${mkdtempSync(join(scratch(), "chromium-"))}`,
    "--host-resolver-rules=MAP localhost 127.0.0.1",
    `--origin-to-force-quic-on=localhost:${port}`,
    `--ignore-certificate-errors-spki-list=${hash}`,
    "--virtual-time-budget=10000",
    "--dump-dom",
  ];
  return start(peer("Chromium"), [...given, `https://localhost:${port}${path}`]);
}

/** A folder with an index.html of `text` and files of so many bytes, whose content follows from their names. */
export function site(text: string, files: Readonly<Record<string, number>> = {}): string {
  const folder = join(scratch(), "www");
  mkdirSync(folder);
  writeFileSync(join(folder, "index.html"), text);
  for (const [name, size] of Object.entries(files)) writeFileSync(join(folder, name), contentOf(name, size));
  return folder;
}

/** Bytes that are different in every place and for every name, made quickly. */
export function contentOf(name: string, size: number): Uint8Array {
  const words = new Uint32Array((size + 3) >> 2);
  let state = [...name].reduce((sum, each) => (Math.imul(sum, 31) + each.charCodeAt(0)) | 0, 7) | 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** Waits until somebody has the UDP port, by the kernel's table. */
async function bound(port: number, program: Program): Promise<void> {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} [0-9A-F]+:0000 07 `);
  for (let tries = 0; tries < 1_000 && program.status === undefined; tries++) {
    if (["udp", "udp6"].some((table) => wanted.test(readFileSync(`/proc/net/${table}`, "latin1")))) return;
    await new Promise((again) => setTimeout(again, 10));
  }
  throw new Error(`${program.name} does not listen on ${port}: ${program.status ?? "running"}\n${program.said}`);
}

const serving = (program: Program, port: number): QuicServer => ({
  port,
  program,
  [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
});

function opensslQuic(): Command {
  const triplet = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const include = join(trixieRoot, "usr/include");
  const flags = [`-I${include}`, `-I${include}/${triplet}`, `-L${join(trixieRoot, "usr/lib", triplet)}`];
  const libraries = ["-l:libssl.so.3", "-l:libcrypto.so.3", "-Wl,--allow-shlib-undefined"];
  return onTrixie(compiled("quic-openssl", libraries, flags));
}

function start({ name, command, prefix }: Command, args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  return new Program(name, command, [...prefix, ...args], env);
}
