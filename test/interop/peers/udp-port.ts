import { readFileSync } from "node:fs";
import type { Program } from "./program.js";

/** Waits until somebody has bound the port: the kernel's tables are read. */
export async function listeningUdp(port: number, program: Program): Promise<void> {
  const wanted = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, "0")} [0-9A-F]+:[0-9A-F]{4} 07 `);
  const tables = () => readFileSync("/proc/net/udp", "latin1") + readFileSync("/proc/net/udp6", "latin1");
  for (let tries = 0; tries < 1000 && program.status === undefined; tries++) {
    if (wanted.test(tables())) return;
    await new Promise((again) => setTimeout(again, 10));
  }
  throw new Error(`${program.name} does not listen on ${port}: ${program.status ?? "running"}\n${program.said}`);
}
