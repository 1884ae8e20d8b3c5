import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PemIdentity, suite } from "./implementation.js";

/** OpenSSL's own programs, as far as they can be measured from outside. */
export interface OpensslFigures {
  /** MB/s from s_client's standard input to s_server's standard output. */
  readonly bulk: number;
  /** Full handshakes a second of s_time, one after the other. */
  readonly full: number;
}

/** "OpenSSL 3.0.17", or undefined if there is no such program. */
export function opensslVersion(): string | undefined {
  try {
    return execFileSync("openssl", ["version"], { encoding: "utf8" }).split(" ").slice(0, 2).join(" ");
  } catch {
    return undefined;
  }
}

export async function measureOpenssl(identity: PemIdentity, bulkBytes: number, ms: number): Promise<OpensslFigures> {
  const folder = mkdtempSync(join(tmpdir(), "sealport-bench-"));
  try {
    const [chain, key] = [join(folder, "chain"), join(folder, "key")];
    writeFileSync(chain, identity.chain);
    writeFileSync(key, identity.key, { mode: 0o600 });
    return { bulk: await bulk(chain, key, bulkBytes), full: await handshakes(chain, key, ms) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const only = ["-tls1_3", "-ciphersuites", suite];

async function bulk(chain: string, key: string, bytes: number): Promise<number> {
  const port = await freePort();
  await using server = await serve(port, chain, key, ["-quiet", "-naccept", "1"]);
  const client = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...only, "-quiet", "-no_ign_eof"], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  client.stdin.on("error", () => undefined);
  const zeros = new Uint8Array(64 * 1024);
  const started = performance.now();
  const over = new Promise<void>((done) => client.once("close", () => done()));
  for (let left = bytes; left > 0 && client.exitCode === null; left -= zeros.length) {
    if (!client.stdin.write(zeros))
      await Promise.race([over, new Promise((drained) => client.stdin.once("drain", drained))]);
  }
  client.stdin.end();
  await over;
  const seconds = (performance.now() - started) / 1000;
  await server.over;
  return bytes / 1e6 / seconds;
}

async function handshakes(chain: string, key: string, ms: number): Promise<number> {
  const port = await freePort();
  await using _ = await serve(port, chain, key, ["-quiet", "-www"]);
  const args = ["s_time", "-connect", `127.0.0.1:${port}`, "-new", "-time", String(Math.ceil(ms / 1000)), "-tls1_3"];
  const said = await output("openssl", args);
  const found = /(\d+) connections in (\d+) real seconds/.exec(said);
  if (found === null) throw new Error(`openssl s_time said: ${said}`);
  return Number(found[1]) / Number(found[2]);
}

interface Served extends AsyncDisposable {
  readonly over: Promise<void>;
}

async function serve(port: number, chain: string, key: string, more: readonly string[]): Promise<Served> {
  const args = ["s_server", "-accept", `127.0.0.1:${port}`, "-cert", chain, "-key", key, ...only, ...more];
  // Its input stays open: at the end of it s_server would end.
  const child = spawn("openssl", args, { stdio: ["pipe", "ignore", "ignore"] });
  const over = new Promise<void>((done) => child.once("close", () => done()));
  await new Promise((ready) => setTimeout(ready, 700));
  return {
    over,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await over;
    },
  };
}

function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    let said = "";
    child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
    child.once("error", fail);
    child.once("close", () => done(said));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const address = server.address();
  await new Promise((closed) => server.close(closed));
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
