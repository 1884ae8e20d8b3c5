import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { listening } from "../test/interop/peers/namespaces.js";
import { openvpn } from "../test/interop/peers/openvpn.js";
import { type ClientKind, OpenVpnEnds } from "./programs/openvpn-ends.js";
import type { StackEndAnswer } from "./programs/stack-end.js";
import { type Flow, iperf, pingMs } from "./programs/tunnel-ends.js";

const seconds = 3;
const rounds = 3;
const ciphers = ["AES-256-GCM", "CHACHA20-POLY1305"] as const;

interface Measured {
  /** From the client to the server, and back. */
  readonly up: Flow;
  readonly down: Flow;
  readonly pingMs: number;
}

/**
 * OpenVPN by UDP between two namespaces on one wire, on the same cores. The server is always openvpn's; the client is
 * openvpn's, a device of ours, or our stack without root.
 */
export async function run(): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  const name = `openvpn ${version()} at both ends`;
  for (const cipher of ciphers) {
    const [ours, theirs, rootless]: [Measured[], Measured[], StackEndAnswer[]] = [[], [], []];
    // In turns, so that what else the machine does falls on all of them.
    for (let i = 0; i < rounds; i++) {
      theirs.push(await device("openvpn", cipher));
      ours.push(await device("ours", cipher));
      rootless.push(await withoutRoot(cipher));
    }
    const both = (what: string, unit: string, figure: (of: Measured) => number) =>
      row(`OpenVPN ${cipher}, ${what}`, unit, median(ours.map(figure)), median(theirs.map(figure)), name);
    const stack = (what: string, unit: string, own: (of: StackEndAnswer) => number, their: (of: Measured) => number) =>
      row(`OpenVPN ${cipher}, ${what}`, unit, median(rootless.map(own)), median(theirs.map(their)), name);
    rows.push(
      both("TCP from a device of ours", "Mbit/s", ({ up }) => up.mbits),
      both("… CPU of the sender", "s/GB", ({ up }) => up.senderCpuPerGb),
      both("TCP to a device of ours", "Mbit/s", ({ down }) => down.mbits),
      both("… CPU of the receiver", "s/GB", ({ down }) => down.receiverCpuPerGb),
      both("… echo, median", "ms", (each) => each.pingMs),
      stack(
        "without root, sending",
        "Mbit/s",
        ({ up }) => up.mbits,
        ({ up }) => up.mbits,
      ),
      stack(
        "… CPU of our end",
        "s/GB",
        ({ up }) => up.cpuPerGb,
        ({ up }) => up.senderCpuPerGb,
      ),
      stack(
        "without root, receiving",
        "Mbit/s",
        ({ down }) => down.mbits,
        ({ down }) => down.mbits,
      ),
      stack(
        "… CPU of our end, receiving",
        "s/GB",
        ({ down }) => down.cpuPerGb,
        ({ down }) => down.receiverCpuPerGb,
      ),
    );
  }
  return rows;
}

const options = (cipher: string): readonly string[] => [`data-ciphers ${cipher}`];

async function device(kind: ClientKind, cipher: string): Promise<Measured> {
  await using ends = await OpenVpnEnds.start(kind, options(cipher));
  const { a, b } = ends;
  const turned = { a: b, b: a, run: ends.run.bind(ends) };
  const up = await iperf(turned, seconds);
  const down = await iperf(ends, seconds);
  return { up, down, pingMs: await pingMs(turned) };
}

/** Our stack and our OpenVPN in one Node process, to openvpn's device and the kernel's TCP behind it. */
async function withoutRoot(cipher: string): Promise<StackEndAnswer> {
  await using ends = await OpenVpnEnds.start("file", options(cipher));
  const { a, b } = ends;
  ends.run(a, "socat", "-u", "-b", "262144", "TCP-LISTEN:7001,reuseaddr", "/dev/null");
  ends.run(a, "socat", "-u", "-b", "262144", "OPEN:/dev/zero", "TCP-LISTEN:7002,reuseaddr");
  await Promise.all([7001, 7002].map((port) => listening(a.namespace, port)));
  const program = fileURLToPath(new URL("./programs/stack-end.js", import.meta.url));
  const end = ends.run(b, process.execPath, program, readFileSync(b.file, "utf8"), String(seconds * 1_000), a.address);
  const status = await end.ends();
  if (status !== "exited with 0") throw new Error(`stack-end ${status}: ${end.said}`);
  return JSON.parse(end.said);
}

/** `--version` ends with 1. */
function version(): string {
  try {
    return openvpn("--version").split(" ")[1]!;
  } catch (error) {
    return (error as { readonly stdout: string }).stdout.split(" ")[1] ?? "of unknown version";
  }
}
