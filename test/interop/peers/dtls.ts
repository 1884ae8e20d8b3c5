import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-port.js";
import { compiled } from "./c-peer.js";
import { authority, identity, runFolder, scratch } from "./certificates.js";
import { peer, sidRoot, trixieRoot } from "./find.js";
import { Program } from "./program.js";
import { listeningUdp } from "./udp-port.js";

/** What a stranger is to do in a DTLS conversation; each translates what it can. */
export interface DtlsSetup {
  readonly version: "1.2" | "1.3";
  /** The key "0102…10" under the name "sealport", and no certificate. */
  readonly psk?: boolean;
  /** A client shows a certificate; a server wants one. */
  readonly mutual?: boolean;
  /** Hexadecimal; "-" is one without bytes. */
  readonly connectionId?: string;
  /** Changes its port half-way (client). */
  readonly moves?: boolean;
  /** Changes its keys half-way. */
  readonly updatesKeys?: boolean;
  /** use_srtp with what it offers by itself. */
  readonly srtp?: boolean;
  readonly group?: "x25519" | "X25519MLKEM768";
  readonly suites?: string;
  readonly messages?: number;
  /** Arguments of the program's own. */
  readonly args?: readonly string[];
}

export type DtlsStrangerName =
  | "OpenSSL 3.0"
  | "OpenSSL 3.5"
  | "GnuTLS 3.7"
  | "GnuTLS 3.8"
  | "Mbed TLS 3.6"
  | "wolfSSL 5.9"
  | "NSS 3.132";

export interface DtlsStranger {
  readonly name: DtlsStrangerName;
  /** As a server it gives back what it gets; as a client it says "message N from …" and waits for that to come back. */
  readonly echoes: boolean;
  serve(setup: DtlsSetup): Promise<{ readonly program: Program; readonly port: number }>;
  connect(port: number, setup: DtlsSetup): Program;
}

/** The exporter's label that every stranger is started with. */
export const dtlsLabel = "EXPORTER-sealport";
export const dtlsPsk = { identity: "sealport", key: Uint8Array.from({ length: 16 }, (_, i) => i + 1) };
const pskHex = Buffer.from(dtlsPsk.key).toString("hex");

/** A folder with ca.crt, server.crt, server.key, client.crt, client.key. */
function certificates(): string {
  const folder = join(runFolder, "dtls-certificates");
  if (existsSync(join(folder, "client.key"))) return folder;
  const made = scratch();
  copyFileSync(authority(), join(made, "ca.crt"));
  for (const [to, from] of [["server", "p256"] as const, ["client", "client"] as const]) {
    copyFileSync(identity(from).certificate, join(made, `${to}.crt`));
    copyFileSync(identity(from).key, join(made, `${to}.key`));
  }
  return made;
}

const trixieLibraries = join(trixieRoot, "usr/lib/x86_64-linux-gnu");
const sidLibraries = join(sidRoot, "usr/lib/x86_64-linux-gnu");

function mbedtls(): string {
  const archives = ["mbedtls", "mbedx509", "mbedcrypto"].map((name) => join(trixieLibraries, `lib${name}.a`));
  return compiled("mbed-dtls", archives, ["-w", `-I${join(trixieRoot, "usr/include")}`]);
}

function wolfssl(): string {
  const flags = ["-w", `-I${join(sidRoot, "usr/include")}`];
  return compiled("wolf-dtls", [join(sidLibraries, "libwolfssl.a"), "-lm", "-lpthread"], flags);
}

function nss(): string {
  const libraries = ["ssl3", "smime3", "nss3", "nssutil3", "nspr4"].map((name) => `-l${name}`);
  return compiled("nss-dtls", libraries, ["-w", "-I/usr/include/nss", "-I/usr/include/nspr"]);
}

/** Mbed TLS and wolfSSL take nearly the same words. */
function common(setup: DtlsSetup): string[] {
  const args = ["-t", "60", "-n", String(setup.messages ?? 4), "-d", certificates()];
  if (setup.psk) args.push("-m", "psk");
  if (setup.connectionId !== undefined) args.push("-i", setup.connectionId);
  if (setup.moves) args.push("-M");
  return [...args, ...(setup.args ?? [])];
}

const cProgram = (
  name: DtlsStrangerName,
  path: () => string,
  words: (setup: DtlsSetup, side: "server" | "client") => string[],
): DtlsStranger => ({
  name,
  echoes: true,
  async serve(setup) {
    const port = await freePort();
    const program = new Program(name, path(), ["server", "-p", String(port), ...words(setup, "server")]);
    await listeningUdp(port, program);
    return { program, port };
  },
  connect: (port, setup) => new Program(name, path(), ["client", "-p", String(port), ...words(setup, "client")]),
});

const wolf = cProgram("wolfSSL 5.9", wolfssl, (setup) => {
  const args = [...common(setup), "-v", setup.version === "1.3" ? "13" : "12"];
  if (setup.updatesKeys) args.push("-u");
  if (!setup.mutual) args.push("-A");
  if (setup.group) args.push("-g", setup.group === "x25519" ? "29" : "0x11ec");
  if (setup.suites) args.push("-l", setup.suites);
  return args;
});

const mbed = cProgram("Mbed TLS 3.6", mbedtls, (setup) => {
  const args = common(setup);
  if (setup.srtp) args.push("-s");
  if (!setup.mutual) args.push("-A");
  return args;
});

let database: string | undefined;

/** An NSS database with the authority and the server's identity. */
function nssDatabase(): string {
  if (database !== undefined) return database;
  const made = scratch();
  const folder = certificates();
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { stdio: "pipe" });
  run("certutil", "-N", "-d", `sql:${made}`, "--empty-password");
  run("certutil", "-A", "-d", `sql:${made}`, "-n", "ca", "-t", "C,C,C", "-i", join(folder, "ca.crt"));
  const bundle = join(made, "server.p12");
  const key = ["-in", join(folder, "server.crt"), "-inkey", join(folder, "server.key"), "-name", "server"];
  run("openssl", "pkcs12", "-export", ...key, "-passout", "pass:x", "-out", bundle);
  run("pk12util", "-d", `sql:${made}`, "-i", bundle, "-W", "x");
  database = made;
  return made;
}

function nssWords(setup: DtlsSetup): string[] {
  const args = [`sql:${nssDatabase()}`, "-t", "60", "-n", String(setup.messages ?? 4)];
  args.push("-v", setup.version === "1.3" ? "13" : "12");
  if (setup.psk) args.push("-p");
  if (setup.srtp) args.push("-s");
  if (setup.updatesKeys) args.push("-u");
  if (setup.group === "x25519") args.push("-G");
  return args;
}

const nssStranger: DtlsStranger = {
  name: "NSS 3.132",
  echoes: true,
  async serve(setup) {
    const port = await freePort();
    const args = ["server", String(port), ...nssWords(setup)];
    const program = new Program("NSS 3.132", nss(), args, { LD_LIBRARY_PATH: sidLibraries });
    await listeningUdp(port, program);
    return { program, port };
  },
  connect: (port, setup) =>
    new Program("NSS 3.132", nss(), ["client", String(port), ...nssWords(setup)], { LD_LIBRARY_PATH: sidLibraries }),
};

/** s_server and s_client: what is said to them goes out, what comes is on their output. */
const openssl = (name: "OpenSSL 3.0" | "OpenSSL 3.5"): DtlsStranger => {
  const shared = (setup: DtlsSetup): string[] => {
    const args = ["-dtls1_2", "-keymatexport", dtlsLabel, "-keymatexportlen", "32"];
    if (setup.psk) args.push("-psk", pskHex);
    if (setup.suites) args.push("-cipher", `${setup.suites}:@SECLEVEL=0`);
    if (setup.srtp) args.push("-use_srtp", "SRTP_AEAD_AES_128_GCM:SRTP_AES128_CM_SHA1_80");
    return [...args, ...(setup.args ?? [])];
  };
  return {
    name,
    echoes: false,
    async serve(setup) {
      const { command, prefix } = peer(name);
      const port = await freePort();
      const folder = certificates();
      const args = ["s_server", "-accept", `127.0.0.1:${port}`, ...shared(setup)];
      if (setup.psk) args.push("-nocert", "-psk_hint", "hint");
      else args.push("-cert", join(folder, "server.crt"), "-key", join(folder, "server.key"));
      if (setup.mutual) args.push("-CAfile", join(folder, "ca.crt"), "-Verify", "2", "-verify_return_error");
      const program = new Program(name, command, [...prefix, ...args]);
      await listeningUdp(port, program);
      return { program, port };
    },
    connect(port, setup) {
      const { command, prefix } = peer(name);
      const folder = certificates();
      const args = ["s_client", "-connect", `127.0.0.1:${port}`, ...shared(setup)];
      if (setup.psk) args.push("-psk_identity", dtlsPsk.identity);
      else args.push("-servername", "localhost", "-CAfile", join(folder, "ca.crt"), "-verify_return_error");
      if (setup.mutual) args.push("-cert", join(folder, "client.crt"), "-key", join(folder, "client.key"));
      return new Program(name, command, [...prefix, ...args]);
    },
  };
};

const gnutls = (name: "GnuTLS 3.7" | "GnuTLS 3.8"): DtlsStranger => ({
  name,
  echoes: true,
  async serve(setup) {
    const { command, prefix } = peer(`${name} server`);
    const port = await freePort();
    const folder = certificates();
    const args = ["--udp", "--echo", "--mtu", "1200", "-p", String(port), ...(setup.args ?? [])];
    if (setup.psk) args.push("--pskpasswd", pskFile(), "--priority", "NORMAL:-KX-ALL:+PSK:+ECDHE-PSK");
    else args.push("--x509certfile", join(folder, "server.crt"), "--x509keyfile", join(folder, "server.key"));
    if (setup.mutual)
      args.push("--x509cafile", join(folder, "ca.crt"), "--require-client-cert", "--verify-client-cert");
    if (setup.srtp) args.push("--srtp-profiles=SRTP_AES128_CM_HMAC_SHA1_80");
    const program = new Program(name, command, [...prefix, ...args]);
    await listeningUdp(port, program);
    return { program, port };
  },
  connect(port, setup) {
    const { command, prefix } = peer(`${name} client`);
    const folder = certificates();
    const args = ["--udp", "--mtu", "1200", "-p", String(port), ...(setup.args ?? [])];
    args.push("--keymatexport", dtlsLabel, "--keymatexportsize", "32");
    if (setup.psk)
      args.push("--pskusername", dtlsPsk.identity, "--pskkey", pskHex, "--priority", "NORMAL:-KX-ALL:+PSK");
    else args.push("--x509cafile", join(folder, "ca.crt"));
    if (setup.mutual)
      args.push("--x509certfile", join(folder, "client.crt"), "--x509keyfile", join(folder, "client.key"));
    if (setup.srtp) args.push("--srtp-profiles=SRTP_AES128_CM_HMAC_SHA1_80");
    return new Program(name, command, [...prefix, ...args, "localhost"]);
  },
});

function pskFile(): string {
  const path = join(scratch(), "psk.txt");
  writeFileSync(path, `${dtlsPsk.identity}:${pskHex}\n`);
  return path;
}

/** Every implementation of DTLS that we did not write and talk to. */
export const dtlsStrangers: Readonly<Record<DtlsStrangerName, DtlsStranger>> = {
  "OpenSSL 3.0": openssl("OpenSSL 3.0"),
  "OpenSSL 3.5": openssl("OpenSSL 3.5"),
  "GnuTLS 3.7": gnutls("GnuTLS 3.7"),
  "GnuTLS 3.8": gnutls("GnuTLS 3.8"),
  "Mbed TLS 3.6": mbed,
  "wolfSSL 5.9": wolf,
  "NSS 3.132": nssStranger,
};
