import { createSocket, type Socket } from "node:dgram";
import { readFileSync } from "node:fs";

/** A bare UDP socket on a free port of 127.0.0.1. */
export async function bound(): Promise<Socket> {
  const socket = createSocket("udp4");
  await new Promise<void>((listening, failed) => {
    socket.once("error", failed).bind(0, "127.0.0.1", listening);
  });
  return socket;
}

/** A port that was free a moment ago, for a program that cannot take one by itself. */
export async function freeUdpPort(): Promise<number> {
  const socket = await bound();
  const { port } = socket.address();
  await new Promise<void>((closed) => socket.close(closed));
  return port;
}

/** Has somebody bound this UDP port? The kernel's table knows; where there is none, nobody can tell. */
export function isUdpBound(port: number): boolean {
  try {
    const local = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    return readFileSync("/proc/net/udp", "latin1").includes(local);
  } catch {
    return true;
  }
}
