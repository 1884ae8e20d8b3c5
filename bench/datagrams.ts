import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type BenchRow, row } from "../src/cli/bench-row.js";
import type { DatagramPath } from "../src/hosts/node/index.js";
import type { DatagramAnswer, DatagramOrder } from "./programs/datagram-end.js";

const ms = 1_500;
const peerName = `node:dgram (Node ${process.versions.node})`;

/** UDP between two processes over loopback: the native path beside the portable one, counted where it arrives. */
export async function run(): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const size of [1_350, 64]) {
    const ours = await measure("native", size);
    const peer = await measure("portable", size);
    const what = `UDP over loopback, ${size} bytes`;
    rows.push(
      row(`${what}, received`, "packets/s", ours.rate, peer.rate, peerName),
      row(`${what}, received`, "Gbit/s", (ours.rate * size * 8) / 1e9, (peer.rate * size * 8) / 1e9, peerName),
      row(`${what}, CPU of both ends`, "µs a packet", ours.cpuUs, peer.cpuUs, peerName),
    );
  }
  return rows;
}

async function measure(path: DatagramPath, size: number): Promise<{ rate: number; cpuUs: number }> {
  const [receiver, sender] = [start(), start()];
  try {
    const { port } = await order(receiver, { path, ms, size });
    const received = message(receiver);
    await order(sender, { path, ms, size, to: port! });
    const sent = message(sender);
    const [got, gone] = await Promise.all([received, sent]);
    return {
      rate: (got.packets! * 1000) / ms,
      cpuUs: (1000 * got.cpuMs!) / got.packets! + (1000 * gone.cpuMs!) / gone.packets!,
    };
  } finally {
    receiver.kill();
    sender.kill();
  }
}

const start = (): ChildProcess => fork(fileURLToPath(new URL("./programs/datagram-end.js", import.meta.url)));

async function message(child: ChildProcess): Promise<DatagramAnswer> {
  const [answer] = await once(child, "message");
  return answer as DatagramAnswer;
}

function order(child: ChildProcess, what: DatagramOrder): Promise<DatagramAnswer> {
  const answer = message(child);
  child.send(what);
  return answer;
}
