import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import { test } from "node:test";
import { type SimulationOptions, simulate, type World } from "../../src/hosts/simulator/index.js";
import { provider } from "./provider.js";

/**
 * A test in virtual time, run once for each seed. One that fails prints its seed and the command that runs that seed
 * again; the command also takes `SEALPORT_PCAPNG=file`, where the run leaves its packets.
 *
 *     scenario("a handshake survives loss", 20, async (world) => { … });
 */
export function scenario(
  name: string,
  seeds: number | readonly number[],
  run: (world: World, seed: number) => Promise<void>,
  options: Omit<SimulationOptions, "seed"> = {},
): void {
  test(name, () => runScenario(name, seeds, run, options));
}

export async function runScenario(
  name: string,
  seeds: number | readonly number[],
  run: (world: World, seed: number) => Promise<void>,
  options: Omit<SimulationOptions, "seed"> = {},
): Promise<void> {
  const only = process.env["SEALPORT_SEED"];
  const pcapng = process.env["SEALPORT_PCAPNG"];
  const wanted = only
    ? [Number(only)]
    : typeof seeds === "number"
      ? Array.from({ length: seeds }, (_, i) => i + 1)
      : seeds;
  for (const seed of wanted) {
    const world = simulate({ crypto: provider, isCapturing: pcapng !== undefined, ...options, seed });
    try {
      await run(world, seed);
    } catch (error) {
      throw new Error(`"${name}" failed with seed ${seed} after ${world.elapsed} ms; again: ${commandFor(seed)}`, {
        cause: error,
      });
    } finally {
      if (pcapng !== undefined) writeFileSync(pcapng, world.capture());
    }
  }
}

/** The one command that replays a seed, to be given in the project's folder after a build. */
export function commandFor(seed: number, file = process.argv[1] ?? ""): string {
  const part = relative(process.cwd(), file)
    .replace(/^dist\/test(-portable)?\//, "")
    .replace(/\.test\.js$/, "");
  return `SEALPORT_SEED=${seed} node scripts/test.mjs ${part}`;
}
