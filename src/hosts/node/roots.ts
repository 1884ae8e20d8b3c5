import { readFileSync, statSync } from "node:fs";
import { fileSizeMax } from "./limits.js";

/**
 * Which certification authorities to trust:
 * - `system`: the file that SSL_CERT_FILE names, else the system's own bundle or store, else Node's
 * - `bundled`: Mozilla's list as compiled into Node
 * In both cases those in NODE_EXTRA_CA_CERTS too.
 */
export type RootSource = "system" | "bundled";

const bundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Certificates in DER, each once. SSL_CERT_FILE wins over everything, as it does for OpenSSL, and must be readable. */
export function loadRoots(source: RootSource, environment: NodeJS.ProcessEnv = process.env): readonly Uint8Array[] {
  const { SSL_CERT_FILE: named, NODE_EXTRA_CA_CERTS: extra } = environment;
  const pems = [source === "bundled" ? bundled() : named ? readPem(named) : systemPem()];
  if (extra) pems.push(readPem(extra));
  const found = new Map<string, Uint8Array>();
  for (const pem of pems) for (const [base64, der] of certificatesIn(pem)) found.set(base64, der);
  return [...found.values()];
}

function systemPem(): string {
  // From Node 22.15 on, the stores of Windows and macOS too.
  const tls = process.platform === "linux" ? undefined : nodeTls();
  const fromNode = tls !== undefined && "getCACertificates" in tls ? tls.getCACertificates : undefined;
  if (typeof fromNode === "function") {
    const stored: unknown = fromNode("system");
    if (Array.isArray(stored) && stored.length > 0) return stored.join("\n");
  }
  for (const path of bundles) {
    try {
      return readPem(path);
    } catch {
      // The next one, then.
    }
  }
  return bundled();
}

const bundled = (): string => nodeTls().rootCertificates.join("\n");

/** Loaded when its roots are wanted: 4 ms that a process with a bundle of the system's need not spend. */
const nodeTls = (): typeof import("node:tls") => process.getBuiltinModule("node:tls");

function readPem(path: string): string {
  if (statSync(path).size > fileSizeMax) throw new RangeError(`${path} has more than ${fileSizeMax} bytes`);
  return readFileSync(path, "latin1");
}

function* certificatesIn(pem: string): Generator<readonly [string, Uint8Array]> {
  for (const [, body] of pem.matchAll(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END/g)) {
    const base64 = body!.replace(/\s+/g, "");
    yield [base64, new Uint8Array(Buffer.from(base64, "base64"))];
  }
}
