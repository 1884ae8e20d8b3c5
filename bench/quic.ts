import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { type Credentials, issue } from "./programs/credentials.js";
import { BenchEnd } from "./programs/end.js";
import { matrixaiVersion } from "./programs/matrixai-quic.js";
import type { ImplementationName, Latencies, Order, Timed, To, Weighed } from "./programs/quic-end.js";
import { type Native, natives } from "./programs/quic-natives.js";

const rounds = 3;
/** What each is asked to do, and how much of it before the clock starts; the npm package is given less of what it is slow at. */
const amounts = {
  sealport: {
    warmUp: 512_000_000,
    bulk: 512_000_000,
    requests: 10_000,
    requestsBefore: 40_000,
    before: 20_000,
    latency: 3_000,
    shakeMs: 1_500,
    shakesBefore: 3_000,
    idle: 1_000,
  },
  matrixai: {
    warmUp: 0,
    bulk: 8_000_000,
    requests: 1_000,
    requestsBefore: 100,
    before: 200,
    latency: 300,
    shakeMs: 1_500,
    shakesBefore: 50,
    idle: 100,
  },
} as const satisfies Record<ImplementationName, object>;
/** As ngtcp2's client does it: more requests when others are done. */
const streams = { bytes: 1_000, atOnce: 100 };
/** Connections before the first weighing: the collector's young generation has its size then. */
const held = 300;

/** QUIC version 1 with AES-128-GCM, X25519 and a P-256 certificate on the loopback, a process for each end. */
export async function run(): Promise<readonly BenchRow[]> {
  const credentials = issue();
  const { all, dispose } = natives(credentials.identity, credentials.trust);
  const npm = matrixaiVersion();
  if (npm === undefined) console.error("without @matrixai/quic: npm install --prefix bench/peers --ignore-scripts");
  const ours: Figures[] = [];
  const theirs: Partial<Figures>[] = [];
  const c = new Map<Native, Partial<Figures>[]>(all.map((each) => [each, []]));
  try {
    // In turns, so that what else the machine does falls on all.
    for (let i = 0; i < rounds; i++) {
      ours.push(await measure("sealport", credentials));
      if (npm !== undefined) theirs.push(await measureNpm(credentials));
      for (const [native, figures] of c) figures.push(await measureNative(native, credentials.trust));
    }
  } finally {
    dispose();
  }
  const peers: readonly (readonly [string, readonly Partial<Figures>[]])[] = [
    ...[...c].map(([{ name }, figures]) => [name, figures] as const),
    ...(npm === undefined ? [] : [[`@matrixai/quic ${npm}`, theirs] as const]),
  ];
  return titles.flatMap(([what, title, unit]) =>
    peers.flatMap(([name, figures]) => {
      const known = figures.flatMap((each) => each[what] ?? []);
      return known.length === 0
        ? []
        : [row(`QUIC, ${title}`, unit, median(ours.map((each) => each[what])), median(known), name)];
    }),
  );
}

const titles = [
  ["bulk", "one stream, receiver's clock", "MB/s"],
  ["cpuPerGb", "one stream, CPU of both ends", "s/GB"],
  ["streams", "requests of 1 kB on one connection, a hundred at a time", "requests/s"],
  ["shakes", "handshakes, each with a request", "handshakes/s"],
  ["p50", "one small request after the other, median", "ms"],
  ["p99", "one small request after the other, 99th percentile", "ms"],
  ["idleBytes", "an idle connection of a server", "bytes"],
] as const;

type Figures = Readonly<Record<(typeof titles)[number][0], number>>;

/** What it measured before it hung, if it did; ours never may. */
async function measureNpm(credentials: Credentials): Promise<Partial<Figures>> {
  const figures: Partial<Record<keyof Figures, number>> = {};
  try {
    await measure("matrixai", credentials, figures);
  } catch (error) {
    console.error(
      `@matrixai/quic: ${error instanceof Error ? error.message : String(error)}; the rest of this round is left out`,
    );
  }
  return figures;
}

async function measure(
  name: ImplementationName,
  { identity, trust }: Credentials,
  figures: Partial<Record<keyof Figures, number>> = {},
): Promise<Figures> {
  const amount = amounts[name];
  const with_ = { with: name };
  await using server = new BenchEnd<Order>("quic-end.js");
  await using client = new BenchEnd<Order>("quic-end.js");
  const { port } = await server.do<{ port: number }>({ kind: "serve", ...with_, identity });
  const to: To = { port, trust };
  // The npm package is not warmed up: it was seen to hang in the connection after that.
  if (amount.warmUp > 0) await client.do<Timed>({ kind: "bulk", ...with_, to, bytes: amount.warmUp });
  const cpuBefore = await server.do<{ cpuMs: number }>({ kind: "cpu" });
  const bulk = await client.do<Timed>({ kind: "bulk", ...with_, to, bytes: amount.bulk });
  const cpuAfter = await server.do<{ cpuMs: number }>({ kind: "cpu" });
  figures.bulk = amount.bulk / 1e6 / (bulk.ms / 1000);
  figures.cpuPerGb = (bulk.cpuMs + cpuAfter.cpuMs - cpuBefore.cpuMs) / 1000 / (amount.bulk / 1e9);
  const latency = await client.do<Latencies>({
    kind: "latency",
    ...with_,
    to,
    count: amount.latency,
    before: amount.before,
  });
  figures.p50 = latency.p50;
  figures.p99 = latency.p99;
  const many = await client.do<Timed>({
    kind: "streams",
    ...with_,
    to,
    count: amount.requests,
    before: amount.requestsBefore,
    ...streams,
  });
  figures.streams = (many.count / many.ms) * 1000;
  const shakes = await client.do<Timed>({
    kind: "shake",
    ...with_,
    to,
    ms: amount.shakeMs,
    before: amount.shakesBefore,
  });
  figures.shakes = (shakes.count / shakes.ms) * 1000;
  // Its own server, so that nothing that was before weighs.
  await using holder = new BenchEnd<Order>("quic-end.js");
  await using visitors = new BenchEnd<Order>("quic-end.js");
  const rest = await holder.do<{ port: number }>({ kind: "serve", ...with_, identity });
  const at: To = { port: rest.port, trust };
  await visitors.do<Timed>({ kind: "hold", ...with_, to: at, count: Math.min(held, amount.idle) });
  const before = await holder.do<Weighed>({ kind: "weigh" });
  await visitors.do<Timed>({ kind: "hold", ...with_, to: at, count: amount.idle });
  const after = await holder.do<Weighed>({ kind: "weigh" });
  figures.idleBytes = (after.rss - before.rss) / amount.idle;
  return figures as Figures;
}

async function measureNative(native: Native, trust: string): Promise<Partial<Figures>> {
  const { rate, cpuPerGb } = await native.bulk(amounts.sealport.bulk);
  const many = await native.streams?.(amounts.sealport.requests, streams.bytes);
  const latency = await native.latency?.(amounts.sealport.latency);
  const shakes = await native.shake?.(amounts.sealport.shakeMs);
  await using visitors = new BenchEnd<Order>("quic-end.js");
  const idleBytes = await native.idle?.(
    held,
    (port, count) => visitors.do<Timed>({ kind: "hold", with: "sealport", to: { port, trust, alpn: "h3" }, count }),
    amounts.sealport.idle,
  );
  return {
    bulk: rate,
    cpuPerGb,
    ...(idleBytes !== undefined && { idleBytes }),
    ...(many !== undefined && { streams: many }),
    ...latency,
    ...(shakes !== undefined && { shakes }),
  };
}
