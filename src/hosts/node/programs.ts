import { spawn } from "node:child_process";

/** How a program of the system's ended, and what it said. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

/** Runs a program of the system's to its end; undefined if it cannot be run. */
export async function run(command: string, args: readonly string[], input = ""): Promise<Ended | undefined> {
  const child = spawn(command, args, { stdio: "pipe" });
  let [out, said] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.once("error", () => resolve(undefined));
    child.once("close", (status) => resolve({ code: status ?? -1, out, said }));
  });
}
