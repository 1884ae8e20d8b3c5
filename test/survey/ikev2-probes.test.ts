import assert from "node:assert/strict";
import { test } from "node:test";
import { interfaceNames, tableOne } from "../../src/contract/index.js";
import { nodeHost } from "../../src/hosts/node/index.js";
import { type Cell, survey } from "../../src/survey/index.js";
import { ikev2Probes } from "../../src/survey/probes/ikev2/index.js";

test("IKEv2's ten cells are demonstrated, and the three blanks refused", async () => {
  const cells: Cell[] = [];
  const probes = [await ikev2Probes(nodeHost())];
  for await (const cell of survey({ probes, wanted: (protocol) => protocol === "IKEv2" })) cells.push(cell);
  assert.deepEqual(
    cells.map((cell) => [cell.interface, cell.status]),
    interfaceNames.map((name) => [name, tableOne.IKEv2.includes(name) ? "demonstrated" : "absent"]),
    cells.map(({ interface: name, evidence }) => `${name}: ${evidence}`).join("\n"),
  );
});
