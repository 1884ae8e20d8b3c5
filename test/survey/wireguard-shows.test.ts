import assert from "node:assert/strict";
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
