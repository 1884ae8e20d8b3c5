import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { nodeHost } from "../../src/hosts/node/index.js";
import { wireguardProbes } from "../../src/survey/probes/wireguard/index.js";

test("WireGuard is shown by itself and with TLS over TCP inside", async () => {
  const { shows } = wireguardProbes(nodeHost());
  const shown = await Promise.all(shows.map((show) => show.run({ signal: AbortSignal.timeout(20_000) })));
  assert.deepEqual(
    shown.map(({ version, bytes }) => [version, bytes]),
    [
      ["WireGuard 1", 20_000],
      ["TLS 1.3, WG", 20_000],
    ],
  );
});

test("wireguard-go proves what a stranger can prove, and leaves nothing on this machine", async () => {
  const { cells } = wireguardProbes(nodeHost());
  const evidence = async (cell: "IPK" | "PSKI" | "IV" | "ME" | "SAV"): Promise<string> =>
    await cells[cell]!({ signal: AbortSignal.timeout(20_000) });
  for (const cell of ["IPK", "PSKI", "IV", "SAV", "ME"] as const) {
    assert.match(await evidence(cell), /^between ends of Sealport, .*; and wireguard-go [\d.]+ /);
  }
  const left = existsSync("/var/run/wireguard") ? readdirSync("/var/run/wireguard") : [];
  assert.deepEqual(
    left.filter((name) => name.startsWith(`seal${process.pid % 100_000}x`)),
    [],
  );
});
