import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { conformancePage, conformanceRows } from "../../../scripts/conformance.js";
import {
  connectionProperties,
  messageProperties,
  readOnlyProperties,
  selectionProperties,
} from "../../../src/taps/index.js";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const tests = join(root, "test");

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(join(folder, entry.name))
      : entry.name.endsWith(".test.ts")
        ? [join(folder, entry.name)]
        : [],
  );
}

test("every test that the conformance table names exists", () => {
  const names = new Set(
    sources(tests).flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(/\btest\(\s*"((?:[^"\\]|\\.)*)"/g)].map(([, name]) => name!),
    ),
  );
  assert.ok(names.size > 100, `only ${names.size} tests were seen`);
  const unknown = conformanceRows.filter((row) => !names.has(row.test));
  assert.deepEqual(
    unknown.map((row) => row.test),
    [],
  );
});

test("every property has one row, in its section", () => {
  const all = { ...selectionProperties, ...connectionProperties, ...readOnlyProperties, ...messageProperties };
  for (const [name, { section }] of Object.entries(all)) {
    const rows = conformanceRows.filter(({ item }) => item === name);
    assert.equal(rows.length, 1, name);
    assert.equal(rows[0]!.section, section, name);
  }
});

test("docs/conformance.md is what the table says; npm run docs writes it", () => {
  assert.equal(readFileSync(join(root, "docs/conformance.md"), "utf8"), conformancePage());
});
