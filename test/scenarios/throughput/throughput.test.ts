import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { page } from "./grid.js";

const golden = "docs/throughput.md";

test("throughput by round trip, loss and buffer is what docs/throughput.md says", async () => {
  const now = await page();
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(golden, now);
  assert.equal(now, readFileSync(golden, "utf8"), "UPDATE_GOLDEN=1 node scripts/test.mjs scenarios/throughput");
});
