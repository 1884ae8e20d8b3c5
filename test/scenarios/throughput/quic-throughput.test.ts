import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { figures, grid, page } from "./quic-grid.js";

const golden = "docs/quic-throughput.md";

test("QUIC's throughput by round trip, loss and buffer is what docs/quic-throughput.md says", async () => {
  const now = page(await grid());
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(golden, now);
  const before = readFileSync(golden, "utf8");
  assert.equal(now.replace(/\d+\.\d\d \(/g, "("), before.replace(/\d+\.\d\d \(/g, "("));
  const kept = figures(before);
  for (const [index, figure] of figures(now).entries()) {
    const allowed = Math.max(0.25, 0.15 * kept[index]!);
    assert.ok(Math.abs(figure - kept[index]!) <= allowed, `figure ${index}: ${figure}, and ${kept[index]} before`);
  }
});
