import { type DatagramPath, nodeNetwork } from "../../src/hosts/node/index.js";

/** What this process is told by its parent, once. */
export interface DatagramOrder {
  readonly path: DatagramPath;
  /** Where to send; none to receive. */
  readonly to?: number;
  readonly ms: number;
  readonly size: number;
}

export interface DatagramAnswer {
  readonly port?: number;
  readonly packets?: number;
  readonly cpuMs?: number;
}

const batch = 44;
const answer = (what: DatagramAnswer): void => void process.send?.(what);

process.once("message", async ({ path, to, ms, size }: DatagramOrder) => {
  let packets = 0;
  let cpu = process.cpuUsage();
  const end = (): void => {
    const { user, system } = process.cpuUsage(cpu);
    answer({ packets, cpuMs: (user + system) / 1000 });
  };
  const port = await nodeNetwork("system", path).bindDatagrams(
    { address: "127.0.0.1", port: 0 },
    {
      datagrams: (bytes, _, segmentSize) => {
        if (packets === 0) {
          cpu = process.cpuUsage();
          setTimeout(end, ms);
        }
        packets += Math.ceil(bytes.length / segmentSize);
      },
      closed: () => {},
    },
  );
  answer({ port: port.local.port });
  if (to === undefined) return;
  const bytes = new Uint8Array(batch * size).fill(1);
  const remote = { address: "127.0.0.1", port: to };
  const until = performance.now() + ms + 300;
  const send = (): void => {
    for (let i = 0; i < 8 && !port.blocked; i++) {
      port.send(bytes, remote, size);
      packets += batch;
    }
    if (performance.now() < until) setImmediate(send);
    else end();
  };
  send();
});
