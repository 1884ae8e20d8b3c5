import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { type Credentials, issue } from "./programs/credentials.js";
import type { Counted, DtlsName, DtlsOrder } from "./programs/dtls-end.js";
import { DtlsMachines } from "./programs/dtls-machine.js";
import { BenchEnd } from "./programs/end.js";
import { weriftVersion } from "./programs/werift-dtls.js";

const rounds = 3;
const ms = 800;
const warmMs = 800;
const idleSessions = 300;
/** Handshakes before the first that count: V8 still compiles parts of them for some thousands. */
const shakesBefore = 6_000;

/** DTLS 1.2 with AES-128-GCM, X25519 and a P-256 certificate: machines alone on one core, and two processes on the loopback. */
export async function run(): Promise<readonly BenchRow[]> {
  const credentials = issue();
  const werift = weriftVersion();
  if (werift === undefined) console.error("without werift: npm install --prefix bench/peers --ignore-scripts");
  const folder = mkdtempSync(join(tmpdir(), "sealport-bench-"));
  try {
    const openssl = Openssl.compile(folder, credentials);
    const ours: Figures[] = [];
    const npm: Partial<Figures>[] = [];
    const c: Partial<Figures>[] = [];
    const warm = new DtlsMachines("1.2", credentials.identity);
    for (let i = 0; i < shakesBefore; i++) shakeAnew(warm);
    // In turns, so that what else the machine does falls on all.
    for (let i = 0; i < rounds; i++) {
      ours.push({ ...alone(credentials), ...(await between("sealport", credentials)), idle: await idle(credentials) });
      if (werift !== undefined) npm.push(await between("werift", credentials));
      if (openssl !== undefined) c.push(await openssl.measure());
    }
    const peers = [
      ...(openssl === undefined ? [] : [[openssl.name, c] as const]),
      ...(werift === undefined ? [] : [[`werift ${werift}`, npm] as const]),
    ];
    return titles.flatMap(([what, title, unit]) =>
      peers.flatMap(([name, figures]) => {
        const known = figures.flatMap((each) => each[what] ?? []);
        if (known.length === 0) return [];
        return [row(`DTLS 1.2, ${title}`, unit, median(ours.map((each) => each[what])), median(known), name)];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const titles = [
  ["pairs", "full handshakes, both ends on one core, no network", "handshakes/s"],
  ["sealed", "messages of 1,200 bytes sealed and opened on one core, no network", "packets/s"],
  ["sealed13", "the same, ours in 1.3, which OpenSSL has not", "packets/s"],
  ["packets", "messages of 1,200 bytes over loopback, received", "packets/s"],
  ["idle", "an idle session, resident memory", "bytes"],
] as const;

type Figures = Readonly<Record<(typeof titles)[number][0], number>>;

/** Milliseconds of processor that this process has used, its helping threads included: what others do on the core does not count. */
function spent(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** How often it can be done in a second of processor, once the compiler has seen it. */
function rate(count: () => number): number {
  for (const warm = spent(); spent() - warm < warmMs; ) count();
  let done = 0;
  const started = spent();
  while (spent() - started < ms) done += count();
  return (done / (spent() - started)) * 1_000;
}

function alone({ identity }: Credentials): Pick<Figures, "pairs" | "sealed" | "sealed13"> {
  const machines = new DtlsMachines("1.2", identity);
  const pairs = rate(() => shakeAnew(machines));
  const newer = new DtlsMachines("1.3", identity);
  newer.shake();
  machines.shake();
  return { pairs, sealed: moved(machines), sealed13: moved(newer) };
}

/** One handshake, and nothing left of those before. */
function shakeAnew(machines: DtlsMachines): 1 {
  machines.shake();
  machines.forget();
  return 1;
}

/** Messages a second. */
const moved = (machines: DtlsMachines): number =>
  rate(() => {
    const before = machines.received;
    machines.move(20);
    return machines.received - before;
  });

async function between(name: DtlsName, { identity, trust }: Credentials): Promise<Pick<Figures, "packets">> {
  const with_ = { with: name };
  await using server = new BenchEnd<DtlsOrder>("dtls-end.js");
  await using client = new BenchEnd<DtlsOrder>("dtls-end.js");
  const { port } = await server.do<{ port: number }>({ kind: "serve", ...with_, identity });
  await client.do<Counted>({ kind: "send", ...with_, port, trust, ms });
  const { count, ms: took } = await server.do<Counted>({ kind: "received" });
  return { packets: (count / took) * 1_000 };
}

/** What the server's process grows by for a session; OpenSSL's figure is that of a client and a server together. */
async function idle({ identity, trust }: Credentials): Promise<number> {
  await using holder = new BenchEnd<DtlsOrder>("dtls-end.js");
  await using client = new BenchEnd<DtlsOrder>("dtls-end.js");
  const { port } = await holder.do<{ port: number }>({ kind: "serve", with: "sealport", identity });
  await client.do({ kind: "hold", port, trust, count: 50 });
  const before = await holder.do<{ rss: number }>({ kind: "weigh" });
  await client.do({ kind: "hold", port, trust, count: idleSessions });
  const after = await holder.do<{ rss: number }>({ kind: "weigh" });
  return (after.rss - before.rss) / idleSessions;
}

/** The C program beside this file, if there is a compiler and OpenSSL's headers. */
class Openssl {
  readonly name: string;
  readonly #program: string;
  readonly #files: readonly [string, string];

  static compile(folder: string, { identity }: Credentials): Openssl | undefined {
    const program = join(folder, "dtls-openssl");
    const source = new URL("../../bench/programs/dtls-openssl.c", import.meta.url).pathname;
    const { status } = spawnSync("gcc", ["-O2", source, "-lssl", "-lcrypto", "-o", program], { stdio: "ignore" });
    if (status !== 0) {
      console.error("without OpenSSL in C: it needs gcc and libssl-dev");
      return undefined;
    }
    const files = [join(folder, "chain.pem"), join(folder, "key.pem")] as const;
    writeFileSync(files[0], identity.chain);
    writeFileSync(files[1], identity.key, { mode: 0o600 });
    return new Openssl(program, files);
  }

  private constructor(program: string, files: readonly [string, string]) {
    this.#program = program;
    this.#files = files;
    const said = spawnSync("openssl", ["version"], { encoding: "utf8" }).stdout ?? "";
    this.name = said.split(" ").slice(0, 2).join(" ") || "OpenSSL";
  }

  async measure(): Promise<Figures> {
    const figure = (what: string, amount: number) =>
      Number(execFileSync(this.#program, [what, ...this.#files, String(amount)], { encoding: "utf8" }));
    const sealed = figure("packets", ms);
    return {
      pairs: figure("pairs", ms),
      sealed,
      sealed13: sealed,
      idle: figure("idle", 1_000) / 2,
      packets: await this.#packets(),
    };
  }

  async #packets(): Promise<number> {
    const sink = spawn(this.#program, ["sink", ...this.#files], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = collect(sink);
    const port = await lines.first;
    const source = spawn(this.#program, ["source", port, String(ms)], { stdio: ["ignore", "ignore", "inherit"] });
    await once(source, "exit");
    if (source.exitCode !== 0) sink.kill();
    const [count, took] = (await lines.last).split(" ").map(Number);
    return (count! / took!) * 1_000;
  }
}

/** The first line of what a program says, and the last when it has ended. */
function collect(child: ChildProcess): { readonly first: Promise<string>; readonly last: Promise<string> } {
  let said = "";
  const first = new Promise<string>((resolve) => {
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("\n")) resolve(said.split("\n")[0]!);
    });
  });
  const last = once(child, "close").then(() => said.trim().split("\n").at(-1)!);
  return { first, last };
}
