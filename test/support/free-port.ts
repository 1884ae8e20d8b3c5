import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Below those that the kernel gives to outgoing connections, so that none of them takes it before a program has bound it. */
const [first, last] = [10_000, 20_000];
const triesMax = 100;

/** A port that is free for TCP and for UDP, for programs that cannot be told to choose one. */
export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (let tries = 0; tries < triesMax; tries++) {
    const port = randomInt(first, last);
    if ((await isFreeForTcp(port, host)) && (await isFreeForUdp(port, host))) return port;
  }
  throw new Error(`none of ${triesMax} ports of ${host} was free`);
}

async function isFreeForTcp(port: number, host: string): Promise<boolean> {
  const server = createServer();
  const isBound = await new Promise<boolean>((answer) => {
    server.once("error", () => answer(false)).listen(port, host, () => answer(true));
  });
  if (isBound) await new Promise((done) => server.close(done));
  return isBound;
}

async function isFreeForUdp(port: number, host: string): Promise<boolean> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  const isBound = await new Promise<boolean>((answer) => {
    socket.once("error", () => answer(false)).bind(port, host, () => answer(true));
  });
  await new Promise<void>((done) => socket.close(() => done()));
  return isBound;
}
