import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { KeyLog } from "../../src/contract/index.js";
import { keyLogFile, type Qlog, qlogFile } from "../../src/hosts/node/index.js";

/** What quic-interop-runner says by its environment and mounts; every folder and the port can be said otherwise. */
export interface Environment {
  readonly role: string | undefined;
  readonly testcase: string;
  /** Client: URLs to fetch. */
  readonly requests: readonly string[];
  readonly www: string;
  readonly certificates: string;
  readonly downloads: string;
  /** Server. Default 443. */
  readonly port: number;
  /** Server. Default: every address of IPv4 and IPv6. */
  readonly address: string;
  readonly keyLog: KeyLog | undefined;
  readonly qlog: Qlog | undefined;
}

export function readEnvironment(env: NodeJS.ProcessEnv, role = env["ROLE"]): Environment {
  const keyLogPath = env["SSLKEYLOGFILE"] || undefined;
  const qlogFolder = env["QLOGDIR"] || undefined;
  if (qlogFolder !== undefined) mkdirSync(qlogFolder, { recursive: true });
  const vantage = role === "server" ? "server" : "client";
  return {
    role,
    testcase: env["TESTCASE"] ?? env["TESTCASE_CLIENT"] ?? env["TESTCASE_SERVER"] ?? "",
    requests: (env["REQUESTS"] ?? "").split(/\s+/).filter((each) => each !== ""),
    www: env["WWW"] ?? "/www",
    certificates: env["CERTS"] ?? "/certs",
    downloads: env["DOWNLOADS"] ?? "/downloads",
    port: Number(env["PORT"] ?? 443),
    address: env["IP"] ?? "::",
    keyLog: keyLogPath === undefined ? undefined : keyLogFile(keyLogPath),
    qlog: qlogFolder === undefined ? undefined : qlogFile(join(qlogFolder, `${vantage}-${process.pid}.sqlog`), vantage),
  };
}

/** Where the runner puts the server's chain, its key, and the authority. */
export const certificateFiles = (folder: string) => ({
  chain: join(folder, "cert.pem"),
  key: join(folder, "priv.key"),
  authority: join(folder, "ca.pem"),
});
