import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-port.js";
import { authority, identity, scratch } from "./certificates.js";
import { peer } from "./find.js";
import { Program } from "./program.js";
import type { Stranger, StrangerEnd, StrangerServer, TlsSetup } from "./stranger.js";

/** gnutls-serv, which only ever echoes, and gnutls-cli, whose key updates are inline commands. */
export function gnutls(name: "GnuTLS 3.7" | "GnuTLS 3.8"): Stranger {
  return {
    name,
    async serve(setup) {
      const { command, prefix } = peer(`${name} server`);
      const port = await freePort();
      const args = ["--echo", "--port", String(port), ...common(setup), ...serverOnly(setup)];
      const program = new Program(name, command, [...prefix, ...args], environment(setup));
      await program.says(/Echo Server listening on IPv4 .*\.\.\.done/);
      return new GnutlsServer(program, port);
    },
    connect(port, setup) {
      const { command, prefix } = peer(`${name} client`);
      const args = ["--port", String(port), "--inline-commands", ...common(setup), ...clientOnly(setup)];
      const host = "127.0.0.1";
      return new GnutlsEnd(new Program(name, command, [...prefix, ...args, host], environment(setup)));
    },
  };
}

class GnutlsEnd implements StrangerEnd {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }

  async exporter(): Promise<string> {
    const [, hex] = await this.program.says(/Key material: ([0-9a-f]+)/);
    return hex!;
  }

  async say(line: string): Promise<void> {
    await this.program.write(`${line}\n`);
  }

  async hears(text: string | RegExp): Promise<void> {
    await this.program.says(text);
  }

  async updateKeys(requestPeer: boolean): Promise<void> {
    const before = this.program.said.length;
    await this.program.write(requestPeer ? "^rekey^\n" : "^rekey1^\n");
    await this.program.says("Rekey was completed", before);
  }

  async close(): Promise<void> {
    this.program.finish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

class GnutlsServer extends GnutlsEnd implements StrangerServer {
  readonly port: number;

  constructor(program: Program, port: number) {
    super(program);
    this.port = port;
  }

  override async say(): Promise<void> {
    throw new Error("gnutls-serv says nothing of its own: let it echo");
  }

  override async updateKeys(): Promise<void> {
    throw new Error("gnutls-serv updates its keys only when asked by its peer");
  }
}

function environment(setup: TlsSetup): NodeJS.ProcessEnv {
  return setup.keyLog ? { SSLKEYLOGFILE: setup.keyLog } : {};
}

function common(setup: TlsSetup): string[] {
  const args = ["--priority", priority(setup)];
  for (const protocol of setup.alpn ?? []) args.push("--alpn", protocol);
  if (setup.exporterLabel) args.push("--keymatexport", setup.exporterLabel, "--keymatexportsize", "32");
  if (setup.recordSizeLimit) args.push("--recordsize", String(setup.recordSizeLimit));
  if (setup.compression) args.push("--compress-cert", setup.compression);
  return [...args, ...(setup.args ?? [])];
}

function shown(name: Parameters<typeof identity>[0], raw: boolean | undefined): string[] {
  const { certificate, key, publicKey } = identity(name);
  return raw
    ? ["--rawpkfile", publicKey, "--rawpkkeyfile", key]
    : ["--x509certfile", certificate, "--x509keyfile", key];
}

function serverOnly(setup: TlsSetup): string[] {
  const args: string[] = [];
  if (setup.psk) {
    const file = join(scratch(), "psk.txt");
    writeFileSync(file, `${setup.psk.identity}:${Buffer.from(setup.psk.key).toString("hex")}\n`, { mode: 0o600 });
    args.push("--pskpasswd", file);
  }
  if (!setup.psk || setup.identity) args.push(...shown(setup.identity ?? "p256", setup.rawPublicKey));
  if (setup.alternative) args.push(...shown(setup.alternative, false));
  if (!setup.askClient) args.push("--disable-client-cert");
  // A raw key is shown to it, but it has no way to judge one.
  else if (!setup.rawPublicKey) args.push("--x509cafile", authority(), "--verify-client-cert");
  if (setup.askClient === "required") args.push("--require-client-cert");
  if (setup.earlyDataMax !== undefined) args.push("--earlydata", "--maxearlydata", String(setup.earlyDataMax));
  if (typeof setup.staple === "string") args.push("--ocsp-response", setup.staple, "--ignore-ocsp-response-errors");
  return args;
}

function clientOnly(setup: TlsSetup): string[] {
  const args = ["--x509cafile", authority(), "--sni-hostname", setup.serverName ?? "localhost"];
  // Its messages go elsewhere, so that its output is the application data alone.
  if (setup.mode === "data") args.push("--logfile", join(scratch(), "messages"));
  if (setup.rawPublicKey) args.push("--insecure");
  if (setup.identity) args.push(...shown(setup.identity, setup.rawPublicKey));
  // As everyone else: a share of the first group alone.
  if (setup.groups) args.push("--single-key-share");
  if (setup.psk) args.push("--pskusername", setup.psk.identity, "--pskkey", Buffer.from(setup.psk.key).toString("hex"));
  if (setup.earlyDataFile) args.push("--resume", "--waitresumption", "--earlydata", setup.earlyDataFile);
  return args;
}

/** GnuTLS's one string for versions, groups, suites and signatures. */
function priority(setup: TlsSetup): string {
  const parts = ["NORMAL", "-VERS-ALL"];
  if (setup.version !== "1.2") parts.push("+VERS-TLS1.3");
  if (setup.version !== "1.3") parts.push("+VERS-TLS1.2");
  if (setup.groups) parts.push("-GROUP-ALL", ...setup.groups.map((group) => `+GROUP-${group.toUpperCase()}`));
  if (setup.suites) {
    const suites = setup.suites.map(suite);
    parts.push("-CIPHER-ALL", ...unique(suites.map(({ cipher }) => `+${cipher}`)));
    const exchanges = suites.flatMap(({ exchange }) => (exchange ? [`+${exchange}`] : []));
    if (exchanges.length > 0) parts.push("-KX-ALL", ...unique(exchanges));
    const macs = suites.map(({ mac }) => `+${mac}`);
    parts.push("-MAC-ALL", ...unique(macs));
  }
  if (setup.psk && !setup.suites?.some((name) => name.includes("PSK_WITH"))) {
    parts.push(...(setup.identity ? [] : ["-KX-ALL"]), "+ECDHE-PSK", "+DHE-PSK", "+PSK");
  }
  if (setup.schemes) parts.push("-SIGN-ALL", ...setup.schemes.map((scheme) => `+${signature(scheme, setup.version)}`));
  if (setup.rawPublicKey) parts.push("-CTYPE-ALL", "+CTYPE-SRV-RAWPK", "+CTYPE-CLI-RAWPK");
  return parts.join(":");
}

const unique = (words: readonly string[]): string[] => [...new Set(words)];

function suite(iana: string): { exchange: string | undefined; cipher: string; mac: string } {
  const words = iana.replace(/^TLS_/, "").split("_WITH_");
  const cipher = words.at(-1)!;
  const exchange = words.length === 2 ? words[0]!.replace("_", "-") : undefined;
  const name = cipher.replace(/_SHA\d*$/, "").replaceAll("_", "-");
  const hash = /_CBC_(SHA\d*)$/.exec(cipher)?.[1];
  return { exchange, cipher: name, mac: hash === undefined ? "AEAD" : hash === "SHA" ? "SHA1" : hash };
}

function signature(scheme: string, version: TlsSetup["version"]): string {
  if (scheme.startsWith("ed")) return `SIGN-EdDSA-${scheme.replace("ed", "Ed")}`;
  // Only in TLS 1.3 does a scheme of ECDSA name its curve.
  const bare = version === "1.2" ? scheme.replace(/_secp\d+r1/, "") : scheme;
  const name = bare.toUpperCase().replaceAll("_", "-");
  return `SIGN-${name.replace("RSA-PKCS1", "RSA").replace("RSA-PSS-PSS", "RSA-PSS")}`;
}
