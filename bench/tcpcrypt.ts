import { certificatesFromPem, identityFromPem } from "../src/adapters/pem.js";
import { parsePrefix } from "../src/bytes/index.js";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import type { Network, PacketPort, PacketSink, StreamPort, StreamSink } from "../src/contract/index.js";
import { nodeHost } from "../src/hosts/node/index.js";
import { createVerifier } from "../src/pki/index.js";
import { connect, listen, TcpcryptSessions } from "../src/protocols/tcpcrypt/index.js";
import { connect as connectTls, listen as listenTls, trust } from "../src/protocols/tls/index.js";
import { DeviceNetwork } from "../src/tunnels/index.js";
import { issue } from "./programs/credentials.js";
import { serverName, suite } from "./programs/implementation.js";

const rounds = 3;
const bulkBytes = 128 * 1024 * 1024;
const shakes = 300;
const inside = ["10.0.0.1", "10.0.0.2"] as const;
const host = nodeHost();
const only = { versions: ["1.3"], suites: [suite], groups: ["x25519"] } as const;

/** A way to secure a stream of our TCP, or not to. */
interface Way {
  serve(network: Network, accept: (port: StreamPort) => StreamSink): Promise<number>;
  dial(network: Network, port: number, sink: StreamSink): StreamPort;
}

/** Two stacks of ours in one process, with a wire of memory between them: TCP alone, TLS on it, tcpcrypt on it, in turns. */
export async function run(): Promise<readonly BenchRow[]> {
  const [a, b] = await wired();
  const sessions = [new TcpcryptSessions(host.crypto), new TcpcryptSessions(host.crypto)] as const;
  const ways = { TCP: plain, TLS: tls(), tcpcrypt: tcpcrypt(), resumed: tcpcrypt(sessions) };
  const bulk = { TCP: [] as number[], TLS: [] as number[], tcpcrypt: [] as number[] };
  const full = { TLS: [] as number[], tcpcrypt: [] as number[], resumed: [] as number[] };
  for (let i = 0; i < rounds; i++) {
    for (const name of ["TCP", "TLS", "tcpcrypt"] as const) bulk[name].push(await moved(ways[name], a, b));
    for (const name of ["TLS", "tcpcrypt", "resumed"] as const) full[name].push(await shaken(ways[name], a, b));
  }
  const title = "tcpcrypt on our TCP in one process";
  const [tcpRate, tlsRate, rate] = [bulk.TCP, bulk.TLS, bulk.tcpcrypt].map(median) as [number, number, number];
  const tlsName = "our TLS 1.3 on the same TCP";
  return [
    row(`${title}, one stream, AES-128-GCM`, "MB/s", rate, tlsRate, tlsName),
    row(`${title}, one stream, AES-128-GCM`, "MB/s", rate, tcpRate, "the same TCP in the clear"),
    row(
      `${title}, X25519, one after another`,
      "connections/s",
      median(full.tcpcrypt),
      median(full.TLS),
      `${tlsName}, P-256 certificate`,
    ),
    row(`${title}, resumed, one after another`, "connections/s", median(full.resumed), median(full.tcpcrypt), "fresh"),
  ];
}

const plain: Way = {
  serve: async (network, accept) => (await network.listenStreams({ address: inside[1], port: 0 }, accept)).local.port,
  dial: (network, port, sink) => network.connectStream({ address: inside[1], port }, sink),
};

function tcpcrypt(sessions?: readonly [TcpcryptSessions, TcpcryptSessions]): Way {
  const of = (end: 0 | 1) => (sessions === undefined ? {} : { sessions: sessions[end] });
  return {
    serve: async (network, accept) =>
      (await listen(host, { address: inside[1], port: 0 }, of(1), accept, { network })).local.port,
    dial: (network, port, sink) => connect(host, { address: inside[1], port }, of(0), sink, { network }),
  };
}

function tls(): Way {
  const { identity, trust: pem } = issue();
  const ours = identityFromPem({ ...identity, provider: host.crypto });
  const verify = trust(createVerifier({ provider: host.crypto, anchors: certificatesFromPem(pem) }));
  return {
    serve: async (network, accept) =>
      (await listenTls(host, { address: inside[1], port: 0 }, { ...only, identity: ours }, accept, { network })).local
        .port,
    dial: (network, port, sink) =>
      connectTls(host, { address: inside[1], port }, { ...only, serverName, verify }, sink, { network }),
  };
}

/** Megabytes a second of one stream, by the receiver's clock. */
async function moved(way: Way, a: Network, b: Network): Promise<number> {
  const chunk = new Uint8Array(65_536);
  let started = 0;
  const ms = new Promise<number>((resolve) => {
    void way
      .serve(b, (port) => ({
        bytes: () => {
          started ||= performance.now();
        },
        ended: () => {
          resolve(performance.now() - started);
          port.finish();
        },
        drained: () => {},
        closed: () => {},
      }))
      .then((at) => {
        let left = bulkBytes;
        const pump = (): void => {
          while (left > 0) {
            left -= chunk.length;
            if (!port.write(chunk)) return;
          }
          port.finish();
        };
        const port = way.dial(a, at, {
          opened: pump,
          bytes: () => {},
          ended: () => {},
          drained: pump,
          closed: () => {},
        });
      });
  });
  return bulkBytes / 1e3 / (await ms);
}

/** Connections a second: each is made, says a byte, hears it, and ends. */
async function shaken(way: Way, a: Network, b: Network): Promise<number> {
  const at = await way.serve(b, (port) => ({
    bytes: (bytes) => void port.write(bytes.slice()),
    ended: () => port.finish(),
    drained: () => {},
    closed: () => {},
  }));
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const port = way.dial(a, at, {
        opened: () => void port.write(Uint8Array.of(1)),
        bytes: () => port.finish(),
        ended: () => {},
        drained: () => {},
        closed: (failure) => (failure === undefined ? resolve() : reject(failure)),
      });
    });
  for (let i = 0; i < 20; i++) await one();
  const started = performance.now();
  for (let i = 0; i < shakes; i++) await one();
  return (1_000 * shakes) / (performance.now() - started);
}

/** Packets go from one end's memory to the other's, in order and without loss. */
async function wired(): Promise<readonly [Network, Network]> {
  const sinks: PacketSink[] = [];
  const waiting: readonly [Uint8Array[], Uint8Array[]] = [[], []];
  const device = (own: 0 | 1): PacketPort => {
    const other = own === 0 ? 1 : 0;
    return {
      name: `wire${own}`,
      mtu: 1_500,
      drops: {},
      pull(into, at) {
        const packet = waiting[own].shift();
        if (packet !== undefined) into.set(packet, at);
        return packet?.length ?? 0;
      },
      send(bytes, ranges, count) {
        for (let i = 0; i < count; i++) waiting[other].push(bytes.slice(ranges[2 * i], ranges[2 * i + 1]));
        setImmediate(() => sinks[other]!.readable());
      },
      close() {},
      ref() {},
      unref() {},
    };
  };
  const open = async (own: 0 | 1): Promise<Network> => {
    const opening = async (sink: PacketSink): Promise<PacketPort> => {
      sinks[own] = sink;
      return device(own);
    };
    const addresses = [parsePrefix(`${inside[own]}/24`)!];
    return (await DeviceNetwork.open(host, opening, { name: `end ${own}`, addresses })).network;
  };
  return [await open(0), await open(1)];
}
