import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { type Credentials, issue } from "./programs/credentials.js";
import { BenchEnd } from "./programs/end.js";
import { measureOpenssl, type OpensslFigures, opensslVersion } from "./programs/openssl.js";
import type { Answer, ImplementationName, To } from "./programs/tls-end.js";

type Timed = Extract<Answer, { ms: number }>;
type Weighed = Extract<Answer, { rss: number }>;

const bulkBytes = 512 * 1024 * 1024;
const shakeMs = 1_500;
const idleSessions = 500;
const rounds = 3;
/** Handshakes before the first that count: V8 compiles what they run. */
const shakesBefore = 3_000;

/** TLS 1.3 with AES-128-GCM, X25519 and a P-256 certificate on the loopback, a process for each end. */
export async function run(): Promise<readonly BenchRow[]> {
  const credentials = issue();
  const names = ["sealport", "node:tls"] as const;
  const all: Record<(typeof names)[number], Figures[]> = { sealport: [], "node:tls": [] };
  // In turns, so that what else the machine does falls on both.
  const openssl: OpensslFigures[] = [];
  const version = opensslVersion();
  for (let i = 0; i < rounds; i++) {
    for (const name of names) all[name].push(await measure(name, credentials));
    if (version) openssl.push(await measureOpenssl(credentials.identity, bulkBytes, 2 * shakeMs));
  }
  const figure = (name: (typeof names)[number], what: keyof Figures) => median(all[name].map((each) => each[what]));
  const rows = figures.map(([what, title, unit]) =>
    row(
      `TLS 1.3, ${title}`,
      unit,
      figure("sealport", what),
      figure("node:tls", what),
      `node:tls ${process.versions.openssl}`,
    ),
  );
  if (version === undefined) return rows;
  const theirs = (what: keyof OpensslFigures) => median(openssl.map((each) => each[what]));
  return [
    ...rows,
    row("TLS 1.3, one stream", "MB/s", figure("sealport", "bulk"), theirs("bulk"), `s_client to s_server, ${version}`),
    row(
      "TLS 1.3, full handshakes, ours four at a time",
      "handshakes/s",
      figure("sealport", "full"),
      theirs("full"),
      `s_time, one at a time, ${version}`,
    ),
  ];
}

const figures = [
  ["bulk", "one stream, 64 KiB writes, receiver's clock", "MB/s"],
  ["cpuPerGb", "one stream, CPU of both ends", "s/GB"],
  ["full", "full handshakes, four at a time", "handshakes/s"],
  ["fullCpu", "a full handshake, CPU of both ends", "ms"],
  ["resumed", "resumed handshakes, four at a time", "handshakes/s"],
  ["resumedCpu", "a resumed handshake, CPU of both ends", "ms"],
  ["idleBytes", "an idle session of a server", "bytes"],
] as const;

type Figures = Readonly<Record<(typeof figures)[number][0], number>>;

async function measure(name: ImplementationName, { identity, trust }: Credentials): Promise<Figures> {
  const with_ = { with: name };
  const server = async (): Promise<{ end: BenchEnd; to: To }> => {
    const end = new BenchEnd();
    const { port } = await end.do<{ port: number }>({ kind: "serve", ...with_, identity });
    return { end, to: { port, trust } };
  };
  let bulk: Timed;
  let sent: Timed;
  {
    const { end, to } = await server();
    await using receiver = end;
    await using sender = new BenchEnd();
    [bulk, sent] = await Promise.all([
      receiver.do<Timed>({ kind: "received", bytes: bulkBytes }),
      sender.do<Timed>({ kind: "send", ...with_, to, bytes: bulkBytes }),
    ]);
  }
  const rate = async (resume: boolean): Promise<{ readonly rate: number; readonly cpuMs: number }> => {
    const { end, to } = await server();
    await using _ = end;
    await using client = new BenchEnd();
    const shake = (ms: number, atLeast: number) =>
      client.do<Timed>({ kind: "shake", ...with_, to, ms, atLeast, resume });
    await shake(0, shakesBefore);
    const before = await end.do<{ cpuMs: number }>({ kind: "cpu" });
    const { count, ms, cpuMs } = await shake(shakeMs, 1);
    const after = await end.do<{ cpuMs: number }>({ kind: "cpu" });
    return { rate: (count / ms) * 1000, cpuMs: (cpuMs + after.cpuMs - before.cpuMs) / count };
  };
  const full = await rate(false);
  const resumed = await rate(true);
  const { end, to } = await server();
  await using holder = end;
  await using client = new BenchEnd();
  await client.do<Timed>({ kind: "hold", ...with_, to, count: 20 });
  const before = await holder.do<Weighed>({ kind: "weigh" });
  await client.do<Timed>({ kind: "hold", ...with_, to, count: idleSessions });
  const after = await holder.do<Weighed>({ kind: "weigh" });
  return {
    bulk: bulkBytes / 1e6 / (bulk.ms / 1000),
    cpuPerGb: (bulk.cpuMs + sent.cpuMs) / 1000 / (bulkBytes / 1e9),
    full: full.rate,
    fullCpu: full.cpuMs,
    resumed: resumed.rate,
    resumedCpu: resumed.cpuMs,
    // What OpenSSL allocates is in no heap of V8's, so the whole process is weighed.
    idleBytes: (after.rss - before.rss) / idleSessions,
  };
}
