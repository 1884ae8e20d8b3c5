import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toBase64 } from "../src/bytes/index.js";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { Secret } from "../src/contract/index.js";
import { portableCrypto } from "../src/hosts/node/crypto-portable/index.js";
import { nodeHost } from "../src/hosts/node/index.js";
import { WireGuard } from "../src/protocols/wireguard/index.js";
import { WireGuardGo } from "../test/interop/peers/wireguard-go.js";
import type { WireGuardEndAnswer } from "./programs/wireguard-end.js";
import { handshakesPerSecond, packetsPerSecond, peerBytes } from "./programs/wireguard-machine.js";

const seconds = 2;
const rounds = 3;
const peers = 1_000;
const host = nodeHost();

/**
 * One TCP stream through WireGuard on this machine: our stack and our WireGuard in one Node process without root, to
 * wireguard-go and the kernel's TCP in a namespace; beside it wireguard-go and the kernel's TCP on both ends.
 */
export async function run(): Promise<readonly BenchRow[]> {
  const [theirs, all]: [Theirs[], WireGuardEndAnswer[]] = [[], []];
  // In turns, so that what else the machine does falls on both.
  for (let i = 0; i < rounds; i++) {
    theirs.push(await betweenThem());
    all.push(await betweenUs());
  }
  const them = (figure: (of: Theirs) => number): number => median(theirs.map(figure));
  const us = (figure: (of: WireGuardEndAnswer) => number): number => median(all.map(figure));
  const { crypto } = host;
  const name = `wireguard-go ${version()} with the kernel's TCP`;
  return [
    row(
      "WireGuard, one TCP stream, sending",
      "Mbit/s",
      us(({ up }) => up.mbits),
      them(({ mbits }) => mbits),
      name,
    ),
    row(
      "WireGuard, one TCP stream, receiving",
      "Mbit/s",
      us(({ down }) => down.mbits),
      them(({ mbits }) => mbits),
      name,
    ),
    row(
      "WireGuard, one TCP stream, CPU of the sender",
      "s/GB",
      us(({ up }) => up.cpuPerGb),
      them((each) => each.senderCpuPerGb),
      name,
    ),
    row(
      "WireGuard, one TCP stream, CPU of the receiver",
      "s/GB",
      us(({ down }) => down.cpuPerGb),
      them((each) => each.receiverCpuPerGb),
      name,
    ),
    row(
      "WireGuard, echo through the tunnel",
      "ms",
      us(({ pingMs }) => pingMs),
      them(({ pingMs }) => pingMs),
      name,
    ),
    row("WireGuard, a configured peer", "bytes", peerBytes(crypto, peers), await theirPeerBytes(), name),
    row(
      "WireGuard machines, 1420-byte packets sealed and opened",
      "packets/s",
      packetsPerSecond(crypto),
      packetsPerSecond(portableCrypto),
      "the same with the portable provider",
    ),
    row(
      "WireGuard machines, handshakes, both ends on one core",
      "handshakes/s",
      handshakesPerSecond(crypto),
      handshakesPerSecond(portableCrypto),
      "the same with the portable provider",
    ),
  ];
}

interface Theirs {
  readonly mbits: number;
  /** CPU of wireguard-go and of iperf3: what the kernel does in interrupts is in neither, with us as with them. */
  readonly senderCpuPerGb: number;
  readonly receiverCpuPerGb: number;
  readonly pingMs: number;
}

async function betweenThem(): Promise<Theirs> {
  await using a = await WireGuardGo.start({ peerPublicKey: toBase64(host.entropy.fill(new Uint8Array(32))) });
  await using b = await WireGuardGo.start({ peerPublicKey: a.publicKey, endpoint: `127.0.0.1:${a.port}` });
  execFileSync("ip", ["-n", b.namespace, "addr", "flush", "dev", b.device]);
  execFileSync("ip", ["-n", b.namespace, "addr", "add", "10.99.0.2/24", "dev", b.device]);
  a.set("peer", b.publicKey, "allowed-ips", "10.99.0.2/32");
  b.set("peer", a.publicKey, "allowed-ips", "10.99.0.1/32");
  const server = a.inside("iperf3", "iperf3", "-s", "-1", "-B", "10.99.0.1", "-J");
  const ping = b.inside("ping", "ping", "-q", "-c", "20", "-i", "0.02", "10.99.0.1");
  await ping.ends();
  const before = [cpuOf(b.pid), cpuOf(a.pid)] as const;
  const client = b.inside("iperf3", "iperf3", "-c", "10.99.0.1", "-t", String(seconds), "-J");
  await client.ends();
  const [sender, receiver] = [cpuOf(b.pid) - before[0], cpuOf(a.pid) - before[1]];
  await server.ends();
  const { end } = JSON.parse(client.said) as {
    end: {
      sum_received: { bits_per_second: number; bytes: number };
      cpu_utilization_percent: { host_total: number; remote_total: number };
    };
  };
  const gigabytes = end.sum_received.bytes / 1e9;
  const iperf = (percent: number): number => (percent / 100) * seconds;
  return {
    mbits: end.sum_received.bits_per_second / 1e6,
    senderCpuPerGb: (sender + iperf(end.cpu_utilization_percent.host_total)) / gigabytes,
    receiverCpuPerGb: (receiver + iperf(end.cpu_utilization_percent.remote_total)) / gigabytes,
    pingMs: Number(ping.said.match(/= [\d.]+\/([\d.]+)/)?.[1]),
  };
}

async function betweenUs(): Promise<WireGuardEndAnswer> {
  const { crypto, entropy } = host;
  const key = entropy.fill(new Uint8Array(32));
  const { publicKey } = new WireGuard({ crypto, entropy, privateKey: Secret.copy(key) }, host.now());
  await using peer = await WireGuardGo.start({ peerPublicKey: toBase64(publicKey) });
  const sink = peer.inside("sink", "socat", "-u", "-b", "262144", "TCP-LISTEN:7001,reuseaddr", "/dev/null");
  const source = peer.inside("source", "socat", "-u", "-b", "262144", "OPEN:/dev/zero", "TCP-LISTEN:7002,reuseaddr");
  const file = `[Interface]
    PrivateKey = ${toBase64(key)}
    Address = 10.99.0.2/24
    [Peer]
    PublicKey = ${peer.publicKey}
    AllowedIPs = 10.99.0.0/24
    Endpoint = 127.0.0.1:${peer.port}`;
  const program = fileURLToPath(new URL("./programs/wireguard-end.js", import.meta.url));
  const child = spawn(process.execPath, [program, file, String(seconds * 1000)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (text: Buffer) => (said += text));
  const [code] = (await once(child, "close")) as [number];
  sink.kill();
  source.kill();
  if (code !== 0) throw new Error(`the end of ours ended with ${code}`);
  return JSON.parse(said) as WireGuardEndAnswer;
}

/** What wireguard-go's process grows by for each peer that it is told of. */
async function theirPeerBytes(): Promise<number> {
  const newKey = (): string => toBase64(host.entropy.fill(new Uint8Array(32)));
  await using peer = await WireGuardGo.start({ peerPublicKey: newKey() });
  const resident = (): number =>
    1024 * Number(readFileSync(`/proc/${peer.pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)?.[1]);
  const before = resident();
  for (let i = 0; i < peers; i += 20) {
    // It logs every one: we must read, or it waits for us while we wait for it.
    await new Promise((resolve) => setTimeout(resolve, 5));
    const some = Array.from({ length: 20 }, (_, j) => [
      "peer",
      newKey(),
      "allowed-ips",
      `10.100.${(i + j) >> 8}.${(i + j) & 255}/32`,
    ]);
    peer.set(...some.flat());
  }
  return (resident() - before) / peers;
}

/** Seconds of CPU that a process has used: utime and stime of proc(5), in hundredths. */
function cpuOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function version(): string {
  const said = execFileSync("wireguard-go", ["--version"], { encoding: "utf8" });
  return said.match(/v?(\d[\w.]*)/)?.[1] ?? "of unknown version";
}
