import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import type { SessionStream, SessionStreamSink } from "../src/contract/index.js";
import { nodeHost } from "../src/hosts/node/index.js";
import { createVerifier } from "../src/pki/index.js";
import { connect, type GquicVersion, listen, trust } from "../src/protocols/gquic/index.js";
import { connect as connectQuic, listen as listenQuic } from "../src/protocols/quic/index.js";
import { newAuthority } from "../src/survey/stage/authority.js";

const rounds = 3;
const bytes = 64_000_000;
const host = nodeHost();
const authority = newAuthority(host);
const name = "bench.test";
const local = { address: "127.0.0.1", port: 0 };
const peer = "our IETF QUIC 1";

/** One stream over the loopback with both ends in one process: Google QUIC's versions beside our own QUIC. */
export async function run(): Promise<readonly BenchRow[]> {
  const versions: readonly GquicVersion[] = ["Q043", "Q046", "Q050"];
  const figures = new Map<GquicVersion | "quic", number[]>([...versions, "quic" as const].map((each) => [each, []]));
  // In turns, so that what else the machine does falls on all of them.
  for (let i = 0; i < rounds; i++) {
    for (const version of versions) figures.get(version)!.push(await gquic(version));
    figures.get("quic")!.push(await quic());
  }
  const theirs = median(figures.get("quic")!);
  return versions.map((version) =>
    row(`Google QUIC ${version}, one stream, one process`, "MB/s", median(figures.get(version)!), theirs, peer),
  );
}

async function gquic(version: GquicVersion): Promise<number> {
  const identity = await authority.identity(name);
  const verify = trust(createVerifier({ provider: host.crypto, anchors: [authority.certificate] }));
  const versions = [version];
  const taken = taking();
  const listener = await listen(host, local, { identity, versions }, () => ({ stream: taken.sink, closed() {} }));
  const client = connect(
    host,
    listener.local,
    { serverName: name, verify, versions },
    { stream: () => undefined, closed() {} },
  );
  await client.confirmed;
  pour((sink) => client.openStream(sink));
  const rate = await taken.rate;
  client.close();
  await listener.closeAll();
  return rate;
}

async function quic(): Promise<number> {
  const options = { alpn: ["bench"], suites: ["TLS_AES_128_GCM_SHA256"] } as const;
  const identity = await authority.identity(name);
  const taken = taking();
  const listener = await listenQuic(host, local, { identity, ...options }, () => ({ stream: taken.sink, closed() {} }));
  const whole = { serverName: name, verify: authority.verify, ...options };
  const client = connectQuic(host, listener.local, whole, { stream: () => undefined, closed() {} });
  await client.confirmed;
  pour((sink) => client.openStream(sink));
  const rate = await taken.rate;
  client.close();
  await listener.closeAll();
  return rate;
}

/** A stream's receiver, and at how many megabytes a second it had all. */
function taking(): { readonly sink: () => SessionStreamSink; readonly rate: Promise<number> } {
  let [got, first] = [0, 0];
  let done!: (rate: number) => void;
  const rate = new Promise<number>((resolve) => {
    done = resolve;
  });
  const sink = (): SessionStreamSink => ({
    bytes(part) {
      if (got === 0) first = performance.now();
      got += part.length;
    },
    ended: () => done(got / (performance.now() - first) / 1e3),
    drained() {},
    closed() {},
  });
  return { sink, rate };
}

function pour(open: (sink: SessionStreamSink) => SessionStream): void {
  const chunk = new Uint8Array(65_536);
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      const size = Math.min(left, chunk.length);
      left -= size;
      if (!stream.write(size === chunk.length ? chunk : chunk.subarray(0, size))) return;
    }
    stream.finish();
  };
  const stream = open({ bytes() {}, ended() {}, drained: more, closed() {} });
  more();
}
