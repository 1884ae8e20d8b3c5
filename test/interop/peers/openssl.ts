import { freePort } from "../../support/free-port.js";
import { authority, dhParameters, type IdentityName, identity } from "./certificates.js";
import { peer } from "./find.js";
import { Program } from "./program.js";
import { listening, type Stranger, type StrangerEnd, type StrangerServer, type TlsSetup } from "./stranger.js";

/** OpenSSL's s_server and s_client. Both read K and k (key update), R (renegotiation), Q (close) as lines alone. */
export function openssl(name: "OpenSSL 3.0" | "OpenSSL 3.5"): Stranger {
  return {
    name,
    async serve(setup) {
      const { command, prefix } = peer(name);
      const quiet = setup.mode !== "lines" && setup.mode !== undefined;
      const wanted = quiet ? await freePort() : 0;
      const args = ["s_server", "-accept", `127.0.0.1:${wanted}`, ...common(setup), ...serverOnly(setup)];
      const program = new Program(name, command, [...prefix, ...args]);
      if (quiet) {
        await listening(wanted, program);
        if (setup.mode === "echo") program.loopBack();
        return new OpensslServer(program, wanted);
      }
      const [, port] = await program.says(/^ACCEPT 127\.0\.0\.1:(\d+)/m);
      return new OpensslServer(program, Number(port));
    },
    connect(port, setup) {
      const { command, prefix } = peer(name);
      const args = ["s_client", "-connect", `127.0.0.1:${port}`, ...common(setup), ...clientOnly(setup)];
      return new OpensslEnd(new Program(name, command, [...prefix, ...args]));
    },
  };
}

class OpensslEnd implements StrangerEnd {
  readonly program: Program;

  constructor(program: Program) {
    this.program = program;
  }

  async exporter(): Promise<string> {
    const [, hex] = await this.program.says(/Keying material: ([0-9A-F]+)/);
    return hex!.toLowerCase();
  }

  async say(line: string): Promise<void> {
    await this.program.write(`${line}\n`);
  }

  async hears(text: string | RegExp): Promise<void> {
    await this.program.says(text);
  }

  async updateKeys(requestPeer: boolean): Promise<void> {
    await this.program.write(requestPeer ? "K\n" : "k\n");
  }

  async close(): Promise<void> {
    await this.program.write("Q\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
  }
}

class OpensslServer extends OpensslEnd implements StrangerServer {
  readonly port: number;

  constructor(program: Program, port: number) {
    super(program);
    this.port = port;
  }
}

function common(setup: TlsSetup): string[] {
  const args: string[] = [];
  if (setup.version) args.push(setup.version === "1.3" ? "-tls1_3" : "-tls1_2");
  if (setup.groups) args.push("-groups", setup.groups.join(":"));
  if (setup.schemes) args.push("-sigalgs", setup.schemes.join(":"));
  const modern = setup.suites?.filter((suite) => !suite.includes("_WITH_")) ?? [];
  const older = setup.suites?.filter((suite) => suite.includes("_WITH_")) ?? [];
  if (modern.length > 0) args.push("-ciphersuites", modern.join(":"));
  if (older.length > 0) args.push("-cipher", `${older.map(opensslSuite).join(":")}:@SECLEVEL=0`);
  // A tag of 64 bits is below its ordinary level of security.
  else if (modern.some((suite) => suite.includes("CCM_8"))) args.push("-cipher", "ALL:@SECLEVEL=0");
  if (setup.alpn) args.push("-alpn", setup.alpn.join(","));
  if (setup.psk) args.push("-psk", Buffer.from(setup.psk.key).toString("hex"), "-psk_identity", setup.psk.identity);
  if (setup.keyLog) args.push("-keylogfile", setup.keyLog);
  if (setup.exporterLabel) args.push("-keymatexport", setup.exporterLabel, "-keymatexportlen", "32");
  if (setup.mode === "data" || setup.mode === "echo") args.push("-quiet");
  if (setup.rawPublicKey) args.push("-enable_server_rpk", "-enable_client_rpk");
  return [...args, ...(setup.args ?? [])];
}

function shown(name: IdentityName): string[] {
  const { certificate, chain, key } = identity(name);
  return ["-cert", certificate, "-key", key, ...(chain ? ["-cert_chain", chain] : [])];
}

function serverOnly(setup: TlsSetup): string[] {
  const args: string[] = [];
  if (setup.psk && !setup.identity) args.push("-nocert");
  else {
    args.push(...shown(setup.identity ?? "p256"));
  }
  if (setup.alternative) {
    const { certificate, key } = identity(setup.alternative);
    args.push("-dcert", certificate, "-dkey", key);
  }
  if (setup.askClient) args.push(setup.askClient === "required" ? "-Verify" : "-verify", "4", "-CAfile", authority());
  // It has no way to name the raw keys that it trusts.
  if (setup.askClient && !setup.rawPublicKey) args.push("-verify_return_error");
  if (setup.earlyDataMax !== undefined) args.push("-early_data", "-max_early_data", String(setup.earlyDataMax));
  if (typeof setup.staple === "string") args.push("-status_file", setup.staple);
  // In TLS 1.2 it takes its finite field from a file, not from what the client offers (RFC 7919).
  const field = setup.groups?.find((group) => group.startsWith("ffdhe"));
  if (field && setup.version === "1.2") args.push("-dhparam", dhParameters(field));
  if (setup.compression) args.push("-cert_comp");
  return args;
}

function clientOnly(setup: TlsSetup): string[] {
  const args = ["-CAfile", authority()];
  if (!setup.rawPublicKey) args.push("-verify_return_error");
  if (setup.serverName === undefined || setup.serverName !== "")
    args.push("-servername", setup.serverName ?? "localhost");
  else args.push("-noservername");
  if (setup.identity) args.push(...shown(setup.identity));
  if (setup.saveSession) args.push("-sess_out", setup.saveSession);
  if (setup.useSession) args.push("-sess_in", setup.useSession);
  if (setup.earlyDataFile) args.push("-early_data", setup.earlyDataFile);
  if (setup.staple) args.push("-status");
  if (setup.maxFragmentLength) args.push("-maxfraglen", String(setup.maxFragmentLength));
  return args;
}

/** OpenSSL's older name of a TLS 1.2 suite: TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA is ECDHE-RSA-AES128-SHA. */
export function opensslSuite(iana: string): string {
  const [exchange, cipher] = iana.replace(/^TLS_/, "").split("_WITH_") as [string, string];
  const name = cipher
    .replace(/^AES_(128|256)_/, "AES$1-")
    // Suites with pre-shared keys came later, and kept the word.
    .replace("CBC_", exchange.includes("PSK") ? "CBC-" : "")
    .replace("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305")
    .replace(/^(AES\d+-)CCM_8$/, "$1CCM8")
    .replace(/_/g, "-");
  return `${exchange.replace("PSK_DHE", "DHE_PSK").replace("_", "-")}-${name}`;
}
