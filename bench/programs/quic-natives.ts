import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../../src/cli/bench-row.js";
import type { PemIdentity } from "./implementation.js";

/** QUIC in C beside which ours is measured, as far as it is installed (scripts/peers/install.sh quic). */
export interface Native {
  readonly name: string;
  /** MB/s of one stream, and seconds of CPU that both ends need for a GB. */
  bulk(bytes: number): Promise<{ readonly rate: number; readonly cpuPerGb: number }>;
  /** Requests a second, all on one connection. */
  streams?(count: number, bytes: number): Promise<number>;
  /** Median and 99th percentile of one small request after the other, in milliseconds. */
  latency?(count: number): Promise<{ readonly p50: number; readonly p99: number }>;
  /** Handshakes a second, one after the other. */
  shake?(ms: number): Promise<number>;
  /** Bytes of a server's memory for each connection that `hold` opens behind the `first`, with ALPN h3, and leaves idle. */
  idle?(first: number, hold: (port: number, count: number) => Promise<unknown>, count: number): Promise<number>;
}

const trixie = new URL("../../../scripts/peers/trixie.sh", import.meta.url).pathname;

interface Command {
  readonly command: string;
  readonly prefix: readonly string[];
}

/** All that are here. `dispose` removes their files. */
export function natives(identity: PemIdentity, trust: string): { readonly all: readonly Native[]; dispose(): void } {
  const folder = mkdtempSync(join(tmpdir(), "sealport-bench-"));
  const files = { chain: join(folder, "chain"), key: join(folder, "key"), trust: join(folder, "trust"), folder };
  writeFileSync(files.chain, identity.chain);
  writeFileSync(files.key, identity.key, { mode: 0o600 });
  writeFileSync(files.trust, trust);
  const old = { command: "", prefix: [] };
  const all = [
    ngtcp2("ngtcp2 0.12", { ...old, command: "gtlsserver" }, { ...old, command: "gtlsclient" }, files),
    ngtcp2(
      "ngtcp2 1.11",
      { command: trixie, prefix: ["run", "gtlsserver"] },
      { command: trixie, prefix: ["run", "gtlsclient"] },
      files,
    ),
    openssl(files),
  ].filter((each): each is Native => each !== undefined);
  return { all, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}

interface Files {
  readonly chain: string;
  readonly key: string;
  readonly trust: string;
  readonly folder: string;
}

/** gtlsserver and gtlsclient: HTTP/3, a file that is never written down. */
function ngtcp2(name: string, server: Command, client: Command, files: Files): Native | undefined {
  if (!isThere(server) || !isThere(client)) return undefined;
  const fetch = async (size: number, requests: number) => {
    const path = join(files.folder, "file");
    writeFileSync(path, "");
    truncateSync(path, size);
    const port = await freePort();
    await using serving = await start(
      server,
      [
        "--quiet",
        "--no-quic-dump",
        "--no-http-dump",
        "-d",
        files.folder,
        "127.0.0.1",
        String(port),
        files.key,
        files.chain,
      ],
      () => isBound(port),
    );
    const url = "https://bench.test/file";
    const windows = ["data", "stream-data-bidi-local", "window", "stream-window"].map((each) => `--max-${each}=64M`);
    const args = ["--quiet", "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close", ...windows];
    const one = async (n: number, target: string) =>
      timed(client, [...args, "-n", String(n), "127.0.0.1", String(port), target]);
    // What a connection costs that asks for next to nothing is not what is measured.
    const empties = [];
    for (let i = 0; i < 5; i++) empties.push(await one(1, "https://bench.test/none"));
    const empty = { ms: median(empties.map(({ ms }) => ms)), cpuMs: median(empties.map(({ cpuMs }) => cpuMs)) };
    const cpuBefore = serving.cpuMs();
    const whole = await one(requests, url);
    return {
      ms: Math.max(1, whole.ms - empty.ms),
      cpuMs: serving.cpuMs() - cpuBefore + Math.max(0, whole.cpuMs - empty.cpuMs),
    };
  };
  return {
    name,
    async bulk(bytes) {
      const { ms, cpuMs } = await fetch(bytes, 1);
      return { rate: bytes / 1e6 / (ms / 1000), cpuPerGb: cpuMs / 1000 / (bytes / 1e9) };
    },
    // It has a hundred under way at a time.
    streams: async (count, bytes) => (count / (await fetch(bytes, count)).ms) * 1000,
    async idle(first, hold, count) {
      const port = await freePort();
      const args = ["--quiet", "-d", files.folder, "127.0.0.1", String(port), files.key, files.chain];
      await using serving = await start(server, args, () => isBound(port));
      await hold(port, first);
      const before = serving.rss();
      await hold(port, count);
      return (serving.rss() - before) / count;
    },
  };
}

function openssl(files: Files): Native | undefined {
  const program = compileOpenssl(files.folder);
  if (program === undefined) return undefined;
  const run: Command = { command: trixie, prefix: ["run", program] };
  const ask = async (what: string, amount: number) => {
    const port = String(await freePort());
    await using serving = await start(run, ["server", port, files.chain, files.key], (said) =>
      said.includes("LISTENING"),
    );
    const cpuBefore = serving.cpuMs();
    const { said, cpuMs } = await timed(run, ["client", port, files.trust, what, String(amount)]);
    const figures = said.trim().split(" ").map(Number);
    if (figures.some(Number.isNaN) || said.trim() === "") throw new Error(`OpenSSL's client said: ${said}`);
    return { figures, cpuMs: cpuMs + serving.cpuMs() - cpuBefore };
  };
  return {
    name: `OpenSSL ${execFileSync(trixie, ["run", "openssl", "version"], { encoding: "utf8" }).split(" ")[1]}`,
    async bulk(bytes) {
      const { figures, cpuMs } = await ask("bulk", bytes);
      return { rate: bytes / 1e6 / (figures[0]! / 1000), cpuPerGb: cpuMs / 1000 / (bytes / 1e9) };
    },
    async latency(count) {
      const { figures } = await ask("latency", count);
      return { p50: figures[0]! / 1000, p99: figures[1]! / 1000 };
    },
    async shake(ms) {
      const { figures } = await ask("shake", ms);
      return (figures[0]! / figures[1]!) * 1000;
    },
  };
}

function compileOpenssl(folder: string): string | undefined {
  const root = spawnSync(trixie, ["root"], { encoding: "utf8" }).stdout.trim();
  const triplet = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;
  const source = new URL("../../../bench/programs/quic-openssl.c", import.meta.url).pathname;
  const program = join(folder, "quic-openssl");
  const { status } = spawnSync("gcc", [
    "-O2",
    `-I${root}/usr/include`,
    `-I${root}/usr/include/${triplet}`,
    `-L${root}/usr/lib/${triplet}`,
    source,
    "-l:libssl.so.3",
    "-l:libcrypto.so.3",
    "-Wl,--allow-shlib-undefined",
    "-o",
    program,
  ]);
  return status === 0 ? program : undefined;
}

const isThere = ({ command, prefix }: Command): boolean => spawnSync(command, [...prefix, "--help"]).status === 0;

interface Running extends AsyncDisposable {
  /** CPU time of the process so far. */
  cpuMs(): number;
  /** Its memory, in bytes. */
  rss(): number;
}

async function start(
  { command, prefix }: Command,
  args: readonly string[],
  ready: (said: string) => boolean,
): Promise<Running> {
  const child = spawn(command, [...prefix, ...args], { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString("latin1")));
  const over = new Promise<void>((done) => child.once("close", () => done()));
  for (let i = 0; i < 500 && !ready(said); i++) await new Promise((again) => setTimeout(again, 10));
  return {
    rss: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "latin1"))?.[1]) * 1024,
    cpuMs: () => {
      if (child.exitCode !== null)
        throw new Error(`${[command, ...prefix, ...args].join(" ")} ended with ${child.exitCode}`);
      return cpuMsOf(child.pid!);
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await over;
    },
  };
}

/** User and system time by the kernel, which counts in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Runs it to its end under bash's clock, which knows the CPU time of its children. */
function timed(
  { command, prefix }: Command,
  args: readonly string[],
): Promise<{ ms: number; cpuMs: number; said: string }> {
  return new Promise((done, fail) => {
    const script = 'TIMEFORMAT="%R %U %S"; time "$@" 2>/dev/null';
    const child = spawn("bash", ["-c", script, "bash", command, ...prefix, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    let clock = "";
    child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString("latin1")));
    child.stderr.on("data", (bytes: Buffer) => (clock += bytes.toString("latin1")));
    child.once("error", fail);
    child.once("close", (code) => {
      const [real = 0, user = 0, system = 0] = clock.trim().split("\n").at(-1)!.split(" ").map(Number);
      if (code === 0) done({ ms: real * 1000, cpuMs: (user + system) * 1000, said });
      else fail(new Error(`${[command, ...prefix, ...args].join(" ")} ended with ${code}: ${said.slice(-500)}`));
    });
  });
}

function isBound(port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
  return readFileSync("/proc/net/udp", "latin1").includes(wanted);
}

async function freePort(): Promise<number> {
  const socket = createSocket("udp4");
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
  const { port } = socket.address();
  await new Promise<void>((done) => socket.close(done));
  return port;
}
