import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toBase64 } from "../src/bytes/index.js";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { portableCrypto } from "../src/hosts/node/crypto-portable/index.js";
import { nodeHost } from "../src/hosts/node/index.js";
import { listening } from "../test/interop/peers/namespaces.js";
import { WireGuardGo } from "../test/interop/peers/wireguard-go.js";
import type { FirstByteAnswer } from "./programs/first-byte.js";
import { oursAnswered, theirsAnswered } from "./programs/handshakes.js";
import type { StackEndAnswer } from "./programs/stack-end.js";
import { type EndKind, type Flow, iperf, pingMs, TunnelEnds } from "./programs/tunnel-ends.js";
import { handshakesPerSecond, packetsPerSecond, peerBytes } from "./programs/wireguard-machine.js";

const seconds = 3;
const rounds = 3;
const peers = 1_000;
const host = nodeHost();

interface Pair {
  readonly flow: Flow;
  readonly small: Flow;
  readonly pingMs: number;
}

/**
 * WireGuard between two namespaces on one wire, on the same cores: the kernels' TCP over devices of ours, over
 * wireguard-go's, over one of each; and our stack without root at one end.
 */
export async function run(): Promise<readonly BenchRow[]> {
  const [ours, theirs]: [Pair[], Pair[]] = [[], []];
  const [toThem, fromThem]: [number[], number[]] = [[], []];
  const [rootless, rootlessToOurs]: [StackEndAnswer[], StackEndAnswer[]] = [[], []];
  const [firstBytes, theirFirstBytes]: [FirstByteAnswer[], number[]] = [[], []];
  // In turns, so that what else the machine does falls on all of them.
  for (let i = 0; i < rounds; i++) {
    theirs.push(await between("wireguard-go", "wireguard-go"));
    ours.push(await between("ours", "ours"));
    toThem.push((await between("ours", "wireguard-go")).flow.mbits);
    fromThem.push((await between("wireguard-go", "ours")).flow.mbits);
    rootless.push(await withoutRoot("wireguard-go"));
    rootlessToOurs.push(await withoutRoot("ours"));
    firstBytes.push(await firstByte());
    theirFirstBytes.push(await theirFirstByte());
  }
  const us = (figure: (of: Pair) => number): number => median(ours.map(figure));
  const them = (figure: (of: Pair) => number): number => median(theirs.map(figure));
  const end = (of: readonly StackEndAnswer[], figure: (of: StackEndAnswer) => number) => median(of.map(figure));
  const { crypto } = host;
  const name = `wireguard-go ${version()} at both ends`;
  const theirRate = them(({ flow }) => flow.mbits);
  return [
    row(
      "WireGuard, TCP between devices of ours",
      "Mbit/s",
      us(({ flow }) => flow.mbits),
      theirRate,
      name,
    ),
    row(
      "… CPU of the sender",
      "s/GB",
      us(({ flow }) => flow.senderCpuPerGb),
      them(({ flow }) => flow.senderCpuPerGb),
      name,
    ),
    row(
      "… CPU of the receiver",
      "s/GB",
      us(({ flow }) => flow.receiverCpuPerGb),
      them(({ flow }) => flow.receiverCpuPerGb),
      name,
    ),
    row(
      "… UDP of 64 bytes, arrived",
      "packets/s",
      us(({ small }) => small.packets),
      them(({ small }) => small.packets),
      name,
    ),
    row(
      "… echo, median",
      "ms",
      us((each) => each.pingMs),
      them((each) => each.pingMs),
      name,
    ),
    row("WireGuard, TCP from a device of ours to wireguard-go", "Mbit/s", median(toThem), theirRate, name),
    row("WireGuard, TCP from wireguard-go to a device of ours", "Mbit/s", median(fromThem), theirRate, name),
    row(
      "WireGuard without root, to wireguard-go, sending",
      "Mbit/s",
      end(rootless, ({ up }) => up.mbits),
      theirRate,
      name,
    ),
    row(
      "WireGuard without root, to wireguard-go, receiving",
      "Mbit/s",
      end(rootless, ({ down }) => down.mbits),
      theirRate,
      name,
    ),
    row(
      "… CPU of our end, sending",
      "s/GB",
      end(rootless, ({ up }) => up.cpuPerGb),
      them(({ flow }) => flow.senderCpuPerGb),
      name,
    ),
    row(
      "… CPU of our end, receiving",
      "s/GB",
      end(rootless, ({ down }) => down.cpuPerGb),
      them(({ flow }) => flow.receiverCpuPerGb),
      name,
    ),
    row(
      "… echo, median",
      "ms",
      end(rootless, (each) => each.pingMs),
      them((each) => each.pingMs),
      name,
    ),
    row(
      "WireGuard without root, to a device of ours, sending",
      "Mbit/s",
      end(rootlessToOurs, ({ up }) => up.mbits),
      theirRate,
      name,
    ),
    row(
      "WireGuard without root, to a device of ours, receiving",
      "Mbit/s",
      end(rootlessToOurs, ({ down }) => down.mbits),
      theirRate,
      name,
    ),
    row(
      "WireGuard, first byte without a session, a cold process from when it asks",
      "ms",
      median(firstBytes.map(({ firstByteMs }) => firstByteMs)),
      median(theirFirstBytes),
      "wireguard-go that runs",
    ),
    row(
      "… and from when the process was made",
      "ms",
      median(firstBytes.map(({ loadedMs, firstByteMs }) => loadedMs + firstByteMs)),
      median(theirFirstBytes),
      "wireguard-go that runs",
    ),
    row("WireGuard, a configured peer", "bytes", peerBytes(crypto, peers), await theirPeerBytes(), "wireguard-go"),
    row(
      "WireGuard, handshakes answered",
      "a second of CPU",
      oursAnswered(),
      await theirsAnswered(),
      "wireguard-go with its sockets",
    ),
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

async function between(a: EndKind, b: EndKind): Promise<Pair> {
  await using ends = await TunnelEnds.start(a, b);
  // First what warms both ends up.
  const flow = await iperf(ends, seconds);
  const ping = await pingMs(ends);
  const small = await iperf(ends, 1, "-u", "-b", "0", "-l", "64");
  return { flow, small, pingMs: ping };
}

/** Our stack and our WireGuard in one Node process, to a device of whoever it is and the kernel's TCP behind that. */
async function withoutRoot(peer: EndKind): Promise<StackEndAnswer> {
  await using ends = await TunnelEnds.start(peer, "file");
  ends.run(ends.a, "socat", "-u", "-b", "262144", "TCP-LISTEN:7001,reuseaddr", "/dev/null");
  ends.run(ends.a, "socat", "-u", "-b", "262144", "OPEN:/dev/zero", "TCP-LISTEN:7002,reuseaddr");
  await Promise.all([7001, 7002].map((port) => listening(ends.a.namespace, port)));
  return JSON.parse(await output(ends, "stack-end", readFileSync(ends.b.file, "utf8"), String(seconds * 1000)));
}

async function firstByte(): Promise<FirstByteAnswer> {
  await using ends = await TunnelEnds.start("wireguard-go", "file");
  ends.run(ends.a, "socat", "TCP-LISTEN:7003,reuseaddr", "OPEN:/etc/hostname");
  await listening(ends.a.namespace, 7003);
  return JSON.parse(await output(ends, "first-byte", ends.b.file, ends.a.address, "7003"));
}

/** The kernel's TCP through a wireguard-go that runs and has no session yet: what a tunnel's first byte costs anyway. */
async function theirFirstByte(): Promise<number> {
  await using ends = await TunnelEnds.start("wireguard-go", "wireguard-go");
  ends.run(ends.a, "socat", "TCP-LISTEN:7003,reuseaddr", "OPEN:/etc/hostname");
  await listening(ends.a.namespace, 7003);
  const program = `const start = performance.now();
    require("net").connect(7003, "${ends.a.address}").once("data", () => { console.log(performance.now() - start); process.exit(); })`;
  const node = ends.run(ends.b, process.execPath, "-e", program);
  await node.ends();
  return Number(node.said);
}

/** What a program of this folder says, run at the end that is only a file. */
async function output(ends: TunnelEnds, name: string, ...args: readonly string[]): Promise<string> {
  const program = ends.run(
    ends.b,
    process.execPath,
    fileURLToPath(new URL(`./programs/${name}.js`, import.meta.url)),
    ...args,
  );
  const status = await program.ends();
  if (status !== "exited with 0") throw new Error(`${name} ${status}: ${program.said}`);
  return program.said;
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

function version(): string {
  const said = execFileSync("wireguard-go", ["--version"], { encoding: "utf8" });
  return said.match(/v?(\d[\w.]*)/)?.[1] ?? "of unknown version";
}
