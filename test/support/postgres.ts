import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.js";

/** A PostgreSQL server of our own, on a free port of the loopback, in a folder that goes away with it. */
export interface Postgres {
  readonly port: number;
  /** Its Unix socket, which network namespaces do not hide. */
  readonly socket: string;
  stop(): Promise<void>;
}

const installed = "/usr/lib/postgresql";

/** Starts a server; throws with the way to install one if there is none. */
export async function startPostgres(): Promise<Postgres> {
  const bin = findPrograms();
  const folder = mkdtempSync(join(tmpdir(), "sealport-postgres-"));
  const port = await freePort();
  // PostgreSQL refuses to run as root.
  const asItself = process.getuid?.() === 0 ? ["runuser", "-u", "postgres", "--"] : [];
  const run = (program: string, ...args: readonly string[]): [string, string[]] => {
    const [command, ...rest] = [...asItself, join(bin, program), ...args] as [string, ...string[]];
    return [command, rest];
  };
  if (asItself.length > 0) {
    chmodSync(folder, 0o755);
    execFileSync("chown", ["postgres", folder]);
  }
  const data = join(folder, "data");
  execFileSync(...run("initdb", "-D", data, "-A", "trust", "-U", "sealport", "--no-sync"), {
    stdio: "pipe",
    cwd: folder,
  });
  const settings = { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: folder, fsync: "off" };
  const server = spawn(
    ...run("postgres", "-D", data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])),
    { stdio: ["ignore", "ignore", "pipe"], cwd: folder },
  );
  let said = "";
  await new Promise<void>((resolve, reject) => {
    server.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("ready to accept connections")) resolve();
    });
    server.once("exit", () => reject(new Error(`PostgreSQL did not start: ${said}`)));
  });
  return {
    port,
    socket: join(folder, `.s.PGSQL.${port}`),
    async stop() {
      const gone = new Promise((resolve) => server.once("exit", resolve));
      execFileSync(...run("pg_ctl", "stop", "-D", data, "-m", "immediate"), { stdio: "pipe", cwd: folder });
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function findPrograms(): string {
  const versions = existsSync(installed) ? readdirSync(installed).sort() : [];
  const bin = versions
    .map((version) => join(installed, version, "bin"))
    .findLast((each) => existsSync(join(each, "initdb")));
  if (bin === undefined) throw new Error("PostgreSQL is not installed: scripts/peers/install.sh db");
  return bin;
}
