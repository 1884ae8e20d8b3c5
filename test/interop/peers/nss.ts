import { execFileSync } from "node:child_process";
import { authority, scratch } from "./certificates.js";
import { Program } from "./program.js";

/** NSS's client, with Encrypted Client Hello for the list of configurations (base64). Its input is application data. */
export function nssClient(port: number, serverName: string, echConfigs: string): Program {
  const database = `sql:${scratch()}`;
  run("certutil", "-N", "-d", database, "--empty-password");
  run("certutil", "-A", "-d", database, "-n", "authority", "-t", "C,,", "-i", authority());
  const to = ["-h", "127.0.0.1", "-p", String(port), "-a", serverName];
  return new Program("NSS", "tstclnt", [...to, "-d", database, "-V", "tls1.3:tls1.3", "-N", echConfigs]);
}

function run(command: string, ...args: string[]): void {
  try {
    execFileSync(command, args, { stdio: "pipe" });
  } catch (cause) {
    const install = "install it with: scripts/peers/install.sh tls";
    throw new Error(`the real peer NSS (${command} and tstclnt of libnss3-tools) is not here; ${install}`, { cause });
  }
}
