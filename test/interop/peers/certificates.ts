import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "./find.js";

/**
 * Keys and certificates of a run, made by OpenSSL when first wanted and shared by all test files. They last a day, and
 * each serves as a server's and as a client's: CN `NAME.sealport.test`, with localhost and the loopback addresses.
 */
const identities = {
  p256: ["EC", "ec_paramgen_curve:P-256"],
  p384: ["EC", "ec_paramgen_curve:P-384"],
  p521: ["EC", "ec_paramgen_curve:P-521"],
  rsa: ["RSA", "rsa_keygen_bits:2048"],
  "rsa-pss": ["RSA-PSS", "rsa_keygen_bits:2048"],
  ed25519: ["ED25519"],
  ed448: ["ED448"],
  /** For tests in which two identities have to differ in nothing but the name. */
  client: ["EC", "ec_paramgen_curve:P-256"],
  /** Signed by an authority that nobody trusts. */
  stranger: ["EC", "ec_paramgen_curve:P-256"],
  /** Signed by an intermediate, which the certificate file carries. */
  chained: ["EC", "ec_paramgen_curve:P-256"],
} as const satisfies Record<string, readonly string[]>;

export type IdentityName = keyof typeof identities;

/** Paths of PEM files: the chain with the end entity first, the PKCS#8 key, the bare public key. */
export interface PemFiles {
  readonly certificate: string;
  /** The intermediates alone, if there are any. */
  readonly chain: string | undefined;
  readonly key: string;
  readonly publicKey: string;
}

/** The folder that the files of this run share; alone, a test file has one of its own and removes it. */
export const runFolder: string = (() => {
  const given = process.env["SEALPORT_TEST_FOLDER"];
  if (given) return given;
  const own = mkdtempSync(join(tmpdir(), "sealport-test-"));
  process.once("exit", () => rmSync(own, { recursive: true, force: true }));
  return own;
})();

/** A new empty folder for one test's sessions, key logs and captures. */
export function scratch(): string {
  return mkdtempSync(join(runFolder, "scratch-"));
}

let made: string | undefined;

function folder(): string {
  if (made) return made;
  const path = join(runFolder, "certificates");
  if (!existsSync(path)) {
    const making = mkdtempSync(join(runFolder, "making-"));
    make(making);
    // Whoever is first wins; a file that made the same in vain uses the winner's.
    try {
      renameSync(making, path);
    } catch {
      rmSync(making, { recursive: true, force: true });
    }
  }
  made = path;
  return path;
}

export function identity(name: IdentityName): PemFiles {
  const base = join(folder(), name);
  const chain = name === "chained" ? join(folder(), "intermediate.crt") : undefined;
  return { certificate: `${base}.crt`, chain, key: `${base}.key`, publicKey: `${base}.pub` };
}

/** Path of the trusted root in PEM. */
export function authority(): string {
  return join(folder(), "ca.crt");
}

/** The DER blocks of a PEM file, in order. */
export function der(path: string): Uint8Array[] {
  return [...readFileSync(path, "utf8").matchAll(/-----BEGIN [^-]+-----([^-]+)-----END/g)].map(
    ([, body]) => new Uint8Array(Buffer.from(body!, "base64")),
  );
}

/** Path of a finite field of RFC 7919, for programs that want one as parameters. */
export function dhParameters(group: string): string {
  const path = join(folder(), `${group}.dh`);
  if (existsSync(path)) return path;
  const made = join(scratch(), "dh");
  openssl(folder(), "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", `group:${group}`, "-out", made);
  renameSync(made, path);
  return path;
}

/** A stapled answer by the run's authority: `name`'s certificate is good. Path of the DER file. */
export function ocspResponse(name: IdentityName): string {
  const path = join(folder(), `${name}.ocsp`);
  if (existsSync(path)) return path;
  const work = scratch();
  const at = (file: string) => join(work, file);
  const { certificate } = identity(name);
  const serial = openssl(folder(), "x509", "-in", certificate, "-noout", "-serial").trim().split("=")[1]!;
  writeFileSync(at("index.txt"), `V\t491231235959Z\t\t${serial}\tunknown\t/CN=${name}.sealport.test\n`);
  const ca = [
    "-CA",
    authority(),
    "-index",
    at("index.txt"),
    "-rsigner",
    authority(),
    "-rkey",
    join(folder(), "ca.key"),
  ];
  openssl(work, "ocsp", "-issuer", authority(), "-cert", certificate, "-no_nonce", "-reqout", at("request"));
  openssl(work, "ocsp", ...ca, "-ndays", "1", "-reqin", at("request"), "-respout", at("response"));
  renameSync(at("response"), path);
  return path;
}

function make(into: string): void {
  mkdirSync(into, { recursive: true });
  const root = (name: string) => {
    openssl(into, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", `${name}.key`);
    const usages = [
      "-addext",
      "basicConstraints=critical,CA:TRUE",
      "-addext",
      "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
    ];
    openssl(
      into,
      "req",
      "-x509",
      "-new",
      "-key",
      `${name}.key`,
      "-days",
      "1",
      "-subj",
      `/O=sealport/CN=${name}`,
      "-out",
      `${name}.crt`,
      ...usages,
    );
  };
  const issue = (name: string, issuer: string, extensions: string) => {
    writeFileSync(join(into, `${name}.ext`), extensions);
    openssl(
      into,
      "req",
      "-new",
      "-key",
      `${name}.key`,
      "-subj",
      `/O=sealport/CN=${name}.sealport.test`,
      "-out",
      `${name}.csr`,
    );
    const from = ["-CA", `${issuer}.crt`, "-CAkey", `${issuer}.key`, "-CAcreateserial", "-extfile", `${name}.ext`];
    openssl(into, "x509", "-req", "-in", `${name}.csr`, ...from, "-sha256", "-days", "1", "-out", `${name}.crt`);
  };
  root("ca");
  root("other-ca");
  openssl(into, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "intermediate.key");
  issue("intermediate", "ca", "basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n");
  for (const [name, [algorithm, option]] of Object.entries(identities)) {
    openssl(into, "genpkey", "-algorithm", algorithm, ...(option ? ["-pkeyopt", option] : []), "-out", `${name}.key`);
    const issuer = name === "stranger" ? "other-ca" : name === "chained" ? "intermediate" : "ca";
    issue(
      name,
      issuer,
      [
        "basicConstraints=CA:FALSE",
        "keyUsage=digitalSignature",
        "extendedKeyUsage=serverAuth,clientAuth",
        `subjectAltName=DNS:localhost,DNS:${name}.sealport.test,IP:127.0.0.1,IP:::1`,
        "",
      ].join("\n"),
    );
    openssl(into, "pkey", "-in", `${name}.key`, "-pubout", "-out", `${name}.pub`);
  }
  const chain = ["chained.crt", "intermediate.crt"].map((file) => readFileSync(join(into, file), "utf8")).join("");
  writeFileSync(join(into, "chained.crt"), chain);
}

function openssl(folder: string, ...args: string[]): string {
  const { command, prefix } = peer("OpenSSL 3.0");
  return execFileSync(command, [...prefix, ...args], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
}
