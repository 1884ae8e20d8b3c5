import { nodeHost } from "../../src/hosts/node/index.js";
import { openWireGuard } from "../../src/tunnels/index.js";
import { openOpenVpn } from "../../src/tunnels/openvpn.js";

/** Megabits a second, and CPU seconds of this process for each gigabyte. */
export interface Flow {
  readonly mbits: number;
  readonly cpuPerGb: number;
}

export interface StackEndAnswer {
  readonly up: Flow;
  readonly down: Flow;
  readonly pingMs: number;
}

/**
 * One end in a process of its own: brings up the tunnel of the wg-quick or .ovpn file in its first argument, and for as many
 * milliseconds as the second says sends to port 7001 of the third, then as long receives from its port 7002, through our stack.
 */
const [file = "", durationMs = "1000", address = "10.99.0.1"] = process.argv.slice(2);
const host = nodeHost();
const tunnel = await (file.includes("[Interface]") ? openWireGuard : openOpenVpn)(host, file);
const pings: number[] = [];
for (let i = 0; i < 20; i++) pings.push(await tunnel.ping(address, { timeoutMs: 5_000 }));
const up = await flow(7001, new Uint8Array(256 * 1024).fill(7));
const down = await flow(7002, undefined);
const answer: StackEndAnswer = { up, down, pingMs: pings.sort((a, b) => a - b)[10]! };
process.stdout.write(`${JSON.stringify(answer)}\n`);
tunnel.close();

function flow(port: number, chunk: Uint8Array | undefined): Promise<Flow> {
  let bytes = 0;
  let start = 0;
  let cpu = process.cpuUsage();
  return new Promise((resolve, reject) => {
    const send = (): void => {
      if (chunk === undefined) return;
      while (stream.write(chunk)) bytes += chunk.length;
      bytes += chunk.length;
    };
    const stream = tunnel.network.connectStream(
      { address, port },
      {
        opened: () => {
          start = performance.now();
          cpu = process.cpuUsage();
          send();
          setTimeout(() => {
            const seconds = (performance.now() - start) / 1000;
            const { user, system } = process.cpuUsage(cpu);
            bytes -= stream.queued;
            stream.abort();
            resolve({ mbits: (bytes * 8) / 1e6 / seconds, cpuPerGb: (user + system) / 1e6 / (bytes / 1e9) });
          }, Number(durationMs));
        },
        bytes: (got) => {
          bytes += got.length;
        },
        ended: () => {},
        drained: send,
        closed: (failure) => failure && reject(failure),
      },
    );
  });
}
