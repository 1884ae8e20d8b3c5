import { fileURLToPath } from "node:url";
import { fromHex } from "../src/bytes/index.js";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { nodeHost } from "../src/hosts/node/index.js";
import { type ControllerName, connect, type MinimaltClientOptions } from "../src/protocols/minimalt/index.js";
import { Program } from "../test/interop/peers/program.js";
import { betweenOurs } from "./curvecp.js";
import { type Credentials, issue } from "./programs/credentials.js";
import { BenchEnd } from "./programs/end.js";
import type { MinimaltEndAnswer } from "./programs/minimalt-end.js";
import type { Answer, To } from "./programs/tls-end.js";

const rounds = 3;
const bytes = 32_000_000;
const beginMs = 1_500;
const host = nodeHost();
const names = { curvecp: "our CurveCP, cubic", tls: "our TLS 1.3, AES-128-GCM" } as const;

/** The loopback, a process for each end. No other implementation of MinimaLT exists: it stands beside our own of other protocols. */
export async function run(): Promise<readonly BenchRow[]> {
  const credentials = issue();
  const rates: Record<ControllerName | keyof typeof names, number[]> = {
    cubic: [],
    "new-reno": [],
    bbr: [],
    curvecp: [],
    tls: [],
  };
  const begun: number[] = [];
  const shaken: number[] = [];
  // In turns, so that what else the machine does falls on all of them.
  for (let i = 0; i < rounds; i++) {
    for (const name of ["cubic", "bbr"] as const) rates[name].push(await stream(name));
    const { bytes: sent, ms } = await betweenOurs("cubic");
    rates.curvecp.push(sent / ms / 1e3);
    rates.tls.push(await tlsStream(credentials));
    begun.push(await tunnels());
    shaken.push(await tlsHandshakes(credentials));
  }
  const what = (name: string) => `MinimaLT, one connection, ${name}, receiver's clock`;
  return [
    row(what("cubic"), "MB/s", median(rates.cubic), median(rates.curvecp), names.curvecp),
    row(what("bbr"), "MB/s", median(rates.bbr), median(rates.curvecp), names.curvecp),
    row(what("cubic"), "MB/s", median(rates.cubic), median(rates.tls), names.tls),
    row(
      "MinimaLT, tunnels with a request and its answer, one at a time, record known",
      "tunnels/s",
      median(begun),
      median(shaken),
      "our TLS 1.3, full handshakes, four at a time",
    ),
  ];
}

interface Server extends AsyncDisposable {
  readonly program: Program;
  readonly port: number;
  readonly options: MinimaltClientOptions;
}

async function serve(): Promise<Server> {
  const file = fileURLToPath(new URL("./programs/minimalt-end.js", import.meta.url));
  const program = new Program("MinimaLT end", process.execPath, [file]);
  const [about] = await program.says(/\{"port".*\}/);
  const { port, key, certS, ecertS } = JSON.parse(about) as Record<string, string>;
  const record = { certS: fromHex(certS!), ecertS: fromHex(ecertS!) };
  const options = { serverKey: fromHex(key!), record };
  return { program, port: Number(port), options, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

async function stream(congestionControl: ControllerName): Promise<number> {
  await using server = await serve();
  await exchange(server, { ...server.options, congestionControl }, bytes);
  const [answer] = await server.program.says(/\{"bytes".*\}/);
  const { ms } = JSON.parse(answer) as MinimaltEndAnswer;
  return bytes / ms / 1e3;
}

async function tunnels(): Promise<number> {
  await using server = await serve();
  for (let i = 0; i < 20; i++) await exchange(server, server.options, 28);
  const started = performance.now();
  let count = 0;
  for (; performance.now() - started < beginMs; count++) await exchange(server, server.options, 28);
  return (count * 1_000) / (performance.now() - started);
}

/** A tunnel with one connection: so many bytes, and the other's end. */
function exchange({ port }: Server, options: MinimaltClientOptions, size: number): Promise<void> {
  const chunk = new Uint8Array(Math.min(size, 65_536));
  let left = size;
  return new Promise((resolve, reject) => {
    const session = connect(host, { address: "127.0.0.1", port }, options, {
      stream: () => undefined,
      closed: (failure) => failure !== undefined && reject(failure),
    });
    const pump = (): void => {
      while (left > 0) {
        const now = Math.min(left, chunk.length);
        left -= now;
        if (!connection.write(now === chunk.length ? chunk : chunk.subarray(0, now))) return;
      }
      connection.finish();
    };
    const connection = session.openStream({
      bytes() {},
      ended() {},
      drained: pump,
      closed(failure) {
        if (failure !== undefined) reject(failure);
        session.close();
        resolve();
      },
    });
    pump();
  });
}

async function tlsEnds(credentials: Credentials): Promise<{ readonly end: BenchEnd; readonly to: To }> {
  const end = new BenchEnd();
  const { port } = await end.do<{ port: number }>({ kind: "serve", with: "sealport", identity: credentials.identity });
  return { end, to: { port, trust: credentials.trust } };
}

type Timed = Extract<Answer, { ms: number }>;

async function tlsStream(credentials: Credentials): Promise<number> {
  const { end, to } = await tlsEnds(credentials);
  await using receiver = end;
  await using sender = new BenchEnd();
  const [{ ms }] = await Promise.all([
    receiver.do<Timed>({ kind: "received", bytes }),
    sender.do<Timed>({ kind: "send", with: "sealport", to, bytes }),
  ]);
  return bytes / ms / 1e3;
}

async function tlsHandshakes(credentials: Credentials): Promise<number> {
  const { end, to } = await tlsEnds(credentials);
  await using _ = end;
  await using client = new BenchEnd();
  const { count, ms } = await client.do<Timed>({
    kind: "shake",
    with: "sealport",
    to,
    ms: beginMs,
    atLeast: 1,
    resume: false,
  });
  return (count * 1_000) / ms;
}
