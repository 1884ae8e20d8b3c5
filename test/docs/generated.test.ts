import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { outdated, pages } from "../../scripts/docs.js";
import { doors, exportsOf } from "../../scripts/doors.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("docs/cli.md and docs/api are what the code says now", () => {
  assert.deepEqual(outdated(root), [], "npm run docs");
  assert.ok(pages(root).size >= 4);
});

test("every function and class of the main door says what it is for", () => {
  const index = doors(root).get(".")!;
  const silent = [...exportsOf(index).values()]
    .filter(({ kind, doc }) => ["function", "class"].includes(kind) && doc === "")
    .map(({ name, path }) => `${name} (${path.slice(root.length)})`);
  assert.deepEqual(silent, []);
});
