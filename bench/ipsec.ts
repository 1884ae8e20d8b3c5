import { execFileSync } from "node:child_process";
import { type BenchRow, median, row } from "../src/cli/bench-row.js";
import { charon } from "../test/interop/peers/strongswan.js";
import { IpsecEnds } from "./programs/ipsec-ends.js";
import { type Flow, iperf, pingMs } from "./programs/tunnel-ends.js";

const seconds = 3;
const rounds = 3;
const proposals = { "AES-128-GCM": "aes128gcm16-x25519", "ChaCha20-Poly1305": "chacha20poly1305-x25519" } as const;

interface Measured {
  /** From the client to the gateway, and back. The first end of either is the client. */
  readonly up: Flow;
  readonly down: Flow;
  readonly pingMs: number;
}

/**
 * ESP in UDP between two namespaces on one wire, on the same cores. The gateway is always strongSwan's charon with its ESP in user
 * space (kernel-libipsec); the client is such a one, or a device of ours.
 */
export async function run(): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  const name = `strongSwan ${version()} kernel-libipsec`;
  for (const [cipher, esp] of Object.entries(proposals)) {
    const [ours, theirs]: [Measured[], Measured[]] = [[], []];
    // In turns, so that what else the machine does falls on both.
    for (let i = 0; i < rounds; i++) {
      theirs.push(await device("strongSwan", esp));
      ours.push(await device("ours", esp));
    }
    const both = (what: string, unit: string, figure: (of: Measured) => number) =>
      row(`IPsec ${cipher}, ${what}`, unit, median(ours.map(figure)), median(theirs.map(figure)), name);
    rows.push(
      both("TCP from a device of ours", "Mbit/s", ({ up }) => up.mbits),
      both("… CPU of the client", "s/GB", ({ up }) => up.senderCpuPerGb),
      both("TCP to a device of ours", "Mbit/s", ({ down }) => down.mbits),
      both("… CPU of the client, receiving", "s/GB", ({ down }) => down.senderCpuPerGb),
      both("… echo, median", "ms", (each) => each.pingMs),
    );
  }
  return rows;
}

async function device(kind: "ours" | "strongSwan", esp: string): Promise<Measured> {
  await using ends = await IpsecEnds.start(kind, esp);
  const up = await iperf(ends, seconds);
  // Turned round by iperf3 itself: it is the client whose cost is asked for.
  const down = await iperf(ends, seconds, "-R");
  return { up, down, pingMs: await pingMs(ends) };
}

function version(): string {
  const said = execFileSync(charon, ["--version"], { encoding: "utf8" });
  return /\d+\.\d+\.\d+/.exec(said)?.[0] ?? "of unknown version";
}
