import { spawnSync } from "node:child_process";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { runFolder } from "./certificates.js";

const sources = new URL("../../../../test/interop/peers/c/", import.meta.url).pathname;

/** A program of `peers/c`, compiled when it is first wanted; all test files of a run share it. Answers its path. */
export function compiled(name: string, libraries: readonly string[], flags: readonly string[] = []): string {
  const path = join(runFolder, name);
  if (existsSync(path)) return path;
  // Whoever is first wins: two files that compile the same at once make the same.
  const making = `${path}.${process.pid}`;
  const args = ["-O2", ...flags, join(sources, `${name}.c`), ...libraries, "-o", making];
  const { status, stderr, error } = spawnSync("gcc", args, { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(
      `gcc could not compile ${name}.c (scripts/peers/install.sh installs what it needs): ${error ?? stderr}`,
    );
  }
  renameSync(making, path);
  return path;
}
