import assert from "node:assert/strict";
import { test } from "node:test";
import { tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { allProbes, type Cell, survey } from "../../src/survey/index.js";

test("no cell of a built protocol fails on this host, whichever way down it has chosen", async () => {
  const probes = await allProbes(nodeHost());
  const cells: Cell[] = [];
  for await (const cell of survey({ probes })) cells.push(cell);
  const failed = cells.filter(({ status }) => status === "failed");
  assert.deepEqual(
    failed.map((cell) => `${cell.protocol}/${cell.interface}: ${cell.evidence}`),
    [],
  );
  for (const { profile } of probes) {
    const row = cells.filter(({ protocol }) => protocol === profile.protocol);
    const inTable = profile.protocol in tableOne ? tableOne[profile.protocol as keyof typeof tableOne] : [];
    assert.deepEqual(
      row
        .filter(({ status }) => status === "demonstrated")
        .map((cell) => cell.interface)
        .sort(),
      [...inTable].sort(),
      profile.protocol,
    );
  }
});
