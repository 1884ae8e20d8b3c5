import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { toBase64 } from "../../src/bytes/index.js";
import { median } from "../../src/cli/bench-row.js";
import { Secret } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { WireGuard } from "../../src/protocols/wireguard/index.js";
import { listening, Namespaces } from "../../test/interop/peers/namespaces.js";
import type { Program } from "../../test/interop/peers/program.js";
import { WireGuardGo } from "../../test/interop/peers/wireguard-go.js";

/** What runs an end of the tunnel: a device of ours, one of wireguard-go's, or nothing yet (the file is for a program). */
export type EndKind = "ours" | "wireguard-go" | "file";

export interface TunnelEnd {
  readonly namespace: string;
  /** Its address inside. */
  readonly address: string;
  /** Its configuration file, if it is ours. */
  readonly file: string;
  readonly pid: number | undefined;
}

const host = nodeHost();
const newKey = (): Uint8Array => host.entropy.fill(new Uint8Array(32));
const sealport = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));

/** Two ends of one tunnel, of whichever protocol, that are up. */
export interface Ends {
  readonly a: TunnelEnd;
  readonly b: TunnelEnd;
  /** A program in an end's namespace, which ends with this. */
  run(end: TunnelEnd, command: string, ...args: readonly string[]): Program;
}

/** Two ends of one WireGuard tunnel in two namespaces with a wire between, whoever runs them. */
export class TunnelEnds implements Ends, AsyncDisposable {
  readonly wires = new Namespaces();
  readonly #running: AsyncDisposable[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "sealport-bench-"));
  readonly a: TunnelEnd;
  readonly b: TunnelEnd;

  static async start(a: EndKind, b: EndKind): Promise<TunnelEnds> {
    const ends = new TunnelEnds();
    try {
      await ends.#start([a, b]);
    } catch (error) {
      await ends[Symbol.asyncDispose]();
      throw error;
    }
    return ends;
  }

  private constructor() {
    const end = (number: 1 | 2): TunnelEnd => ({
      namespace: number === 1 ? this.wires.a : this.wires.b,
      address: `10.99.0.${number}`,
      file: join(this.#folder, `${number}.conf`),
      pid: undefined,
    });
    this.a = end(1);
    this.b = end(2);
  }

  async #start(kinds: readonly [EndKind, EndKind]): Promise<void> {
    const both = [this.a, this.b] as const;
    const keys = [newKey(), newKey()] as const;
    const theirs = await Promise.all(
      kinds.map((kind, i) =>
        kind === "wireguard-go"
          ? WireGuardGo.start({
              within: both[i]!.namespace,
              host: i === 0 ? 1 : 2,
              listenPort: 51820,
              peerPublicKey: toBase64(newKey()),
            })
          : undefined,
      ),
    );
    const publicKeys = theirs.map((peer, i) => peer?.publicKey ?? publicKeyOf(keys[i]!));
    const peerOf = (i: number) => ({
      key: publicKeys[1 - i]!,
      endpoint: `10.77.0.${2 - i}:51820`,
      allowed: `10.99.0.${2 - i}/32`,
    });
    // Ours speak as soon as they are there: by then the others must know them, or it takes five seconds more.
    for (const [i, peer] of theirs.entries()) {
      if (peer === undefined) continue;
      const { key, endpoint, allowed } = peerOf(i);
      this.#running.push(peer);
      peer.set("peer", key, "allowed-ips", `${allowed},fd99::${2 - i}/128`, "endpoint", endpoint);
      Object.assign(both[i]!, { pid: peer.pid });
    }
    for (const [i, end] of both.entries()) {
      if (theirs[i] !== undefined) continue;
      const { key, endpoint, allowed } = peerOf(i);
      const file = `[Interface]
        PrivateKey = ${toBase64(keys[i]!)}
        Address = ${end.address}/24
        ListenPort = 51820
        [Peer]
        PublicKey = ${key}
        AllowedIPs = ${allowed}
        Endpoint = ${endpoint}\n`;
      writeFileSync(end.file, file, { mode: 0o600 });
      if (kinds[i] === "file") continue;
      const program = this.run(end, process.execPath, sealport, "tunnel", end.file, "--tun", "tun0");
      await program.says(/tun0 is open/);
      Object.assign(end, { pid: program.pid });
    }
  }

  /** A program in an end's namespace, which ends with this. */
  run(end: TunnelEnd, command: string, ...args: readonly string[]): Program {
    const program = this.wires.run(end.namespace, command, command, ...args);
    this.#running.push(program);
    return program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#running.reverse()) await each[Symbol.asyncDispose]();
    this.wires[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true });
  }
}

export interface Flow {
  readonly mbits: number;
  /** CPU of the tunnel's process and of iperf3: what the kernel does in interrupts is in neither. */
  readonly senderCpuPerGb: number;
  readonly receiverCpuPerGb: number;
  /** Of UDP: datagrams that arrived in a second. */
  readonly packets: number;
}

/** iperf3 from `a` to `b`. */
export async function iperf(ends: Ends, seconds: number, ...options: readonly string[]): Promise<Flow> {
  const { a, b } = ends;
  const server = ends.run(b, "iperf3", "-s", "-1", "-B", b.address, "-J");
  await listening(b.namespace, 5201);
  const before = [cpuOf(a.pid), cpuOf(b.pid)] as const;
  const client = ends.run(a, "iperf3", "-c", b.address, "-t", String(seconds), "-J", ...options);
  await client.ends();
  const [sender, receiver] = [cpuOf(a.pid) - before[0], cpuOf(b.pid) - before[1]];
  await server.ends();
  const { end } = JSON.parse(client.said) as {
    end: {
      sum?: { packets?: number; lost_packets?: number; seconds: number };
      sum_received: { bits_per_second: number; bytes: number };
      cpu_utilization_percent: { host_total: number; remote_total: number };
    };
  };
  const gigabytes = end.sum_received.bytes / 1e9;
  const percent = (value: number): number => (value / 100) * seconds;
  const { packets = 0, lost_packets: lost = 0 } = end.sum ?? {};
  return {
    mbits: end.sum_received.bits_per_second / 1e6,
    senderCpuPerGb: (sender + percent(end.cpu_utilization_percent.host_total)) / gigabytes,
    receiverCpuPerGb: (receiver + percent(end.cpu_utilization_percent.remote_total)) / gigabytes,
    packets: (packets - lost) / seconds,
  };
}

/** Median round trip from `a` to `b`, after as many to warm up. */
export async function pingMs(ends: Ends): Promise<number> {
  let said = "";
  for (let i = 0; i < 2; i++) {
    const ping = ends.run(ends.a, "ping", "-c", "100", "-i", "0.01", ends.b.address);
    await ping.ends();
    said = ping.said;
  }
  return median([...said.matchAll(/time=([\d.]+)/g)].map(([, ms]) => Number(ms)));
}

/** Seconds of CPU that a process has used: utime and stime of proc(5), in hundredths. */
export function cpuOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function publicKeyOf(key: Uint8Array): string {
  const { crypto, entropy } = host;
  return toBase64(new WireGuard({ crypto, entropy, privateKey: Secret.copy(key) }, host.now()).publicKey);
}
